"""scikit-learn's network on the rows that a command's flags select.

`python -m benchmarks.neural_network.peer --dataset=… --target=… SEEDS` prints the root
mean squared error of `MLPRegressor()` on the test rows of each seed, as JSON.
"""

import json
import os
import sys
import warnings

import numpy as np


def error(flags: dict[str, str], seed: int) -> float:
    """Return the error of a network on preprocessed columns, target standardised."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    from recipes.neural_network.config import Config
    from recipes.pipeline import datasets
    from recipes.pipeline.preprocessing import learn

    data = datasets.load(Config(**flags, seed=seed), task="regression")
    preprocessing = learn.learn_preprocessing(data)
    x, test_x = (
        np.concatenate([preprocessing(rows).numpy() for rows, _ in dataset])
        for dataset in (data.train_dataset(8192), data.test_dataset(8192))
    )
    centre, scale = data.train.target.mean(), data.train.target.std()
    model = MLPRegressor(random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ConvergenceWarning
        )  # it stops after 200 epochs by default
        model.fit(x, (data.train.target - centre) / scale)
    predicted = model.predict(test_x) * scale + centre
    return float(np.sqrt(np.mean((predicted - data.test.target) ** 2)))


def main() -> None:
    """Run what the command line names."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    *given, seeds = sys.argv[1:]
    flags = dict(flag.removeprefix("--").split("=", 1) for flag in given)
    print(json.dumps([error(flags, seed) for seed in range(int(seeds))]))


if __name__ == "__main__":
    main()

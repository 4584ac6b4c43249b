"""Weights in whole runs: what counts twice in the fit counts twice in the scores."""

import numpy as np
import pytest

from recipes.linear_regression import recipe as linear
from recipes.linear_regression.config import Config as LinearConfig
from recipes.neural_network import recipe as network
from recipes.neural_network.config import Config as NetworkConfig
from recipes.svm import recipe as svm
from recipes.svm.config import Config as SvmConfig

QUICK = {"report": False, "export": False}


def write(path, rows, header="a,b,w,y"):
    path.write_text("\n".join([header, *(",".join(map(str, r)) for r in rows), ""]))
    return str(path)


def make_rows(seed, weights, *, classes=False):
    rng = np.random.default_rng(seed)
    n = len(weights)
    a, b, noise = rng.normal(size=(3, n)).round(4)
    y = a - 2 * b + noise
    y = np.where(y > 0.3, "yes", "no") if classes else y.round(4)
    return [(*each,) for each in zip(a, b, weights, y, strict=True)]


def run(module, config_class, folder, dataset, **settings):
    config = config_class(dataset=dataset, out_dir=str(folder), **(QUICK | settings))
    return module.train_and_evaluate(config)


def test_in_linear_regression_weight_2_is_the_row_twice(tmp_path):
    weights = np.tile([1, 2, 3, 1], 15)
    rows, held_out = make_rows(0, weights), make_rows(1, weights[:12])
    repeated, repeated_test = (
        [(*r[:2], 1, r[3]) for r in part for _ in range(r[2])]
        for part in (rows, held_out)
    )
    one, other = (
        run(
            linear,
            LinearConfig,
            tmp_path / f"run{i}",
            write(tmp_path / f"train{i}.csv", train),
            test_dataset=write(tmp_path / f"test{i}.csv", test),
            weights="w",
            tolerance=1e-12,
        ).metrics
        for i, (train, test) in enumerate([(rows, held_out), (repeated, repeated_test)])
    )
    for part in ("train", "test", "baseline"):
        assert one[part] == pytest.approx(other[part], rel=1e-6)
    for name in ("loss", "optimal_loss"):
        assert one["certificate"][name] == pytest.approx(
            other["certificate"][name], rel=1e-6
        )
    assert one["certificate"]["converged"]


def test_scores_are_those_computed_by_hand(tmp_path):
    weights = np.tile([1.0, 2.5, 0.5], 20)
    dataset = write(tmp_path / "a.csv", make_rows(2, weights))
    done = run(linear, LinearConfig, tmp_path / "run", dataset, weights="w")
    rows = done.data.test
    error = rows.target - done.predictions[1].reshape(-1)
    mse = (rows.weight * error**2).sum() / rows.weight.sum()
    train = done.data.train
    mean = (train.weight * train.target).sum() / train.weight.sum()
    baseline = (rows.weight * abs(rows.target - mean)).sum() / rows.weight.sum()
    assert done.metrics["test"]["mse"] == pytest.approx(mse, rel=1e-12)
    assert done.metrics["baseline"]["mae"] == pytest.approx(baseline, rel=1e-12)


def test_in_a_machine_all_weights_2_are_twice_the_c(tmp_path):
    rows = make_rows(3, [1] * 60, classes=True)
    heavy = [(*r[:2], 2, r[3]) for r in rows]
    light, other = (
        run(
            svm,
            SvmConfig,
            tmp_path / f"run{i}",
            write(tmp_path / f"{i}.csv", each),
            weights="w",
            C=C,
            report=True,
        ).metrics
        for i, (each, C) in enumerate([(rows, 1.0), (heavy, 0.5)])
    )
    for name in ("dual_objective", "primal_objective", "support_vectors"):
        assert light["certificate"][name] == pytest.approx(
            other["certificate"][name], rel=1e-9
        )
    assert light["test"]["accuracy"] == other["test"]["accuracy"]


def test_the_accuracy_of_a_machine_is_weighted(tmp_path):
    weights = np.tile([1, 4, 2], 20)
    dataset = write(tmp_path / "a.csv", make_rows(4, weights, classes=True))
    done = run(svm, SvmConfig, tmp_path / "run", dataset, weights="w", report=True)
    decisions, weight = done.predictions[0], done.data.train.weight
    right = decisions.predicted == done.data.train.target
    accuracy = weight[right].sum() / weight.sum()
    assert done.metrics["train"]["accuracy"] == pytest.approx(accuracy)
    given = decisions.probabilities[np.arange(len(right)), done.data.train.target]
    loss = -(weight * np.log(given)).sum() / weight.sum()
    assert done.metrics["train"]["log_loss"] == pytest.approx(loss, rel=1e-6)
    page = (tmp_path / "run/report.html").read_text()
    assert "weighted by ‘w’" in page
    assert "Mistakes on test rows" not in page


def test_the_loss_of_a_network_is_weighted(tmp_path):
    weights = np.tile([1, 4, 2], 20)
    dataset = write(tmp_path / "a.csv", make_rows(5, weights, classes=True))
    settings = {"weights": "w", "epochs": 3, "report": True, "patience": 0}
    done = run(network, NetworkConfig, tmp_path / "run", dataset, **settings)
    metrics = done.metrics
    assert done.data.validation.weight is not None
    assert metrics["certificate"]["final_train_loss"] == pytest.approx(
        metrics["train"]["log_loss"], rel=1e-5
    )

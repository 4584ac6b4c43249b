"""The logarithm of a target is learned; everything a user sees is the target."""

import numpy as np
import pytest

from recipes.errors import InputError
from recipes.linear_regression import recipe as linear
from recipes.linear_regression.config import Config as LinearConfig
from recipes.neural_network import recipe as network
from recipes.neural_network.config import Config as NetworkConfig
from recipes.pipeline.evaluation import regression_scores
from recipes.svm import recipe as svm
from recipes.svm.config import Config as SvmConfig
from tests.recipes.pipeline.datasets.loading import loaded, refused, write_table
from tests.recipes.pipeline.run.test_export import run_elsewhere


def make_table(folder, *, zeros=False, noise=0.0, scale=1.0):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 80)).round(4)
    y = np.exp(1 + a - 0.5 * b + noise * rng.normal(size=80)) * scale
    if zeros:
        y = np.where(y < 1, 0, y)
    lines = [f"{u},{v},{w!r}" for u, v, w in zip(a, b, y.tolist(), strict=True)]
    return write_table(folder, "\n".join(["a,b,y", *lines, ""]))


SERVE = """
    import numpy as np, tensorflow as tf
    rows = np.load("rows.npy")
    loaded = tf.saved_model.load(sys.argv[1])
    a, b = map(tf.constant, rows.T.copy())
    np.save("served.npy", loaded.serve({"a": a, "b": b})["prediction"])
"""


@pytest.mark.parametrize("zeros", [False, True], ids=["log", "log1p"])
@pytest.mark.parametrize(
    ("module", "config_class", "settings"),
    [
        (linear, LinearConfig, {}),
        (svm, SvmConfig, {"task": "regression"}),
        (network, NetworkConfig, {"task": "regression", "epochs": 60, "patience": 0}),
    ],
    ids=["linear_regression", "svm", "neural_network"],
)
def test_predictions_scores_and_the_saved_model_are_in_the_targets_unit(
    tmp_path, module, config_class, settings, zeros
):
    path, out = make_table(tmp_path, zeros=zeros, noise=0.1), tmp_path / "run"
    config = config_class(
        dataset=str(path), out_dir=str(out), log_target=True, **settings
    )
    run = module.train_and_evaluate(config)
    test, predicted = run.data.test, run.predictions[1]
    log = "log1p" if zeros else "log"
    assert run.data.description.target_log == log
    forward = np.log1p if zeros else np.log
    np.testing.assert_allclose(run.data.targets["test"], forward(test.target))
    assert run.metrics["test"] == regression_scores(test.target, predicted)
    assert run.metrics["test"]["r2"] > 0.5
    mean = run.data.train.target.mean()
    mse = np.mean((test.target - mean) ** 2)
    assert run.metrics["baseline"]["mse"] == pytest.approx(mse)
    assert run.metrics["certificate"]["target_scale"] == log
    np.save(tmp_path / "rows.npy", test.features)
    run_elsewhere(SERVE, tmp_path, str(out / "export/1"))
    served = np.load(tmp_path / "served.npy")
    np.testing.assert_allclose(served, predicted, rtol=1e-5)
    assert "about the target's logarithm" in (out / "report.html").read_text().replace(
        "&#39;", "'"
    )


def test_an_exponential_law_is_recovered(tmp_path):
    path = make_table(tmp_path)
    config = LinearConfig(
        dataset=str(path),
        out_dir=str(tmp_path / "run"),
        log_target=True,
        report=False,
        export=False,
    )
    metrics = linear.train_and_evaluate(config).metrics
    assert metrics["test"]["r2"] > 1 - 1e-9
    slopes = {each["name"]: each for each in metrics["coefficients"]["slopes"]}
    assert slopes["a"]["estimate"] == pytest.approx(1, abs=1e-6)
    assert slopes["b"]["estimate"] == pytest.approx(-0.5, abs=1e-6)
    assert metrics["coefficients"]["intercept"]["estimate"] == pytest.approx(1)


def test_the_note_says_what_is_learned(tmp_path):
    notes = loaded(make_table(tmp_path), "regression", log_target=True)
    assert any(
        note.startswith("learned is log(y): predictions are in the unit of 'y', its me")
        for note in notes.description.notes
    )


def test_what_has_no_logarithm_is_refused(tmp_path):
    rows = "".join(f"{i}.5,{3.5 - i}\n" for i in range(20))
    path = write_table(tmp_path, "a,y\n" + rows)
    assert refused(path, "regression", log_target=True) == (
        f"--log_target: {path}, row 5, column 'y': -0.5 has no logarithm; targets "
        "should be 0 or above"
    )
    assert "has classes" in refused("iris", log_target=True)


def test_an_overflowing_prediction_is_one_line(tmp_path):
    path = make_table(tmp_path)
    write_table(tmp_path, "a,b,y\n1e4,0,1\n1,1,2\n", "test.csv")
    config = LinearConfig(
        dataset=str(path),
        test_dataset=str(tmp_path / "test.csv"),
        out_dir=str(tmp_path / "run"),
        log_target=True,
    )
    with pytest.raises(InputError, match=r"^--log_target: log\(y\) is predicted as 1"):
        linear.train_and_evaluate(config)

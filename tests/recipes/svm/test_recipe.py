"""`train_and_evaluate` called from Python, and the files that it writes."""

import json

import numpy as np
import pytest
from sklearn import svm as peer

from recipes.errors import ArgumentError
from recipes.svm import Config, train_and_evaluate
from tests.commands import run_fresh
from tests.runs import check_elsewhere, table_of_plants


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two classes; a table with strings, blanks and three classes; and a regression."""
    folder = tmp_path_factory.mktemp("runs")
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(160, 3)) * [1, 1e-3, 1e4] + [0, 5, 1e4]).astype("float32")
    sign = x[:, 0] * 1e4 + x[:, 2] - 1e4 > 0
    np.savez(folder / "two.npz", x=x, y=sign.astype(int))
    np.savez(folder / "number.npz", x=x, y=x @ [1.0, 2e3, -1e-4])
    plants = table_of_plants(folder / "three.csv", rng)
    made = {}
    for name, dataset, flags in (
        ("two", "two.npz", {"class_weight": "balanced"}),
        ("three", "three.csv", {"C": 5.0, "gamma": 0.5}),
        ("number", "number.npz", {"precision": "float64", "kernel": "linear"}),
    ):
        out_dir = str(folder / name)
        config = Config(dataset=str(folder / dataset), out_dir=out_dir, **flags)
        made[name] = train_and_evaluate(config)
    inputs = {
        "two": {"features": x[:30]},
        "three": plants,
        "number": {"features": x[:30]},
    }
    return made, inputs


def test_files_work_in_another_process(runs, tmp_path):
    made, inputs = runs
    counts = dict.fromkeys(made, (0, 1, 30))
    module = "recipes.svm.models.classifier"
    check_elsewhere(tmp_path, run_fresh, module, made, inputs, counts)


def test_predictions_are_those_of_the_serving_model(runs):
    made, _ = runs
    for name in ("two", "number"):
        run = made[name]
        served = run.serving_model.predict(run.data.test.features, verbose=0)
        if name == "number":
            np.testing.assert_allclose(run.predictions[1], served, rtol=1e-5)
            continue
        test = run.predictions[1]
        np.testing.assert_allclose(test.scores, served["scores"], atol=1e-5)
        np.testing.assert_allclose(
            test.probabilities, served["probabilities"], atol=1e-5
        )
        np.testing.assert_array_equal(test.target, run.data.test.target)


def test_regression_matches_the_peer_on_the_standardised_target(runs):
    """C = 1 and epsilon = 0.1 are in standard deviations of the target."""
    run = runs[0]["number"]
    x = run.serving_model.preprocessing(run.data.train.features).numpy()
    y = run.data.train.target
    scaled = (y - y.mean()) / y.std()
    theirs = peer.SVR(kernel="linear", C=1.0, epsilon=0.1, tol=1e-6).fit(x, scaled)
    expected = theirs.predict(x) * y.std() + y.mean()
    found = np.ravel(run.predictions[0])
    assert np.abs(found - expected).max() < 2e-3 * y.std()
    chosen = run.metrics["parameters"]
    assert chosen["epsilon"] == pytest.approx(0.1 * y.std())
    assert chosen["C"] == pytest.approx(y.std())
    assert np.abs(run.model.dual_coefficients).max() <= chosen["C"]


def test_classification_matches_the_peer(runs):
    run = runs[0]["two"]
    x = run.serving_model.preprocessing(run.data.train.features).numpy()
    theirs = peer.SVC(gamma="scale", class_weight="balanced", tol=1e-6)
    theirs.fit(x, run.data.train.target)
    expected = theirs.decision_function(x)
    assert np.abs(run.predictions[0].scores[:, 0] - expected).max() < 2e-3
    gamma = run.metrics["parameters"]["gamma"]
    assert gamma == pytest.approx(1 / (x.shape[1] * x.var()), rel=1e-5)


def test_run_is_what_metrics_json_holds(runs):
    for run in runs[0].values():
        written = json.loads((run.out_dir / "metrics.json").read_text())
        for part in ("dataset", "train", "test", "certificate", "parameters"):
            assert written[part] == run.metrics[part]
        assert written["certificate"] == run.model.certificate
        assert written["certificate"]["converged"] is True


def test_report_shows_the_run(runs):
    run = runs[0]["three"]
    report = (run.out_dir / "report.html").read_text(encoding="utf-8")
    for expected in (
        "Support vector machine on three",
        "This is the optimum.",
        "Decision regions",
        "Calibration",
        "‘moss’",
    ):
        assert expected in report
    number = run.metrics["certificate"]["support_vectors"]
    assert f"{number} of the" in report
    assert 'src="http' not in report


def test_warnings_of_a_long_fit_precede_it(capsys, monkeypatch, tmp_path):
    from recipes.svm import recipe

    monkeypatch.setattr(recipe, "MANY_ROWS", 100)
    monkeypatch.setattr(recipe, "MANY_PROBLEMS", 2)
    flags = {"probability": False, "report": False, "export": False}
    out_dir = str(tmp_path / "run")
    train_and_evaluate(Config(dataset="iris", out_dir=out_dir, **flags))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("120 training rows: the time to fit grows")
    assert lines[1].startswith("3 classes: 3 pairs, with one problem each;")


def test_bad_settings_are_refused_in_python_too():
    with pytest.raises(ArgumentError, match=r"`C` should be a number above 0"):
        Config(C=-1)

"""`train_and_evaluate` in a program, and what others make of the files it leaves."""

import json
import textwrap

import numpy as np
import pytest
import tensorflow as tf
from sklearn import svm as peer

from recipes.pipeline.errors import InputError
from recipes.svm import Config, train_and_evaluate
from tests.commands import run_forked

ROWS = (0, 1, 30)
CLASSES = ("fern", "moss", "übel, or not")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two classes, three classes of a table with texts and blanks, and a regression."""
    folder = tmp_path_factory.mktemp("runs")
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(160, 3)) * [1, 1e-3, 1e4] + [0, 5, 1e4]).astype("float32")
    sign = x[:, 0] * 1e4 + x[:, 2] - 1e4 > 0
    np.savez(folder / "two.npz", x=x, y=sign.astype(int))
    np.savez(folder / "number.npz", x=x, y=x @ [1.0, 2e3, -1e-4])
    soil = rng.choice(["a b", "ü", ""], 180)
    light = rng.normal(50, 9, 180)
    kind = (light > 47).astype(int) + (light > 54) * (soil != "ü")
    lines = ['soil,"light, %",plant']
    for s, v, k in zip(soil, light.tolist(), kind, strict=True):
        value = "" if rng.random() < 0.1 else repr(v)
        lines.append(f'"{s}",{value},"{CLASSES[k]}"')
    (folder / "three.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
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
        "three": {
            "soil": np.array(["a b", "ü", "never seen"] * 10),
            "light, %": np.where(light[:30] > 60, np.nan, light[:30]).astype("float32"),
        },
        "number": {"features": x[:30]},
    }
    return made, inputs


def answers(run, raw):
    """What the serving model gives in this process, as a dict."""
    tensors = {name: tf.constant(values) for name, values in raw.items()}
    answer = run.serving_model(tensors.get("features", tensors))
    answer = answer if isinstance(answer, dict) else {"prediction": answer}
    return {name: np.asarray(values) for name, values in answer.items()}


CODE = """
import json, sys
sys.modules["layers"] = sys.modules["recipes"] = None  # cannot be imported
import numpy as np, tensorflow as tf
for name, folder in json.load(open("folders.json")).items():
    loaded = tf.saved_model.load(folder + "/export/1")
    serve = loaded.signatures["serving_default"]
    arrays = np.load(name + ".npz")
    for rows in (0, 1, 30):
        part = {column: tf.constant(arrays[column][:rows]) for column in arrays}
        found = {key: value.numpy() for key, value in serve(**part).items()}
        found |= {k: v.astype("S") for k, v in found.items() if v.dtype == object}
        np.savez(f"{name}-{rows}.npz", **found)
"""


def test_saved_model_in_a_process_without_the_project(runs, tmp_path):
    made, inputs = runs
    folders = {name: str(run.out_dir) for name, run in made.items()}
    (tmp_path / "folders.json").write_text(json.dumps(folders))
    for name, raw in inputs.items():
        np.savez(tmp_path / f"{name}.npz", **raw)
    ended = run_forked(tmp_path, "-c", textwrap.dedent(CODE))
    assert ended.code == 0, ended.err
    for name, run in made.items():
        expected = answers(run, inputs[name])
        for rows in ROWS:
            found = dict(np.load(tmp_path / f"{name}-{rows}.npz"))
            for key, values in expected.items():
                assert found[key].shape == (rows, *values.shape[1:])
                np.testing.assert_allclose(
                    found[key], values[:rows], rtol=1e-5, atol=1e-5
                )
            if name == "number":
                assert set(found) == {"prediction"}
                continue
            keys = {"scores", "probabilities", "class_index", "label"}
            assert set(found) == keys
            levels = run.data.description.target.levels
            named = [levels[i].encode() for i in found["class_index"]]
            assert found["label"].tolist() == named
        if name != "number":
            assert len(set(found["label"].tolist())) > 1


def test_keras_file_in_a_new_process(runs, tmp_path):
    made, inputs = runs
    run = made["three"]
    np.savez(tmp_path / "three.npz", **inputs["three"])
    code = f"""
    import keras, numpy as np, tensorflow as tf
    import layers, recipes.svm.classifier
    model = keras.models.load_model({str(run.out_dir / "model.keras")!r})
    arrays = np.load("three.npz")
    answer = model({{name: tf.constant(arrays[name]) for name in arrays}})
    np.savez("answer.npz", **{{name: each.numpy() for name, each in answer.items()}})
    """
    ended = run_forked(tmp_path, "-c", textwrap.dedent(code))
    assert ended.code == 0, ended.err
    found = np.load(tmp_path / "answer.npz")
    for name, values in answers(run, inputs["three"]).items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-6)


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


def test_regression_is_the_peer_s_of_the_standardised_target(runs):
    """In standard deviations: C = 1, epsilon = 0.1 of the target's own."""
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


def test_classification_is_the_peer_s(runs):
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
    assert f"The machine rests on {number} of the" in report
    assert 'src="http' not in report


def test_many_rows_or_classes_are_told_before_the_fit(capsys, monkeypatch, tmp_path):
    from recipes.svm import advice

    monkeypatch.setattr(advice, "MANY_ROWS", 100)
    monkeypatch.setattr(advice, "MANY_PROBLEMS", 2)
    flags = {"probability": False, "report": False, "export": False}
    out_dir = str(tmp_path / "run")
    train_and_evaluate(Config(dataset="iris", out_dir=out_dir, **flags))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("120 training rows: the time to fit grows with")
    assert lines[1].startswith("3 classes: 3 pairs, a problem for each;")


def test_bad_settings_are_refused_in_a_program_too():
    with pytest.raises(InputError, match=r"--C=-1.*above 0"):
        Config(C=-1)
    with pytest.raises(InputError, match="--resume"):
        Config(resume=True)

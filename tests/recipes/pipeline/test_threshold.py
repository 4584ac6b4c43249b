"""The threshold between two classes: in scores, report and SavedModel alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.errors import InputError
from recipes.neural_network import recipe as network
from recipes.neural_network.config import Config as NetworkConfig
from recipes.pipeline.datasets.description import Column, Description, Threshold
from recipes.pipeline.evaluation import decide
from recipes.pipeline.threshold import check_threshold, decide_by, find_balanced
from recipes.svm import recipe as svm
from recipes.svm.config import Config as SvmConfig
from tests.recipes.pipeline.run.test_export import run_elsewhere


def about(*levels):
    kind, task = "categorical", "classification"
    if not levels:
        kind, task = "numeric", "regression"
    target = Column("kind", kind, levels=levels)
    return Description("a", "a.csv", True, (Column("x"),), target, task)


def refusal(rule, *levels, **settings):
    with pytest.raises(InputError) as caught:
        check_threshold(rule, about(*levels), **settings)
    assert str(caught.value).startswith(f"--threshold={rule}: ")
    return str(caught.value)


def test_only_rules_that_make_sense_are_taken():
    for rule in ("", "0.3", "balanced", "cost=5:1", "cost=0.5:1e3"):
        check_threshold(rule, about("no", "yes"))
    for rule in ("-1.5", "balanced"):
        check_threshold(rule, about("no", "yes"), no_probabilities="set it")
    check_threshold("", about())
    for rule in ("1", "0", "1.5", "-0.1"):
        assert "above 0 and below 1" in refusal(rule, "no", "yes")
    for rule in ("half", "cost=5", "cost=a:b", "cost=-1:1", "nan"):
        assert "should be balanced, cost=FN:FP" in refusal(rule, "no", "yes")
    for rule in ("cost=0:1", "cost=1:0", "cost=0:0"):
        assert "both costs" in refusal(rule, "no", "yes")
    assert "has 3 classes" in refusal("0.5", "a", "b", "c")
    assert "is a number" in refusal("0.5")
    line = refusal("cost=5:1", "no", "yes", no_probabilities="omit --noprobability")
    assert line.endswith("needs probabilities; omit --noprobability")


def decisions_of(target, second, weight=None):
    second = np.asarray(second)[:, None]
    p = np.hstack([1 - second, second])
    return decide(np.asarray(target), second - 0.5, p, weight)


def test_a_row_at_the_threshold_is_positive_as_float32_shows_it():
    decisions = decisions_of([0, 1, 1], [0.1, 0.3, np.float32(0.3)])
    found = decide_by(Threshold(0.3, "probability", "0.3"), decisions)
    assert found.predicted.tolist() == [0, 1, 1]


def test_without_probabilities_the_score_or_its_lead_is_compared():
    one = decide([0, 1], np.array([[-1.0], [1.0]]))
    two = decide([0, 1], np.array([[0.0, 1.0], [0.0, 3.0]]))
    threshold = Threshold(2.0, "score", "2")
    assert decide_by(threshold, one).predicted.tolist() == [0, 0]
    assert decide_by(threshold, two).predicted.tolist() == [0, 1]


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 1), st.integers(1, 19), st.integers(1, 3)),
        min_size=2,
        max_size=30,
    ).filter(lambda rows: len({y for y, _, _ in rows}) == 2)
)
def test_balanced_is_the_best_threshold_there_is(rows):
    y, p, weight = (np.array(column) for column in zip(*rows, strict=True))
    decisions = decisions_of(y, p / 20, weight.astype(float))

    def score(threshold):
        positive = np.float32(p / 20) >= np.float32(threshold)
        recalls = [
            weight[(y == c) & (positive == c)].sum() / weight[y == c].sum()
            for c in (0, 1)
        ]
        return np.mean(recalls)

    found = find_balanced(decisions)
    assert 0 < found < 1
    best = max(score(threshold) for threshold in np.linspace(0.025, 0.975, 20))
    assert score(found) == pytest.approx(best)


def write(folder, n=200, names=("no", "yes")):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 2)).round(4)
    y = x[:, 0] + rng.normal(size=n) > 1
    lines = [f"{a},{b},{names[int(c)]}" for (a, b), c in zip(x, y, strict=True)]
    (folder / "a.csv").write_text("\n".join(["a,b,kind", *lines, ""]))
    return str(folder / "a.csv")


LABELS = """
    import numpy as np, tensorflow as tf
    rows = np.load("rows.npy")
    loaded = tf.saved_model.load(sys.argv[1])
    output = loaded.signatures["serving_default"](
        a=tf.constant(rows[:, 0]), b=tf.constant(rows[:, 1])
    )
    np.savez(
        "out.npz",
        index=output["class_index"],
        label=output["label"].numpy().astype("S9"),
        scores=output["scores"],
        probabilities=output.get("probabilities", np.zeros(0)),
    )
"""


@pytest.mark.parametrize(
    ("module", "config_class", "settings"),
    [
        (svm, SvmConfig, {"threshold": "cost=4:1"}),
        (svm, SvmConfig, {"threshold": "-0.5", "probability": False}),
        (svm, SvmConfig, {"threshold": "balanced"}),
        (
            network,
            NetworkConfig,
            {
                "threshold": "balanced",
                "epochs": 40,
                "hidden_sizes": (32,),
                "patience": 0,
            },
        ),
    ],
    ids=["cost", "score", "machine", "network"],
)
def test_the_labels_of_the_saved_model_follow_the_threshold(
    tmp_path, module, config_class, settings
):
    out = tmp_path / "run"
    done = module.train_and_evaluate(
        config_class(
            dataset=write(tmp_path),
            out_dir=str(out),
            positive_class="no",
            **settings,
        )
    )
    assert done.metrics["dataset"]["classes"] == ["yes", "no"]
    threshold = done.metrics["threshold"]
    rows = done.data.test.features
    np.save(tmp_path / "rows.npy", rows)
    run_elsewhere(LABELS, tmp_path, str(out / "export/1"))
    served = np.load(tmp_path / "out.npz")
    decided = done.predictions[1].predicted
    np.testing.assert_array_equal(served["index"], decided)
    names = np.array([b"yes", b"no"])
    np.testing.assert_array_equal(served["label"], names[decided])
    shown = (
        served["scores"][:, 0]
        if threshold["of"] == "score"
        else served["probabilities"][:, 1]
    )
    np.testing.assert_array_equal(decided == 1, shown >= np.float32(threshold["value"]))
    accuracy = np.mean(decided == done.data.test.target)
    assert done.metrics["test"]["accuracy"] == pytest.approx(accuracy)
    assert f"--threshold={settings['threshold']}" in (out / "report.html").read_text()
    if settings["threshold"] == "cost=4:1":
        assert threshold["value"] == pytest.approx(0.2)


def test_balanced_is_chosen_on_rows_that_the_model_was_not_fitted_to(tmp_path):
    path = write(tmp_path)
    quick = {"dataset": path, "report": False, "export": False, "threshold": "balanced"}
    machine = svm.train_and_evaluate(
        SvmConfig(out_dir=str(tmp_path / "1"), C=100.0, gamma=5.0, **quick)
    )
    assert machine.metrics["threshold"]["rows"].endswith("each held out in turn")
    model = machine.model
    held_out = model.held_out_decisions
    assert held_out.shape == (len(machine.data.train.target),)
    positive = machine.data.train.target == 1
    # The machine itself separates its training rows; the others do not separate them.
    assert machine.metrics["train"]["auc"] > 0.98
    assert held_out[positive].min() < held_out[~positive].max()
    perceptron = network.train_and_evaluate(
        NetworkConfig(
            out_dir=str(tmp_path / "2"),
            epochs=40,
            hidden_sizes=(32,),
            patience=0,
            **quick,
        )
    )
    assert perceptron.metrics["threshold"]["rows"] == "validation rows"


def test_wrong_classes_and_missing_probabilities_are_refused(tmp_path):
    path = write(tmp_path)

    def message(**settings):
        with pytest.raises(InputError) as caught:
            svm.load(SvmConfig(**({"dataset": path} | settings)))
        return str(caught.value)

    assert "did you mean 'yes'?" in message(positive_class="yess")
    assert "there are 'no' and 'yes'" in message(positive_class="0")
    assert "has 3 classes" in message(dataset="iris", positive_class="setosa")
    assert "is a number" in message(dataset="diabetes", positive_class="1")
    assert "is a number" in message(dataset="diabetes", threshold="0.5")
    line = message(threshold="cost=1:2", probability=False)
    assert line == ("--threshold=cost=1:2: needs probabilities; omit --noprobability")

"""`train_and_evaluate` called from Python, and the files that it writes."""

import json
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from recipes.errors import (
    ArgumentError,
    ConvergenceWarning,
    DivergenceError,
    InputError,
)
from recipes.neural_network import (
    Config,
    MultilayerPerceptronClassifier,
    MultilayerPerceptronRegressor,
    train_and_evaluate,
)
from recipes.neural_network.recipe import NAME
from recipes.neural_network.training.attempt import TrainingAttempt, hold_out
from recipes.neural_network.training.held_out import compare_with_constant
from recipes.neural_network.training.learning_rate import RangeTest
from recipes.pipeline.datasets.description import Column, Data, Description, Examples
from recipes.pipeline.run.folder import RunFolder
from tests.commands import run_fresh
from tests.runs import answers, check_elsewhere, table_of_plants


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A table with strings, blanks and three classes; images; and a regression."""
    folder = tmp_path_factory.mktemp("runs")
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(160, 3)) * [1, 1e-3, 1e4] + [0, 5, 1e4]).astype("float32")
    np.savez(folder / "number.npz", x=x, y=1e6 + x @ [1e3, 2e6, 0.1])
    images = rng.uniform(0, 100, (120, 6, 6)).astype("float32")
    kind = np.arange(120) % 2
    images[kind == 1, :3] += 80
    np.savez(folder / "images.npz", x=images, y=kind)
    plants = table_of_plants(folder / "table.csv", rng)
    made = {}
    for name, dataset, flags in (
        (
            "table",
            "table.csv",
            {"hidden_sizes": (16, 8), "batch_normalization": True},
        ),
        ("images", "images.npz", {"architecture": "cnn", "hidden_sizes": (8,)}),
        ("number", "number.npz", {"validation_fraction": 0.0, "learning_rate": "auto"}),
    ):
        out_dir = str(folder / name)
        config = Config(
            dataset=str(folder / dataset), out_dir=out_dir, epochs=12, **flags
        )
        made[name] = train_and_evaluate(config)
    inputs = {
        "table": plants,
        "images": {"features": images[:30]},
        "number": {"features": x[:30]},
    }
    return made, inputs


def test_files_work_in_another_process(runs, tmp_path):
    made, inputs = runs
    counts = dict.fromkeys(made, (0, 1, 30))
    module = "recipes.neural_network.models.classifier"
    check_elsewhere(tmp_path, run_fresh, module, made, inputs, counts)


def test_predictions_are_those_of_the_serving_model(runs):
    run = runs[0]["images"]
    served = answers(run, {"features": run.data.test.features.reshape(-1, 6, 6)})
    test = run.predictions[1]
    np.testing.assert_allclose(test.scores, served["scores"], atol=1e-5)
    np.testing.assert_allclose(test.probabilities, served["probabilities"], atol=1e-5)
    np.testing.assert_array_equal(test.target, run.data.test.target)
    assert served["scores"].shape == (24, 1)


def test_every_network_learns(runs):
    made, _ = runs
    assert made["images"].metrics["test"]["accuracy"] == 1
    table = made["table"].metrics
    assert table["test"]["accuracy"] > table["baseline"]["accuracy"] + 0.1
    assert made["number"].metrics["test"]["r2"] > 0.9


def test_run_is_what_metrics_json_holds(runs):
    for name, run in runs[0].items():
        written = json.loads((run.out_dir / "metrics.json").read_text())
        for part in ("dataset", "train", "test", "certificate", "parameters"):
            assert written[part] == run.metrics[part]
        assert written["certificate"] == dict(run.model.certificate)
        assert written["certificate"]["gradient_check_max_relative_error"] < 1e-5
        assert ("validation" in written) == (name != "number")


def test_validation_rows_are_neither_fitted_nor_tested(runs):
    """18 × 0.8 = 144 training rows of the table, a tenth of them held out."""
    about = runs[0]["table"].metrics["dataset"]
    assert (about["train_rows"], about["test_rows"]) == (130, 36)
    assert "14 of 144 training rows" in runs[0]["table"].data.description.notes[0]
    assert runs[0]["number"].metrics["dataset"]["train_rows"] == 128


def test_weights_are_those_of_the_best_epoch(runs):
    run = runs[0]["table"]
    best = run.metrics["certificate"]["best_epoch"]
    x = run.serving_model.preprocessing(run.data.train.features)
    y = run.data.train.target
    loss = float(run.model.compute_loss(y=y, y_pred=run.model(x), training=False))
    shown = (run.out_dir / "report.html").read_text(encoding="utf-8")
    assert 1 <= best <= 12
    assert run.metrics["train"]["log_loss"] == pytest.approx(loss, rel=1e-4)
    assert f"the weights kept are those of epoch {best}." in shown


def test_rate_of_a_range_test_is_reported(runs):
    run = runs[0]["number"]
    rate = run.metrics["parameters"]["learning_rate"]
    assert rate == run.model.range_test.chosen > 0
    shown = (run.out_dir / "report.html").read_text(encoding="utf-8")
    assert "<code>--learning_rate=auto</code> chose" in shown
    assert f"--learning_rate={rate:.3g}" in shown
    assert "Not monitored for overfitting." in shown


def test_report_shows_the_run(runs):
    shown = (runs[0]["table"].out_dir / "report.html").read_text(encoding="utf-8")
    for expected in (
        "Neural network on table",
        "No proof of an optimum.",
        "The gradient is correct.",
        "Learning curves",
        "Calibration",
        "Weights and gradients",
        "‘moss’",
    ):
        assert expected in shown
    assert 'src="http' not in shown


FLAGS = {
    "dataset": "iris",
    "hidden_sizes": (4,),
    "epochs": 1,
    "export": False,
    "report": False,
}
RANGE_TEST = RangeTest(np.array([0.1, 1.0, 5.0]), np.array([1.0, 0.5, 0.9]), 0.5)


def failing(outcomes, seen, fit=TrainingAttempt.fit):
    """Return a `fit` whose attempts fail as `outcomes` say, and then succeed."""

    def attempt_to_fit(attempt, model, *args):
        number = len(seen)
        seen.append(attempt.range_test and attempt.range_test.chosen)
        outcome = outcomes[number] if number < len(outcomes) else ""
        if number == 0:
            attempt.range_test = RANGE_TEST
        if outcome == "diverged":
            model.range_test = attempt.range_test
            raise DivergenceError("it diverges")
        record = fit(attempt, model, *args)
        # A later attempt is the better one.
        certificate = {**record["certificate"], "learned": not outcome, "epochs": 5}
        return {**record, "certificate": certificate, "error": -number}

    return attempt_to_fit


@pytest.mark.parametrize(
    ("outcomes", "rates"),
    [
        (["diverged"], [None, 0.05]),
        (["learned nothing"], [None, 0.05]),
        (["diverged", "learned nothing"], [None, 0.05, 0.005]),
        (["learned nothing", "diverged"], [None, 0.05, 0.005]),
    ],
)
def test_a_range_test_rate_that_fails_is_reduced(
    outcomes, rates, monkeypatch, tmp_path, capsys
):
    """To a tenth, which the console, the metrics and the report say."""
    seen = []
    monkeypatch.setattr(TrainingAttempt, "fit", failing(outcomes, seen))
    config = Config(**{**FLAGS, "report": True}, out_dir=str(tmp_path))
    run = train_and_evaluate(config)
    assert seen == rates
    tried = [0.5, *rates[1:]]
    assert run.metrics["parameters"]["learning_rate"] == tried[-1]
    assert run.metrics["parameters"]["other_attempts"] == [
        {"learning_rate": rate, "outcome": outcome}
        for rate, outcome in zip(tried, outcomes, strict=False)
    ]
    said = capsys.readouterr().out
    shown = (tmp_path / "report.html").read_text(encoding="utf-8")
    for rate, outcome in zip(tried, outcomes, strict=False):
        restart = f"at the rate {rate}; it restarts at the rate {rate / 10:.3g}"
        assert f"the training {outcome} {restart}" in said
        assert f"The training {outcome} at " in shown
    assert not RunFolder(tmp_path, NAME).backup.exists()


def test_a_second_attempt_that_learns_nothing_is_the_last(monkeypatch, tmp_path):
    """And `auto`, which was used, is not advised."""
    seen = []
    monkeypatch.setattr(TrainingAttempt, "fit", failing(["learned nothing"] * 3, seen))
    with pytest.warns(ConvergenceWarning, match="learned nothing") as caught:
        train_and_evaluate(Config(**FLAGS, out_dir=str(tmp_path)))
    assert seen == [None, 0.05]
    messages = {str(each.message) for each in caught}
    (message,) = {each for each in messages if "learned nothing" in each}
    assert "features that tell nothing of the target" in message
    assert "auto" not in message


def test_the_better_of_two_attempts_is_kept(monkeypatch, tmp_path):
    """Although it was the first; the other one is among the other attempts."""
    fit, weights = TrainingAttempt.fit, []

    def grow_worse(attempt, model, *args):
        first = attempt.range_test is None
        attempt.range_test = attempt.range_test or RANGE_TEST
        record = fit(attempt, model, *args)
        weights.append(model.get_weights())
        certificate = {**record["certificate"], "learned": False, "epochs": 5}
        error = 1.0 if first else 2.0
        return {**record, "certificate": certificate, "error": error}

    monkeypatch.setattr(TrainingAttempt, "fit", grow_worse)
    with pytest.warns(ConvergenceWarning, match="learned nothing"):
        run = train_and_evaluate(Config(**FLAGS, out_dir=str(tmp_path)))
    assert len(weights) == 2
    for kept, first in zip(run.model.get_weights(), weights[0], strict=True):
        np.testing.assert_array_equal(kept, first)
    parameters = run.metrics["parameters"]
    assert parameters["learning_rate"] == 0.5
    assert parameters["other_attempts"] == [
        {"learning_rate": 0.05, "outcome": "learned nothing"}
    ]


def test_few_epochs_are_no_reason_to_restart(tmp_path):
    attempt = TrainingAttempt(Config(epochs=1), RunFolder(tmp_path, NAME))
    model, record = (
        SimpleNamespace(range_test=RANGE_TEST),
        {"certificate": {"epochs": 4}},
    )
    assert attempt.retry(model, record) is attempt


def test_a_given_rate_is_not_changed(monkeypatch, tmp_path):
    fit = TrainingAttempt.fit

    def fails(*args):
        record = fit(*args)
        certificate = {**record["certificate"], "learned": False, "epochs": 5}
        return {**record, "certificate": certificate}

    monkeypatch.setattr(TrainingAttempt, "fit", fails)
    config = Config(**FLAGS, learning_rate=0.1, out_dir=str(tmp_path))
    with pytest.warns(ConvergenceWarning, match="try 'auto'"):
        run = train_and_evaluate(config)
    assert run.metrics["parameters"]["learning_rate"] == 0.1
    assert run.metrics["parameters"]["other_attempts"] == []


@pytest.mark.parametrize("is_worse", [True, False])
def test_only_more_than_chance_says_that_nothing_was_learned(is_worse):
    """The constant is that of the training rows, not of those held out."""
    x = np.linspace(-1, 1, 80, dtype=np.float32)[:, np.newaxis]
    model = MultilayerPerceptronRegressor((), learning_rate=0.1)
    model.fit(x, x[:, 0], epochs=20, verbose=0)
    random = np.random.default_rng(0)
    some = x if is_worse else x[::10]
    random = np.random.default_rng(1)
    y = -some[:, 0] if is_worse else random.normal(0.2, 1, len(some))
    options = {"validation_data": (some, y, None)}
    error, found = compare_with_constant(model, x[:, 0], None, options)
    z = (y - model.center.numpy()) / model.scale.numpy()
    outputs = model.network(some).numpy()[:, 0]
    assert error == pytest.approx(np.mean((outputs - z) ** 2), rel=1e-4)
    excess = (outputs - z) ** 2 - z**2  # the constant's z is 0
    assert excess.mean() > 0
    limit = 2 * excess.std() / np.sqrt(len(some))
    assert found is bool(excess.mean() > limit) is is_worse


def test_balanced_classes_are_compared_with_equal_shares():
    """Unbalanced, the shares of the training rows would be the better answer."""
    random = np.random.default_rng(0)
    y = (np.arange(400) % 20 == 0).astype(int)
    x = random.normal(size=(400, 2)).astype(np.float32)
    model = MultilayerPerceptronClassifier((), learning_rate=1e-4, classes=(0, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x, y, epochs=1, verbose=0, class_weight="balanced")
    for layer in model.network.layers[-1:]:
        layer.kernel.assign(0 * layer.kernel)
        layer.bias.assign(0 * layer.bias)
    options = {"validation_data": (x, y, None)}
    assert compare_with_constant(model, y, None, options)[1]
    error, is_worse = compare_with_constant(
        model, y, None, {**options, "class_weight": "balanced"}
    )
    assert not is_worse
    assert error == pytest.approx(np.log(2), rel=1e-5)


def test_a_resumed_run_continues_its_attempt(tmp_path):
    folder = RunFolder(tmp_path, NAME)
    folder.backup.mkdir(parents=True)
    config = Config(**FLAGS, out_dir=str(tmp_path))
    first = TrainingAttempt.begin(config, folder)
    assert (first.range_test, first.failures) == (None, ())
    model = MultilayerPerceptronRegressor((2,))
    model.build((None, 3))
    certificate = {"epochs": 9, "learned": False}
    record = {"certificate": certificate, "error": 0.5, "learning_rate": 0.5}
    model.range_test = RANGE_TEST
    second = first.retry(model, record)
    model.range_test = second.range_test
    third = second.retry(model)
    folder.is_resumed = True
    resumed = TrainingAttempt.begin(config, folder)
    assert resumed.failures == third.failures and len(third.failures) == 2
    assert resumed.earlier_record == record
    assert resumed.range_test.chosen == third.range_test.chosen == 0.005
    np.testing.assert_array_equal(resumed.range_test.rates, RANGE_TEST.rates)
    model.range_test = resumed.range_test
    assert resumed.retry(model) is resumed  # none is left
    kept, chosen = resumed.choose(model, None)
    assert [each["learning_rate"] for each in chosen["failures"]] == [0.05, 0.005]
    for found, saved in zip(kept.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, saved)


# Holding out validation rows.


def data_of(target, levels=()):
    kind = "categorical" if levels else "numeric"
    task = "classification" if levels else "regression"
    target = np.asarray(target)
    about = Description(
        "made", "made.csv", True, (Column("a"),), Column("y", kind, "", levels), task
    )
    rows = Examples(np.arange(len(target), dtype=np.float32)[:, None], target)
    return Data(rows, rows, about)


def test_validation_rows_are_stratified_by_class():
    target = np.repeat([0, 1], [80, 20])
    data = hold_out(Config(validation_fraction=0.25), data_of(target, ("no", "yes")))
    assert np.bincount(data.validation.target).tolist() == [20, 5]
    assert np.bincount(data.train.target).tolist() == [60, 15]
    numbers = np.concatenate([data.train.features, data.validation.features])
    assert sorted(np.ravel(numbers)) == list(range(100))
    assert list(data.parts) == ["train", "validation", "test"]
    assert len(data.test.target) == 100


def test_seed_determines_the_validation_rows():
    def held_out(seed):
        config = Config(seed=seed, validation_fraction=0.2)
        data = hold_out(config, data_of(np.arange(50.0)))
        return np.ravel(data.validation.features).tolist()

    assert held_out(1) == held_out(1) != held_out(2)
    assert len(held_out(1)) == 10


@pytest.mark.parametrize(
    "data", [data_of([1.0, 2.0, 3.0]), data_of([0, 1, 1, 0, 0], ("no", "yes"))]
)
def test_too_few_rows_to_hold_out_are_refused_naming_the_flag(data):
    with pytest.raises(InputError, match=r"--validation_fraction: 0\.1 of"):
        hold_out(Config(), data)
    assert hold_out(Config(validation_fraction=0.0), data) is data
    assert set(data.parts) == {"train", "test"}


def test_bad_settings_are_refused_in_a_program_too():
    with pytest.raises(
        ArgumentError, match=r"`dropout` should be a number from 0 and below 1"
    ):
        Config(dropout=1.0)

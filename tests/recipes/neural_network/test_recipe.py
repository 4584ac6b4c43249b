"""`train_and_evaluate` called from Python, and the files that it writes."""

import json

import numpy as np
import pytest

from recipes.errors import (
    ArgumentError,
    ConvergenceWarning,
    DivergenceError,
    InputError,
)
from recipes.neural_network import Config, train_and_evaluate
from recipes.neural_network.recipe import NAME
from recipes.neural_network.training.attempt import TrainingAttempt, hold_out
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
        return {**record, "has_learned": outcome != "learned nothing"}

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
    assert run.metrics["parameters"]["earlier_attempts"] == [
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


def test_a_given_rate_is_not_changed(monkeypatch, tmp_path):
    fit = TrainingAttempt.fit
    monkeypatch.setattr(
        TrainingAttempt, "fit", lambda *args: {**fit(*args), "has_learned": False}
    )
    config = Config(**FLAGS, learning_rate=0.1, out_dir=str(tmp_path))
    with pytest.warns(ConvergenceWarning, match="try 'auto'"):
        run = train_and_evaluate(config)
    assert run.metrics["parameters"]["learning_rate"] == 0.1
    assert run.metrics["parameters"]["earlier_attempts"] == []


def test_noise_is_not_learned(tmp_path):
    """No rate helps: a second attempt is made, and the warning names the features."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(300, 3)), random.permutation(np.arange(300.0))
    np.savez(tmp_path / "noise.npz", x=x, y=y)
    flags = {**FLAGS, "dataset": str(tmp_path / "noise.npz"), "task": "regression"}
    with pytest.warns(ConvergenceWarning, match="the validation rows was never below"):
        run = train_and_evaluate(Config(**flags, out_dir=str(tmp_path / "run")))
    (failure,) = run.metrics["parameters"]["earlier_attempts"]
    assert failure["outcome"] == "learned nothing"
    rate = run.metrics["parameters"]["learning_rate"]
    assert rate == pytest.approx(failure["learning_rate"] / 10)


def test_a_resumed_run_continues_its_attempt(tmp_path):
    folder = RunFolder(tmp_path, NAME)
    folder.backup.mkdir(parents=True)
    config = Config(**FLAGS, out_dir=str(tmp_path))
    first = TrainingAttempt.begin(config, folder)
    assert (first.range_test, first.failures) == (None, ())
    second = first.retry(RANGE_TEST, "learned nothing")
    third = second.retry(second.range_test, "diverged")
    folder.is_resumed = True
    resumed = TrainingAttempt.begin(config, folder)
    assert resumed.failures == third.failures and len(third.failures) == 2
    assert resumed.range_test.chosen == third.range_test.chosen == 0.005
    np.testing.assert_array_equal(resumed.range_test.rates, RANGE_TEST.rates)
    assert resumed.retry(resumed.range_test, "diverged") is resumed  # none is left


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

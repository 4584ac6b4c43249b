"""`train_and_evaluate` called from Python, and the files that it writes."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from recipes.errors import ArgumentError, DivergenceError, InputError
from recipes.neural_network import Config, train_and_evaluate
from recipes.neural_network.recipe import NAME
from recipes.neural_network.training.attempt import TrainingAttempt, hold_out
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


def test_a_range_test_rate_that_diverges_is_reduced(monkeypatch, tmp_path, capsys):
    """To a tenth; a resumed run continues with the rate of its attempt."""
    fit, rates = TrainingAttempt.fit, []
    folder = RunFolder(tmp_path, NAME)
    place = folder.backup / "learning_rate.txt"

    def diverging(attempt, model, *args):
        rates.append(attempt.learning_rate)
        if len(rates) == 1:
            model.range_test = SimpleNamespace(chosen=0.5)
            raise DivergenceError("it diverges")
        return fit(attempt, model, *args)

    flags = {"dataset": "iris", "hidden_sizes": (4,), "epochs": 1, "export": False}
    config = Config(report=False, out_dir=str(tmp_path), **flags)
    monkeypatch.setattr(TrainingAttempt, "fit", diverging)
    run = train_and_evaluate(config)
    assert rates == ["auto", 0.05]
    assert run.metrics["parameters"]["learning_rate"] == 0.05
    assert "training diverged; it restarts at the rate 0.05" in capsys.readouterr().out
    assert not place.exists()

    place.parent.mkdir(parents=True)
    place.write_text(repr(rates[1]))
    attempt = TrainingAttempt(config, folder, "auto", is_first=True)
    assert attempt.learning_rate == "auto"
    folder.is_resumed = True
    attempt = TrainingAttempt(config, folder, "auto", is_first=True)
    assert attempt.learning_rate == rates[1]
    attempt = TrainingAttempt(config, folder, "auto", is_first=False)
    assert attempt.learning_rate == "auto"


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

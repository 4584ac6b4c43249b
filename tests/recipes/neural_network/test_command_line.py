"""`python -m recipes.neural_network` as a user runs it."""

from pathlib import Path

import pytest

from tests.commands import run_fresh
from tests.runs import (
    check_files,
    check_plain_lines,
    interrupted_when,
    metrics_of,
    names_in,
    numbers_of,
    refusal,
    refusal_of_flags,
    summary_of,
)

RUN = Path("runs/neural_network/digits")
QUICK = ("--noreport", "--noexport", "--epochs=2", "--hidden_sizes=16")


@pytest.fixture(scope="module")
def default(tmp_path_factory):
    """The default run in a new process: its folder and its result."""
    folder = tmp_path_factory.mktemp("default")
    return folder, run_fresh(folder, "-m", "recipes.neural_network")


@pytest.fixture(scope="module")
def first_metrics(default):
    return metrics_of(default[0] / RUN)


def test_default_run_writes_exactly_the_documented_files(default):
    folder, ended = default
    assert (ended.code, ended.err) == (0, "")
    check_files(folder, RUN)
    report = (default[0] / RUN / "report.html").read_text(encoding="utf-8")
    assert "data:image/png;base64," in report


def test_default_run_recognises_digits(first_metrics):
    assert first_metrics["test"]["accuracy"] >= 0.975
    assert first_metrics["test"]["auc"] > 0.99


def test_output_outside_a_terminal_is_plain_lines(default):
    check_plain_lines(default[1])
    assert "Epoch 1/" in default[1].out


def test_summary(default, first_metrics):
    """Scores, the certificate in one line, and where the files are."""
    folder, ended = default
    lines = summary_of(folder, ended, first_metrics)
    assert "gradient_check_max_relative_error=" in lines["certificate"]


def test_metrics(first_metrics):
    """The schema of metrics.json."""
    assert first_metrics["recipe"] == "neural_network"
    assert first_metrics["dataset"] == {
        "name": "digits",
        "train_rows": 1294,
        "test_rows": 359,
        "features": 64,
        "target": "digit",
        "classes": [str(digit) for digit in range(10)],
    }
    scores = ["accuracy", "balanced_accuracy", "log_loss", "auc"]
    for part in ("train", "validation", "test", "baseline"):
        assert list(first_metrics[part]) == scores
    certificate = first_metrics["certificate"]
    assert certificate["gradient_check_max_relative_error"] < 1e-5
    assert certificate["final_train_loss"] == pytest.approx(
        first_metrics["train"]["log_loss"], rel=1e-4
    )
    assert 1 <= certificate["best_epoch"] <= certificate["epochs"] <= 100
    assert (
        first_metrics["parameters"]["weights"]
        == 64 * 256 + 256 + 256 * 128 + 128 + 128 * 10 + 10
    )
    stages = {"load", "fit", "evaluate", "report", "export"}
    assert set(first_metrics["seconds"]) == stages


def test_flagfile_repeats_the_run_to_the_bit(neural_network, tmp_path):
    """Another seed gives other numbers."""
    flags = (*QUICK, "--hidden_sizes=16,8", "--noise=0.1")
    found = []
    for arguments in (flags, ("--flagfile=here/flags.txt",), (*flags, "--seed=1")):
        ended = neural_network(tmp_path, *arguments, "--out_dir=here")
        assert (ended.code, ended.err) == (0, "")
        found.append(numbers_of(metrics_of(tmp_path / "here")))
    first, again, other = found
    assert "--hidden_sizes=16,8\n" in (tmp_path / "here/flags.txt").read_text()
    assert first == again
    for part, numbers in first.items():
        assert part in ("parameters", "baseline") or other[part] != numbers, part
    assert names_in(tmp_path / "here") == {
        "metrics.json",
        "flags.txt",
        "run.json",
        "logs",
    }


@pytest.mark.parametrize(
    "flags",
    [
        (
            "--optimizer=adam",
            "--learning_rate=0.01",
            "--weight_decay=0.01",
            "--shift=1",
        ),
        ("--label_smoothing=0", "--class_weight=balanced", "--nesterov", "--l1=1e-5"),
        ("--hidden_sizes=", "--validation_fraction=0"),
    ],
)
def test_own_flags(flags, neural_network, tmp_path):
    ended = neural_network(tmp_path, *QUICK, *flags, "--out_dir=.")
    assert (ended.code, ended.err) == (0, "")
    found = metrics_of(tmp_path)
    assert found["test"]["accuracy"] > 0.3
    assert found["certificate"]["epochs"] == 2
    assert ("validation" in found) == ("--validation_fraction=0" not in flags)
    if "--hidden_sizes=" in flags:
        assert found["parameters"]["weights"] == 650
    if "--nesterov" in flags:
        assert 1e-5 <= found["parameters"]["learning_rate"] <= 1


def test_early_stopping_keeps_the_best(neural_network, tmp_path):
    """At a rate so high that the loss fluctuates."""
    ended = neural_network(
        tmp_path,
        "--dataset=wine",
        "--learning_rate=0.1",
        "--patience=2",
        "--epochs=60",
        "--noexport",
        "--noreport",
        "--out_dir=.",
    )
    assert (ended.code, ended.err) == (0, "")
    found = metrics_of(tmp_path)["certificate"]
    assert found["stop_reason"] == "early_stopping"
    assert found["epochs"] == found["best_epoch"] + 2


def test_regression(neural_network, tmp_path):
    ended = neural_network(
        tmp_path, "--dataset=diabetes", "--epochs=10", "--noexport", "--out_dir=."
    )
    assert (ended.code, ended.err) == (0, "")
    found = metrics_of(tmp_path)
    assert list(found["test"]) == ["mse", "rmse", "mae", "r2"]
    assert found["test"]["rmse"] < found["baseline"]["rmse"]
    shown = (tmp_path / "report.html").read_text()
    assert "Residuals" in shown and "Learning curves" in shown


# Bad input.


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--hidden_sizes=8,0", "--hidden_sizes=8,0: should be whole numbers from 1"),
        (
            "--hidden_sizes=8;4",
            "should be whole numbers from 1, with commas between them",
        ),
        (
            "--learning_rate=0",
            "--learning_rate=0.0: should be a number above 0 or auto",
        ),
        ("--learning_rate=atuo", "did you mean auto?"),
        ("--momentum=1", "--momentum=1.0: should be a number from 0 and below 1"),
        ("--dropout=nan", "--dropout=nan: should be a number from 0 and below 1"),
        ("--l2=-1", "--l2=-1.0: should be a number from 0"),
        ("--epochs=0", "--epochs=0: should be a whole number from 1"),
        ("--batch_size=0", "--batch_size=0: should be a whole number from 1"),
        ("--validation_fraction=1", "should be a number from 0 and below 1"),
        ("--patience=-1", "--patience=-1: should be a whole number from 0"),
        ("--activation=rleu", "did you mean relu?"),
        ("--schedule=cosin", "did you mean cosine?"),
        ("--optimizer=addam", "--optimizer=addam: no such Keras optimiser"),
        ("--architecture=mlp", "perceptron or cnn"),
    ],
)
def test_bad_flag_is_one_line(flag, words, neural_network, tmp_path):
    ended = neural_network(tmp_path, flag)
    assert words in refusal_of_flags(ended, tmp_path)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--dataset=iris", "--architecture=cnn"), "--architecture=cnn: needs images"),
        (
            ("--nesterov", "--momentum=0"),
            "--nesterov=true: should be used with a momentum",
        ),
        (("--dataset=iris", "--shift=1"), "--shift: needs images, and iris has none"),
        (
            ("--dataset=diabetes", "--class_weight=balanced"),
            "--class_weight: needs classes",
        ),
    ],
)
def test_incompatible_flags_are_refused(flags, words, neural_network, tmp_path):
    ended = neural_network(tmp_path, *flags)
    assert words in refusal_of_flags(ended, tmp_path)


def test_divergence_is_one_line_and_leaves_nothing(neural_network, tmp_path):
    ended = neural_network(
        tmp_path, "--dataset=diabetes", "--learning_rate=1e6", "--out_dir=here"
    )
    line = refusal(ended)
    assert line.startswith("error: --learning_rate=1000000.0: ")
    assert "epoch 1" in line
    assert not (tmp_path / "here").exists()


def test_interrupt(neural_network, tmp_path):
    backups = tmp_path / RUN / ".unfinished/backup"
    flags = ("--epochs=100000", "--patience=0")
    line = interrupted_when(
        lambda: list(backups.glob("[0-9]*.npz")), neural_network, tmp_path, *flags
    )
    assert f"the backup in {RUN} is kept" in line
    assert names_in(tmp_path / RUN) == {".unfinished"}

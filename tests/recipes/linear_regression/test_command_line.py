"""`python -m recipes.linear_regression` as a user runs it."""

import math
import re
from pathlib import Path

import pytest

from tests.commands import run_fresh
from tests.recipes.linear_regression.fitting import odd_table
from tests.runs import (
    FILES,
    check_files,
    check_plain_lines,
    interrupted_when,
    metrics_of,
    names_in,
    numbers_of,
    summary_of,
)

RUN = Path("runs/linear_regression/diabetes")
QUICK = ("--noreport", "--noexport")


@pytest.fixture(scope="module")
def default(tmp_path_factory):
    """The default run in a new process: its folder and its result."""
    folder = tmp_path_factory.mktemp("default")
    return folder, run_fresh(folder, "-m", "recipes.linear_regression")


@pytest.fixture(scope="module")
def first_metrics(default):
    return metrics_of(default[0] / RUN)


@pytest.fixture(scope="module")
def again(default, first_metrics, linear_regression):
    """The same run, repeated from its flags.txt."""
    folder, _ = default
    ended = linear_regression(folder, f"--flagfile={RUN / 'flags.txt'}")
    assert ended.code == 0, ended.err
    return metrics_of(folder / RUN)


def test_default_run_writes_exactly_the_documented_files(default):
    folder, ended = default
    assert (ended.code, ended.err) == (0, "")
    check_files(folder, RUN)


def test_output_outside_a_terminal_is_plain_lines(default):
    out = default[1].out
    check_plain_lines(default[1])
    assert "Epoch 1/" in out


def test_summary(default, first_metrics):
    """Scores, the certificate in one line, and where the files are."""
    folder, ended = default
    lines = summary_of(folder, ended, first_metrics)
    assert "converged=True stop_reason=tolerance" in lines["certificate"]
    for name in ("relative_excess_loss", "condition_number"):
        value = first_metrics["certificate"][name]
        assert f"{name}={value:.6g}" in lines["certificate"]


def test_metrics(first_metrics):
    """The schema of metrics.json."""
    assert {
        key: type(value).__name__ for key, value in first_metrics.items()
    }.items() >= {
        "recipe": "str",
        "dataset": "dict",
        "train": "dict",
        "test": "dict",
        "baseline": "dict",
        "certificate": "dict",
        "coefficients": "dict",
        "seconds": "dict",
        "peak_memory_bytes": "int",
        "versions": "dict",
    }.items()
    assert first_metrics["recipe"] == "linear_regression"
    assert first_metrics["dataset"] == {
        "name": "diabetes",
        "train_rows": 354,
        "test_rows": 88,
        "features": 10,
        "target": "progression",
        "classes": [],
    }
    for part in ("train", "test", "baseline"):
        assert list(first_metrics[part]) == ["mse", "rmse", "mae", "r2"]
        assert all(type(value) is float for value in first_metrics[part].values())
    assert set(first_metrics["seconds"]) == {
        "load",
        "fit",
        "evaluate",
        "report",
        "export",
    }
    assert all(seconds >= 0 for seconds in first_metrics["seconds"].values())
    assert 50e6 < first_metrics["peak_memory_bytes"] < 50e9
    assert set(first_metrics["versions"]) == {
        "python",
        "tensorflow",
        "keras",
        "recipes",
    }


def test_metrics_certificate(first_metrics):
    certificate = first_metrics["certificate"]
    assert {key: type(value) for key, value in certificate.items()} == {
        "converged": bool,
        "stop_reason": str,
        "loss": float,
        "optimal_loss": float,
        "relative_excess_loss": float,
        "gradient_norm": float,
        "condition_number": float,
        "rank": int,
        "iterations": int,
    }
    assert certificate["converged"] is True
    assert certificate["loss"] == pytest.approx(first_metrics["train"]["mse"], 1e-9)
    excess = certificate["loss"] / certificate["optimal_loss"] - 1
    assert excess == pytest.approx(certificate["relative_excess_loss"], abs=1e-14)
    assert certificate["rank"] == 10


def test_metrics_coefficients(first_metrics):
    coefficients = first_metrics["coefficients"]
    assert coefficients["intercept"]["name"] == "intercept"
    assert [each["name"] for each in coefficients["slopes"]] == (
        ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
    )
    for each in (coefficients["intercept"], *coefficients["slopes"]):
        assert each["lower"] < each["estimate"] < each["upper"]
        assert each["standard_error"] > 0


def test_flagfile_repeats_the_run_to_the_bit(first_metrics, again):
    """Also: the same seed gives the same numbers in another process."""
    assert numbers_of(again) == numbers_of(first_metrics)


def test_second_run_exports_the_next_version(default, again):
    folder = default[0] / RUN
    assert names_in(folder / "export") == {"1", "2"}
    assert names_in(folder) == FILES


def test_another_seed_gives_other_numbers(first_metrics, linear_regression, tmp_path):
    ended = linear_regression(tmp_path, "--seed=1", *QUICK)
    assert ended.code == 0, ended.err
    other = metrics_of(tmp_path / RUN)
    for part, names in numbers_of(first_metrics).items():
        assert other[part] != names, part


def test_without_report_and_export(linear_regression, tmp_path):
    ended = linear_regression(tmp_path, *QUICK, "--out_dir=here")
    assert (ended.code, ended.err) == (0, "")
    assert names_in(tmp_path / "here") == {
        "metrics.json",
        "flags.txt",
        "run.json",
        "logs",
    }
    assert names_in(tmp_path) == {"here"}
    assert "report" not in ended.out
    assert "SavedModel" not in ended.out
    assert set(metrics_of(tmp_path / "here")["seconds"]) == {"load", "fit", "evaluate"}


@pytest.mark.parametrize(
    "flags",
    [
        ("--method=full", "--tolerance=0.01", "--batch_size=50"),
        ("--momentum=none", "--batch_size=7"),
        ("--l1=5", "--l2=0.1"),
    ],
)
def test_own_flags(flags, first_metrics, linear_regression, tmp_path):
    ended = linear_regression(tmp_path, *flags, *QUICK, "--out_dir=.")
    assert (ended.code, ended.err) == (0, "")
    found = metrics_of(tmp_path)
    assert found["certificate"]["converged"] is True
    exact, theirs = first_metrics["certificate"], found["certificate"]
    if "--l1=5" in flags:
        assert theirs["optimal_loss"] > exact["optimal_loss"] * 1.01
        estimates = [each["estimate"] for each in found["coefficients"]["slopes"]]
        assert 0 < estimates.count(0.0) < 10
    else:
        assert theirs["optimal_loss"] == pytest.approx(exact["optimal_loss"], 1e-9)
        tolerance = 0.01 if "--method=full" in flags else 1e-14
        assert theirs["relative_excess_loss"] <= tolerance
    assert theirs["iterations"] != exact["iterations"]


def test_table_from_a_file(linear_regression, tmp_path):
    odd_table(tmp_path / "homes.csv", 300, seed=1)
    odd_table(tmp_path / "more.csv", 50, seed=2)
    ended = linear_regression(
        tmp_path, "--dataset=homes.csv", "--test_dataset=more.csv", "--target=rent"
    )
    assert (ended.code, ended.err) == (0, "")
    folder = tmp_path / "runs/linear_regression/homes"
    assert names_in(folder) == FILES | {"columns.json"}
    found = metrics_of(folder)
    assert found["dataset"]["train_rows"] == 300
    assert found["dataset"]["test_rows"] == 50
    assert found["test"]["r2"] > 0.5
    names = [each["name"] for each in found["coefficients"]["slopes"]]
    assert {"size, m²", "price/€"} < set(names)
    assert sum(name.startswith("class=") for name in names) == 2
    assert "for" not in names  # constant columns are dropped
    assert re.search(r"\d+ blanks.*'size, m²'", ended.out)
    assert re.search(r"dropped.*'for'", ended.out)


def test_run_that_does_not_converge_reports_it(linear_regression, tmp_path):
    ended = linear_regression(tmp_path, "--max_iterations=3", "--noexport")
    assert ended.code == 0
    assert "did not converge" in ended.err
    assert "max_iterations" in ended.err
    assert "Traceback" not in ended.err
    assert "converged=False" in ended.out
    certificate = metrics_of(tmp_path / RUN)["certificate"]
    assert certificate["converged"] is False
    assert certificate["stop_reason"] == "max_iterations"
    assert certificate["iterations"] == 3
    assert certificate["relative_excess_loss"] > 0.1
    assert "has not converged" in (tmp_path / RUN / "report.html").read_text()


ENDLESS = (
    "--method=full",
    "--momentum=none",
    "--max_iterations=1000000",
    "--tolerance=0",
)


def test_interrupt(linear_regression, tmp_path):
    backups = tmp_path / RUN / ".unfinished/backup"
    line = interrupted_when(
        lambda: list(backups.glob("[0-9]*.npz")), linear_regression, tmp_path, *ENDLESS
    )
    assert f"the backup in {RUN} is kept" in line
    assert names_in(tmp_path / RUN) == {".unfinished"}
    assert not list(backups.glob(".*"))


def test_interrupt_before_the_first_step(linear_regression, tmp_path):
    # When the logs exist, the first step is being compiled.
    logs = tmp_path / RUN / ".unfinished/files/logs"
    line = interrupted_when(logs.exists, linear_regression, tmp_path, *ENDLESS)
    assert line == "interrupted: nothing of this run is kept"
    assert not list(tmp_path.iterdir())


def test_unknown_metrics_are_null(linear_regression, tmp_path):
    """Unknown values are null, not NaN."""
    rows = "".join(f"{i},{i * 2 % 7},{i * i}\n" for i in range(5))
    (tmp_path / "five.csv").write_text("a,b,y\n" + rows)
    ended = linear_regression(
        tmp_path, "--dataset=five.csv", "--test_fraction=0.4", "--out_dir=."
    )
    assert (ended.code, ended.err) == (0, "")
    found = metrics_of(tmp_path)
    slope = found["coefficients"]["slopes"][0]
    assert slope["standard_error"] is None
    assert math.isfinite(slope["estimate"])

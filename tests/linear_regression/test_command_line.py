"""`python -m recipes.linear_regression`, as a user runs it."""

import json
import math
import os
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from tests.commands import run_fresh

RUN = Path("runs/linear_regression/diabetes")
QUICK = ("--noreport", "--noexport")
FILES = {
    "metrics.json",
    "report.html",
    "model.keras",
    "flags.txt",
    "logs",
    "export",
}


def metrics_of(folder):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads((folder / "metrics.json").read_text(), parse_constant=refuse)


def numbers_of(metrics):
    """All that the same seed has to repeat to the bit."""
    names = ("train", "test", "baseline", "certificate", "coefficients")
    return {name: metrics[name] for name in names}


@pytest.fixture(scope="module")
def default(tmp_path_factory):
    """The default run, in a process of its own: its folder and its ending."""
    folder = tmp_path_factory.mktemp("default")
    return folder, run_fresh(folder, "-m", "recipes.linear_regression")


@pytest.fixture(scope="module")
def first_metrics(default):
    return metrics_of(default[0] / RUN)


@pytest.fixture(scope="module")
def again(default, first_metrics, linear_regression):
    """The same run once more, by its flags.txt, after the first one was looked at."""
    folder, _ = default
    ended = linear_regression(folder, f"--flagfile={RUN / 'flags.txt'}")
    assert ended.code == 0, ended.err
    return metrics_of(folder / RUN)


def test_default_run_leaves_just_the_files_of_a_run(default):
    folder, ended = default
    assert ended.code == 0, ended.err
    assert {path.name for path in folder.iterdir()} == {"runs"}
    assert {path.name for path in (folder / RUN).iterdir()} == FILES
    assert {path.name for path in (folder / RUN / "export").iterdir()} == {"1"}
    assert (folder / RUN / "export/1/saved_model.pb").is_file()
    assert list((folder / RUN / "logs").rglob("events.out.tfevents.*"))
    report = (folder / RUN / "report.html").read_text(encoding="utf-8")
    assert report.rstrip().endswith("</html>")


def test_success_is_silent_on_standard_error(default):
    assert default[1].err == ""


def test_output_that_is_no_terminal_is_plain_lines(default):
    out = default[1].out
    assert not re.search(r"[\r\b\x1b]", out)
    assert "Epoch 1/" in out


def test_summary(default, first_metrics):
    """Scores, the certificate in one line, and where the files are."""
    folder, ended = default
    lines = dict(line.split(": ", 1) for line in ended.out.splitlines() if ": " in line)
    for name, value in first_metrics["test"].items():
        assert f"{name}={value:.6g}" in lines["test"]
    assert "converged=True stop_reason=tolerance" in lines["certificate"]
    for name in ("relative_excess_loss", "condition_number"):
        value = first_metrics["certificate"][name]
        assert f"{name}={value:.6g}" in lines["certificate"]
    assert (folder / lines["report"]).is_file()
    assert (folder / lines["SavedModel"] / "saved_model.pb").is_file()


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
    assert {path.name for path in (folder / "export").iterdir()} == {"1", "2"}
    assert {path.name for path in folder.iterdir()} == FILES


def test_another_seed_gives_other_numbers(first_metrics, linear_regression, tmp_path):
    ended = linear_regression(tmp_path, "--seed=1", *QUICK)
    assert ended.code == 0, ended.err
    other = metrics_of(tmp_path / RUN)
    for part, names in numbers_of(first_metrics).items():
        assert other[part] != names, part


def test_without_report_and_export(linear_regression, tmp_path):
    ended = linear_regression(tmp_path, *QUICK, "--out_dir=here")
    assert (ended.code, ended.err) == (0, "")
    assert {path.name for path in (tmp_path / "here").iterdir()} == {
        "metrics.json",
        "flags.txt",
        "logs",
    }
    assert {path.name for path in tmp_path.iterdir()} == {"here"}
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


def odd_table(path, rows, *, seed):
    """A table with categories, blanks and column names that only a file may have."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(["a b", "ü", "1,5"], rows)
    size, price = rng.normal(50, 9, rows), rng.normal(0, 1e-4, rows)
    blank = rng.random(rows) < 0.1
    y = 3 * size + 2e4 * price + 7 * (kind == "ü") + rng.normal(0, 1, rows)
    lines = ['class,"size, m²",for,price/€,rent']
    for k, s, b, p, t in zip(kind, size, blank, price, y, strict=True):
        lines.append(f'"{k}",{"" if b else repr(float(s))},5,{p!r},{t!r}')
    text = re.sub(r"np\.float64\(([^)]*)\)", r"\1", "\n".join(lines))
    path.write_text(text + "\n", encoding="utf-8")


def test_table_of_one_s_own(linear_regression, tmp_path):
    odd_table(tmp_path / "homes.csv", 300, seed=1)
    odd_table(tmp_path / "more.csv", 50, seed=2)
    ended = linear_regression(
        tmp_path, "--dataset=homes.csv", "--test_dataset=more.csv", "--target=rent"
    )
    assert (ended.code, ended.err) == (0, "")
    folder = tmp_path / "runs/linear_regression/homes"
    assert {path.name for path in folder.iterdir()} == FILES
    found = metrics_of(folder)
    assert found["dataset"]["train_rows"] == 300
    assert found["dataset"]["test_rows"] == 50
    assert found["test"]["r2"] > 0.5
    names = [each["name"] for each in found["coefficients"]["slopes"]]
    assert {"size, m²", "price/€"} < set(names)
    assert sum(name.startswith("class=") for name in names) == 2
    assert "for" not in names  # it is the same in every row
    assert re.search(r"\d+ blanks.*'size, m²'", ended.out)
    assert re.search(r"dropped.*'for'", ended.out)


def test_run_that_does_not_converge_says_so(linear_regression, tmp_path):
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


def is_running(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition, process):
    """Waits until it holds, as long as the process runs, and a minute at most."""
    for _ in range(6000):
        if condition():
            return
        assert is_running(process), "it has ended"
        time.sleep(0.01)
    raise AssertionError("it never came")


ENDLESS = (
    "--method=full",
    "--momentum=none",
    "--max_iterations=1000000",
    "--tolerance=0",
)


def press_ctrl_c(process):
    """Until it ends: an interrupt that comes in the middle of C code can be lost."""
    for _ in range(10):
        os.kill(process, signal.SIGINT)
        for _ in range(500):
            time.sleep(0.01)
            if not is_running(process):
                return
    raise AssertionError("it goes on")


def test_interrupt(linear_regression, tmp_path):
    backups = tmp_path / RUN / "backup"

    def interrupt(process):
        wait_for(lambda: list(backups.glob("[0-9]*.npz")), process)
        press_ctrl_c(process)

    ended = linear_regression(tmp_path, *ENDLESS, meanwhile=interrupt)
    assert ended.code == 130
    (line,) = ended.err.strip().splitlines()
    assert line.startswith("interrupted: ")
    assert f"the backup in {RUN} is kept" in line
    assert {path.name for path in (tmp_path / RUN).iterdir()} == {"logs", "backup"}
    assert not list(backups.glob(".*"))


def test_interrupt_before_there_is_anything_to_keep(linear_regression, tmp_path):
    def interrupt(process):
        # From then on the first step is compiled.
        wait_for((tmp_path / RUN / "logs").exists, process)
        press_ctrl_c(process)

    ended = linear_regression(tmp_path, *ENDLESS, meanwhile=interrupt)
    assert ended.code == 130
    (line,) = ended.err.strip().splitlines()
    assert "nothing is kept" in line
    assert not (tmp_path / RUN).exists()


def test_no_metric_is_lost_to_json(linear_regression, tmp_path):
    """What is not known is null, not NaN."""
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

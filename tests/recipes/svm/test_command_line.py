"""`python -m recipes.svm` as a user runs it."""

import json
from pathlib import Path

import numpy as np
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

RUN = Path("runs/svm/breast_cancer")
QUICK = ("--noreport", "--noexport", "--noprobability")


@pytest.fixture(scope="module")
def default(tmp_path_factory):
    """The default run in a new process: its folder and its result."""
    folder = tmp_path_factory.mktemp("default")
    return folder, run_fresh(folder, "-m", "recipes.svm")


@pytest.fixture(scope="module")
def first_metrics(default):
    return metrics_of(default[0] / RUN)


def test_default_run_writes_exactly_the_documented_files(default):
    folder, ended = default
    assert (ended.code, ended.err) == (0, "")
    check_files(folder, RUN)


def test_output_is_plain_lines_with_a_summary(default, first_metrics):
    folder, ended = default
    check_plain_lines(ended)
    assert "max_kkt_violation" in ended.out.splitlines()[0]
    lines = summary_of(folder, ended, first_metrics)
    assert "converged=True stop_reason=tolerance" in lines["certificate"]


def test_metrics(first_metrics):
    """The schema of metrics.json."""
    assert first_metrics["recipe"] == "svm"
    assert first_metrics["dataset"] == {
        "name": "breast_cancer",
        "train_rows": 455,
        "test_rows": 114,
        "features": 30,
        "target": "diagnosis",
        "classes": ["benign", "malignant"],
    }
    for part in ("train", "test", "baseline"):
        assert list(first_metrics[part]) == [
            "accuracy",
            "balanced_accuracy",
            "log_loss",
            "auc",
        ]
        assert all(type(value) is float for value in first_metrics[part].values())
    assert first_metrics["test"]["accuracy"] > 0.95
    assert first_metrics["test"]["auc"] > 0.98
    assert first_metrics["baseline"]["auc"] == 0.5
    assert first_metrics["parameters"] == {
        "kernel": "rbf",
        "C": 1.0,
        "gamma": pytest.approx(1 / 30, rel=1e-5),
        "class_weight": "none",
        "tolerance": 1e-3,
    }
    seconds = first_metrics["seconds"]
    assert list(seconds) == ["load", "fit", "evaluate", "export", "report"]


def test_metrics_certificate(first_metrics):
    certificate = first_metrics["certificate"]
    assert certificate["converged"] is True
    assert certificate["stop_reason"] == "tolerance"
    assert 0 <= certificate["max_kkt_violation"] <= 1e-3
    gap = certificate["primal_objective"] - certificate["dual_objective"]
    assert certificate["duality_gap"] == pytest.approx(gap, rel=1e-6, abs=1e-9)
    assert certificate["relative_duality_gap"] == pytest.approx(
        gap / certificate["primal_objective"], rel=1e-4
    )
    vectors = certificate["support_vectors"]
    assert 0 < certificate["bounded_support_vectors"] < vectors < 455


def test_flagfile_repeats_the_run_to_the_bit(default, first_metrics, svm):
    """In another process, which exports the next version."""
    folder, _ = default
    ended = svm(folder, f"--flagfile={RUN / 'flags.txt'}", "--noreport")
    assert (ended.code, ended.err) == (0, "")
    assert numbers_of(metrics_of(folder / RUN)) == numbers_of(first_metrics)
    assert names_in(folder / RUN / "export") == {"1", "2"}


def test_model_is_the_same_without_probabilities(first_metrics, svm, tmp_path):
    ended = svm(tmp_path, *QUICK, "--out_dir=here")
    assert (ended.code, ended.err) == (0, "")
    kept = names_in(tmp_path / "here")
    assert kept == {"metrics.json", "flags.txt", "run.json", "logs"}
    found = metrics_of(tmp_path / "here")
    assert found["certificate"] == first_metrics["certificate"]
    assert found["test"]["accuracy"] == first_metrics["test"]["accuracy"]
    assert found["test"]["log_loss"] is None
    assert found["test"]["auc"] > 0.98
    assert "log_loss" not in ended.out


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (("--kernel=linear", "--C=0.1"), {"kernel": "linear", "C": 0.1}),
        (
            ("--kernel=polynomial", "--degree=2", "--coef0=1", "--gamma=auto"),
            {"kernel": "polynomial", "degree": 2, "coef0": 1.0, "gamma": 1 / 30},
        ),
        (("--kernel=laplacian", "--gamma=0.01"), {"gamma": 0.01}),
        (
            ("--class_weight=balanced", "--precision=float64", "--tolerance=1e-6"),
            {"class_weight": "balanced", "tolerance": 1e-6},
        ),
    ],
)
def test_own_flags(flags, expected, first_metrics, svm, tmp_path):
    ended = svm(tmp_path, *flags, *QUICK, "--out_dir=.")
    assert (ended.code, ended.err) == (0, "")
    found = metrics_of(tmp_path)
    assert found["parameters"].items() >= expected.items()
    assert found["certificate"]["converged"] is True
    theirs = first_metrics["certificate"]["dual_objective"]
    assert found["certificate"]["dual_objective"] != pytest.approx(theirs, rel=1e-3)
    assert found["certificate"]["max_kkt_violation"] <= found["parameters"]["tolerance"]


def test_several_classes(svm, tmp_path):
    found = {}
    for multiclass, problems in (("one_vs_one", 3), ("one_vs_rest", 3)):
        ended = svm(
            tmp_path,
            "--dataset=wine",
            f"--multiclass={multiclass}",
            *QUICK,
            f"--out_dir={multiclass}",
        )
        assert (ended.code, ended.err) == (0, "")
        found[multiclass] = metrics_of(tmp_path / multiclass)
        assert found[multiclass]["certificate"]["problems"] == problems
        assert found[multiclass]["test"]["accuracy"] > 0.9
    objectives = [each["certificate"]["dual_objective"] for each in found.values()]
    assert objectives[0] != pytest.approx(objectives[1], rel=1e-3)


def test_regression_settings_are_in_standard_deviations_of_the_target(svm, tmp_path):
    """A target in another unit gives the same model in that unit."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-3, 3, 150)
    y = np.sin(x) + rng.normal(0, 0.1, 150)
    found = []
    for name, unit, flags in (("small", 1.0, ()), ("large", 1024.0, QUICK)):
        lines = (f"{a!r},{b!r}" for a, b in zip(x.tolist(), (y * unit).tolist()))  # noqa: B905
        (tmp_path / f"{name}.csv").write_text("x,y\n" + "\n".join(lines) + "\n")
        ended = svm(tmp_path, f"--dataset={name}.csv", "--noexport", "--C=10", *flags)
        assert (ended.code, ended.err) == (0, "")
        assert "in units of the target's standard deviation" in ended.out
        found.append(metrics_of(tmp_path / "runs/svm" / name))
        for part in ("C", "epsilon", "tolerance"):
            found[-1]["parameters"][part] /= unit
    small, large = found
    assert small["test"]["r2"] > 0.9
    assert large["test"]["rmse"] == pytest.approx(small["test"]["rmse"] * 1024, 1e-5)
    assert large["parameters"].pop("kernel") == small["parameters"].pop("kernel")
    assert large["parameters"] == pytest.approx(small["parameters"], rel=1e-6)
    assert small["parameters"]["epsilon"] == pytest.approx(0.07, abs=0.01)
    assert small["dataset"]["classes"] == []
    shown = (tmp_path / "runs/svm/small/report.html").read_text()
    assert "The tube" in shown and "the only column" in shown


def test_run_that_does_not_converge_reports_it(svm, tmp_path):
    ended = svm(tmp_path, "--max_iterations=1", "--tolerance=1e-300", "--noexport")
    assert ended.code == 0
    (line,) = ended.err.splitlines()
    assert line.startswith("warning: SMO did not converge: it reached max_iterations")
    assert "converged=False stop_reason=max_iterations" in ended.out
    certificate = metrics_of(tmp_path / RUN)["certificate"]
    assert certificate["converged"] is False
    assert "has not converged" in (tmp_path / RUN / "report.html").read_text()


def test_numeric_target_that_may_be_a_class_is_reported(svm, tmp_path):
    rows = "".join(f"{i * 7 % 11},{i % 21}\n" for i in range(210))
    (tmp_path / "many.csv").write_text("a,kind\n" + rows)
    flags = ("--dataset=many.csv", *QUICK, "--out_dir=.")
    ended = svm(tmp_path, *flags)
    assert (ended.code, ended.err) == (0, "")
    assert "21 different values of 'kind' are taken as numbers" in ended.out
    assert "mse" in metrics_of(tmp_path)["test"]
    ended = svm(tmp_path, *flags, "--task=regression")
    assert "taken as numbers" not in ended.out


# Bad input.


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--C=0", "--C=0.0: should be a number above 0"),
        ("--C=nan", "--C=nan: should be a number above 0"),
        ("--gamma=-1", "--gamma=-1.0: should be a number above 0, scale or auto"),
        ("--gamma=skale", "did you mean scale?"),
        ("--kernel=rbg", "did you mean rbf?"),
        ("--epsilon=-0.1", "--epsilon=-0.1: should be a number from 0"),
        ("--tolerance=0", "--tolerance=0.0: should be a number above 0"),
        ("--degree=0", "--degree=0: should be a whole number from 1"),
        ("--max_iterations=0", "--max_iterations=0: should be a whole number from 1"),
        ("--cache_mb=0", "--cache_mb=0.0: should be a number above 0"),
        ("--class_weight=even", "none or balanced"),
        ("--multiclass=one_vs_all", "one_vs_one or one_vs_rest"),
    ],
)
def test_bad_flag_is_one_line(flag, words, svm, tmp_path):
    ended = svm(tmp_path, flag)
    assert words in refusal_of_flags(ended, tmp_path)


def test_too_small_a_cache_is_refused_and_leaves_nothing(svm, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3000, 2)).astype("float32")
    np.savez(tmp_path / "big.npz", x=x, y=(x[:, 0] > 0).astype(int))
    ended = svm(tmp_path, "--dataset=big.npz", *QUICK, "--cache_mb=0.01")
    line = refusal(ended)
    assert line.startswith("error: --cache_mb=0.01: ")
    assert "at least" in line
    assert not (tmp_path / "runs/svm/big").exists()


def test_a_class_with_a_single_row_costs_only_the_probabilities(svm, tmp_path):
    rows = "".join(f"{i},{i * i % 7},{'ab'[i % 2]}\n" for i in range(40))
    (tmp_path / "lone.csv").write_text("x,z,kind\n" + rows + "3,5,c\n")
    ended = svm(tmp_path, "--dataset=lone.csv", "--out_dir=here", "--noreport")
    assert ended.code == 0, ended.err
    assert "no probabilities: the class 'c' has a single training row" in ended.out
    assert "class 'c' has 1 row: it is in training only" in ended.out
    metrics = json.loads((tmp_path / "here/metrics.json").read_text())
    assert metrics["test"]["log_loss"] is None


def test_interrupt_leaves_nothing(svm, tmp_path):
    logs = tmp_path / "here/.unfinished/files/logs"
    flags = *ENDLESS, "--out_dir=here"
    line = interrupted_when(logs.exists, svm, tmp_path, *flags)
    assert line == "interrupted: nothing of this run is kept"
    assert not (tmp_path / "here").exists()


ENDLESS = (
    "--dataset=digits",
    "--kernel=linear",
    "--C=1e6",
    "--tolerance=1e-13",
    "--max_iterations=1000000",
    "--noreport",
)

"""Runs that are killed (kill -9) at random moments, and go on to the same numbers."""

import os
import random
import signal
import time

import numpy as np
import pytest

from tests.runs import FILES, is_running, metrics_of, names_in, numbers_of

KILLS = {"linear_regression": 7, "svm": 7, "neural_network": 6}
# Training takes about a third of the run.
FLAGS = {
    "linear_regression": ("--method=full", "--tolerance=1e-6", "--noreport"),
    "svm": ("--C=100", "--noreport"),
    "neural_network": ("--hidden_sizes=8", "--epochs=60", "--patience=0", "--noreport"),
}


@pytest.mark.parametrize("recipe", KILLS)
def test_killed_at_random_moments(recipe, request, tmp_path):
    command = request.getfixturevalue(recipe)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 3))
    y = x @ [1, 2, 3] + rng.normal(size=300)
    y = y if recipe == "linear_regression" else (y > 0).astype(int)
    np.savez(tmp_path / "data.npz", x=x.astype("float32"), y=y)
    flags = ("--dataset=data.npz", *FLAGS[recipe])

    start = time.monotonic()
    ended = command(tmp_path, *flags, "--out_dir=whole")
    assert (ended.code, ended.err) == (0, "")
    longest = time.monotonic() - start
    expected = numbers_of(metrics_of(tmp_path / "whole"))

    draw, folder = random.Random(recipe), tmp_path / "killed"
    (folder / "logs").mkdir(parents=True)
    (folder / "logs/own.txt").write_text("mine")
    killed = 0
    for _ in range(KILLS[recipe]):
        delay = draw.uniform(0, longest)
        ended = command(
            tmp_path, *flags, "--out_dir=killed", "--resume",
            meanwhile=lambda process, delay=delay: kill_after(delay, process),
        )  # fmt: skip
        assert ended.code in (0, -signal.SIGKILL), ended.err
        killed += ended.code != 0
        assert names_in(folder) <= FILES | {".unfinished"}
        assert (folder / "logs/own.txt").read_text() == "mine"
        if (folder / "run.json").exists():
            assert numbers_of(metrics_of(folder)) == expected
    assert killed
    ended = command(tmp_path, *flags, "--out_dir=killed", "--resume")
    assert (ended.code, ended.err) == (0, "")
    assert numbers_of(metrics_of(folder)) == expected
    assert names_in(folder) == names_in(tmp_path / "whole")
    versions = sorted(int(path.name) for path in (folder / "export").iterdir())
    assert versions == list(range(1, len(versions) + 1))


def kill_after(seconds, process):
    """Kill the process after this time, unless it ends before."""
    end = time.monotonic() + seconds
    while is_running(process):
        if time.monotonic() > end:
            os.kill(process, signal.SIGKILL)
            return
        time.sleep(0.01)

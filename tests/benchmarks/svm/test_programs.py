"""Programs in their own processes, on a few rows, and what is read of them."""

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.data import Split, store
from benchmarks.svm.data import TASKS
from benchmarks.svm.gap import of_classes, of_regression
from benchmarks.svm.programs import compile_seconds, make
from benchmarks.worker import Worker

HEAD = "I0000 00:00:1 7 device_compiler.h:469] Compilation of XLA executable time: "


def test_compilations_in_the_logs_of_old_and_new_tensorflow():
    old = "1.78 s (cumulative: 1.78 s, max: 1.78 s, #called: 1)"
    new = "92 ms (92034 us) (cumulative: 1.88 s, max: 1.78 s, #called: 2)"
    log = f"{HEAD}{old}\nanother line\n{HEAD}{new}\n"
    assert compile_seconds(log) == pytest.approx([1.78, 0.092])
    assert compile_seconds("another line\n") == []


def few_rows(task: str) -> Split:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((120, 4)).astype(np.float32)
    if TASKS[task].is_regression:
        y = (np.sin(x[:, 0]) + x[:, 1]).astype(np.float32)
    else:
        y = np.digitize(x[:, 0] + x[:, 1] ** 2, [0.0, 1.5]) - 1
    return Split(x[:80], y[:80], x[80:], y[80:])


def worker_of(program: str, task: str, folder: Path) -> Worker:
    stored = store(few_rows(task)._asdict(), folder)
    return Worker(os.environ, make, program, task, stored)


@pytest.mark.parametrize("task", ["letter", "housing"])
def test_programs_give_the_same_answer(task, tmp_path):
    data, settings = few_rows(task), TASKS[task]
    truths, predictions, fits = [], [], []
    for program in ("ours", "sklearn"):
        worker = worker_of(program, task, tmp_path)
        fits += [worker.ask("fit"), worker.ask("fit")]
        answer = worker.ask("answer")
        predictions.append(worker.ask("predict")["predicted"])
        worker.close()
        problem = (data.x, data.y, answer, settings.C, settings.gamma)
        if settings.epsilon is not None:
            truths.append(of_regression(*problem, settings.epsilon))
        else:
            truths.append(of_classes(*problem))
    assert max(truth.kkt_gap for truth in truths) < 1.1e-3
    assert truths[0].dual_objective == pytest.approx(truths[1].dual_objective, rel=1e-4)
    if settings.is_regression:
        np.testing.assert_allclose(*predictions, atol=0.01)
    else:
        assert np.mean(predictions[0] == predictions[1]) >= 0.95
    first = fits[0]
    assert 0 < first["certificate"] < first["seconds"]
    assert first["compiled"] == first["compile"] == 0  # of so few rows
    assert first["iterations"] >= 1 and first["rebuilds"] >= 0

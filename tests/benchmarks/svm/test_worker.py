"""Programs in their own processes, on a few rows."""

import os
import signal

import numpy as np
import pytest

from benchmarks.data import Split
from benchmarks.svm.data import TASKS
from benchmarks.svm.gap import of_classes, of_regression
from benchmarks.svm.worker import Worker, store


def few_rows(task: str) -> Split:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((120, 4)).astype(np.float32)
    if TASKS[task].is_regression:
        y = (np.sin(x[:, 0]) + x[:, 1]).astype(np.float32)
    else:
        y = np.digitize(x[:, 0] + x[:, 1] ** 2, [0.0, 1.5]) - 1
    return Split(x[:80], y[:80], x[80:], y[80:])


@pytest.mark.parametrize("task", ["letter", "housing"])
def test_programs_give_the_same_answer(task, tmp_path):
    data, settings = few_rows(task), TASKS[task]
    truths, predictions, fits = [], [], []
    for program in ("ours", "sklearn"):
        worker = Worker(program, task, store(data, tmp_path))
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
    assert first["compiled"] > 0 and first["compile"] > 0
    assert first["iterations"] >= 1 and first["rebuilds"] >= 0


def test_a_slow_program_is_stopped(tmp_path):
    worker = Worker("sklearn", "letter", store(few_rows("letter"), tmp_path))
    os.kill(worker.process.pid, signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        worker.ask("fit", timeout=0.1)
    assert not worker.process.is_alive()


def test_a_failure_is_reported(tmp_path):
    worker = Worker("sklearn", "letter", store(few_rows("letter"), tmp_path))
    with pytest.raises(RuntimeError, match="no attribute 'nonsense'"):
        worker.ask("nonsense")
    assert not worker.process.is_alive()

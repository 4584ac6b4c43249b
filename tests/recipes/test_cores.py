"""`cores`: results in order, and nothing left over."""

import threading
import time

import pytest
import threadpoolctl

from recipes import cores


def blas_threads():
    return [
        pool["num_threads"]
        for pool in threadpoolctl.threadpool_info()
        if pool["user_api"] == "blas"
    ]


@pytest.mark.parametrize("tasks", [0, 1, 2, 50])
def test_results_are_in_the_order_of_the_tasks(tasks):
    def slow_at_first(task):
        time.sleep(0.02 if task == 0 else 0)
        return task**2

    found = list(cores.map_on_cores(slow_at_first, iter(range(tasks))))
    assert found == [task**2 for task in range(tasks)]


@pytest.mark.parametrize("tasks", [1, 4])
def test_blas_keeps_to_one_thread_meanwhile(tasks):
    before = blas_threads()
    seen = list(cores.map_on_cores(lambda _: blas_threads(), range(tasks)))
    assert all(set(threads) == {1} for threads in seen)
    assert blas_threads() == before


def test_tasks_are_taken_as_needed():
    taken = []

    def tasks():
        for task in range(100):
            taken.append(task)
            yield task

    results = cores.map_on_cores(lambda task: task, tasks())
    assert next(results) == 0
    assert len(taken) < 50
    results.close()


def test_an_error_ends_the_other_tasks(monkeypatch):
    monkeypatch.setattr(cores.os, "cpu_count", lambda: 1)
    before, begun, failed = blas_threads(), [], threading.Event()

    def fail(task):
        begun.append(task)
        if task == 0:
            failed.set()
            raise ValueError("the first")
        time.sleep(0.05)

    with pytest.raises(ValueError, match="the first"):
        list(cores.map_on_cores(fail, range(100)))
    assert failed.is_set()
    assert len(begun) < 5
    assert blas_threads() == before

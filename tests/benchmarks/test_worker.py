"""Programs in processes of their own."""

import os
import signal

import pytest

from benchmarks.worker import Worker, run_alone


class Counter:
    """A program that remembers what it was asked."""

    def __init__(self, start: int) -> None:
        self.count = start

    def add(self, more: int) -> int:
        self.count += more
        return self.count


def test_a_program_answers_and_remembers():
    worker = Worker(os.environ, Counter, 40)
    assert [worker.ask("add", 1), worker.ask("add", 1)] == [41, 42]
    worker.close()
    assert not worker.process.is_alive()


def test_the_process_has_the_variables_given_and_no_others(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    environment = {"PATH": os.environ["PATH"], "XLA_FLAGS": "--given"}
    before = dict(os.environ)
    assert run_alone(environment, os.getenv, "OPENBLAS_CORETYPE") is None
    assert run_alone(environment, os.getenv, "XLA_FLAGS") == "--given"
    assert dict(os.environ) == before


def test_a_slow_program_is_stopped():
    worker = Worker(os.environ, Counter, 0)
    os.kill(worker.process.pid, signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        worker.ask("add", 1, timeout=0.1)
    assert not worker.process.is_alive()


def test_a_failure_is_reported():
    worker = Worker(os.environ, Counter, 0)
    with pytest.raises(RuntimeError, match="no attribute 'nonsense'"):
        worker.ask("nonsense")
    assert not worker.process.is_alive()


def test_a_program_that_cannot_be_made_is_reported():
    with pytest.raises(RuntimeError, match="missing 1 required positional argument"):
        Worker(os.environ, Counter)


def test_a_process_that_ends_is_reported():
    with pytest.raises(RuntimeError, match="the process has ended"):
        run_alone(os.environ, os._exit, 1)

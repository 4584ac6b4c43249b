"""Programs in processes of their own, where their time and memory can be measured.

A process shared by two libraries keeps the threads of both, and memory that one has
freed is faster for the other, which does not request it from the system. A library
also reads its environment once, when it is loaded.
"""

import contextlib
import gc
import multiprocessing
import os
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection
from typing import Any

# Threads of one program may spin for this many seconds after its end, which would slow
# down the next program.
PAUSE = 0.3


class Worker:
    """A process with one program, which waits for requests.

    Args:
        environment: The variables of the process, and no others.
        make: Function that returns the program; it is called in the process.
        *arguments: Arguments of `make`. These and `make` must pickle.
    """

    def __init__(
        self, environment: Mapping[str, str], make: Callable[..., Any], *arguments: Any
    ) -> None:
        # Not a fork: a child of a process with threads may hang.
        spawned = multiprocessing.get_context("spawn")
        self.pipe, end = spawned.Pipe()
        self.process = spawned.Process(
            target=_serve, args=(end, make, arguments), daemon=True
        )
        with _variables(environment):
            self.process.start()
        end.close()
        self._answer(None)

    def ask(self, method: str, *arguments: Any, timeout: float | None = None) -> Any:
        """Call a method of the program.

        Raises:
            TimeoutError: If it takes longer than `timeout` seconds; the process is then
                ended.
            RuntimeError: If it fails.
        """
        self.pipe.send((method, arguments))
        return self._answer(timeout)

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()
        self.pipe.close()

    def _answer(self, timeout: float | None) -> Any:
        if not self.pipe.poll(timeout):
            self.close()
            raise TimeoutError(f"no answer in {timeout} s")
        try:
            failed, result = self.pipe.recv()
        except EOFError:
            failed, result = True, "the process has ended: out of memory?"
        if failed:
            self.close()
            raise RuntimeError(result)
        return result


def run_alone(
    environment: Mapping[str, str], function: Callable[..., Any], *arguments: Any
) -> Any:
    """Call a function in a process of its own, and return its result."""
    time.sleep(PAUSE)
    worker = Worker(environment, _Function, function)
    try:
        return worker.ask("call", *arguments)
    finally:
        worker.close()


class _Function:
    """A program that is one function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.call = function


@contextlib.contextmanager
def _variables(environment: Mapping[str, str]) -> Iterator[None]:
    """Replace the variables that a process started here will have."""
    own = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(own)


def _serve(pipe: Connection, make: Callable[..., Any], given: tuple[Any, ...]) -> None:
    """Answer requests up to the first that fails."""
    try:
        program = make(*given)
        pipe.send((False, None))
        while True:
            method, arguments = pipe.recv()
            gc.collect()
            pipe.send((False, getattr(program, method)(*arguments)))
    except Exception:
        pipe.send((True, traceback.format_exc()))

"""A program in a process of its own, where its time and memory can be measured.

A process shared by two libraries keeps the threads of both, and memory that one has
freed is faster for the other, which does not request it from the system.
"""

import gc
import multiprocessing
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import Split
from benchmarks.svm.data import TASKS
from benchmarks.svm.programs import CACHE_MB, Ours, Peer


class Worker:
    """A process with one program and one data set, which waits for requests.

    Args:
        program: A name of `PROGRAMS`.
        task: A name of `TASKS`.
        data: Folder with the arrays of a `Split`, written by `store`.
        rows: Number of training rows to use; all of them if `None`.
        cache_mb: Megabytes for kernel values in this recipe.
    """

    def __init__(
        self,
        program: str,
        task: str,
        data: Path,
        rows: int | None = None,
        cache_mb: float = CACHE_MB,
    ) -> None:
        # Not a fork: a child of a process with threads may hang.
        spawned = multiprocessing.get_context("spawn")
        self.pipe, end = spawned.Pipe()
        self.process = spawned.Process(
            target=_serve, args=(end, program, task, data, rows, cache_mb), daemon=True
        )
        self.process.start()
        end.close()
        self.ask("ready")

    def ask(self, method: str, *arguments: Any, timeout: float | None = None) -> Any:
        """Call a method of the program.

        Raises:
            TimeoutError: If it takes longer than `timeout` seconds; the process is then
                ended.
            RuntimeError: If it fails.
        """
        self.pipe.send((method, arguments))
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

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def store(data: Split, folder: Path) -> Path:
    """Write a split's arrays, so that each process reads them without parsing."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in data._asdict().items():
        np.save(folder / f"{name}.npy", array)
    return folder


def _serve(
    pipe: Connection,
    program: str,
    task: str,
    folder: Path,
    rows: int | None,
    cache_mb: float,
) -> None:
    data = Split(*(np.load(folder / f"{name}.npy") for name in Split._fields))
    data = data._replace(x=data.x[:rows], y=data.y[:rows])
    subject: Any = None
    while True:
        method, arguments = pipe.recv()
        try:
            result: Any = None
            if method == "ready":
                subject = (
                    Ours(TASKS[task], data, cache_mb)
                    if program == "ours"
                    else Peer(program, TASKS[task], data)
                )
            else:
                gc.collect()
                result = getattr(subject, method)(*arguments)
            pipe.send((False, result))
        except Exception:
            pipe.send((True, traceback.format_exc()))

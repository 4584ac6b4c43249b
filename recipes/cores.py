"""Work for all cores of the processor, one task on each."""

import collections
import concurrent.futures
import functools
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import TypeVar

import threadpoolctl

Task = TypeVar("Task")
Result = TypeVar("Result")


def map_on_cores(
    function: Callable[[Task], Result], tasks: Iterable[Task]
) -> Iterator[Result]:
    """Yield function(task) for each task, in their order, computed on all cores.

    BLAS keeps to the core that calls it: if it split each product instead, its idle
    threads would keep the cores from what follows. Tasks are taken as they are needed,
    so that no more than a few of them, or of their results, exist at a time.
    """
    tasks = iter(tasks)
    head = list(itertools.islice(tasks, 2))
    tasks = itertools.chain(head, tasks)
    with limit_blas_threads(1):
        if len(head) < 2:  # starting threads would take longer than a small task
            yield from map(function, tasks)
        else:
            yield from _map_in_threads(function, tasks)


def _map_in_threads(
    function: Callable[[Task], Result], tasks: Iterable[Task]
) -> Iterator[Result]:
    cores = os.cpu_count() or 1
    pending: collections.deque[concurrent.futures.Future[Result]] = collections.deque()
    pool = concurrent.futures.ThreadPoolExecutor(cores)
    try:
        for task in tasks:
            pending.append(pool.submit(function, task))
            if len(pending) > cores + 1:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        # After an error or an interrupt, what has not begun does not begin.
        pool.shutdown(cancel_futures=True)


def limit_blas_threads(threads: int | None) -> AbstractContextManager[object]:
    """Return a context in which BLAS uses so many threads; `None` for all."""
    return _thread_pools().limit(limits=threads, user_api="blas")


@functools.cache
def _thread_pools() -> threadpoolctl.ThreadpoolController:
    # Once, as looking for the libraries takes milliseconds.
    return threadpoolctl.ThreadpoolController()

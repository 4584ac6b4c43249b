"""Memory that is used again.

The kernel clears a new page before a process gets it, which takes longer than to fill
it with rows: an epoch of MNIST is a quarter to a third shorter with memory that the
process has had before.
"""

import collections
import math
import weakref
from typing import Any

import numpy as np
import numpy.typing as npt

ALIGNMENT = 64  # bytes: TensorFlow takes such an array for a tensor without a copy


class BufferPool:
    """Makes arrays of memory that earlier ones no longer need."""

    def __init__(self) -> None:
        self._free: dict[int, list[npt.NDArray[np.uint8]]] = collections.defaultdict(
            list
        )

    def allocate(
        self, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> npt.NDArray[Any]:
        """An aligned array, not initialised.

        Its memory is free again when nobody holds it or a view of it: a tensor that
        TensorFlow made of it without a copy holds it, too.
        """
        size = math.prod(shape) * dtype.itemsize
        try:
            block = self._free[size].pop()
        except IndexError:
            block = np.empty(size + ALIGNMENT, np.uint8)
        start = -block.ctypes.data % ALIGNMENT
        # A view refers to the oldest array: to this one, as a memoryview is none.
        loan = np.frombuffer(block.data[start : start + size], dtype)
        weakref.finalize(loan, self._free[size].append, block)
        return loan.reshape(shape)

"""One large dual problem, worked on in small parts, an outer iteration at a time.

The state is β, and the product Kβ that is kept with it, as in `side_by_side`, where
problems are small.
"""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from layers import kernels
from recipes.errors import ArgumentError
from recipes.svm.solver.dual import Problem
from recipes.svm.solver.kernel_cache import (
    CHUNK_SHARE,
    KernelFunction,
    KernelRows,
    chunk_rows,
)
from recipes.svm.solver.optimality import Dual, Progress, measure
from recipes.svm.solver.smo_steps import COLUMNS, solve_block
from recipes.svm.solver.working_set import choose_working_set, violation

# A working set is solved to this share of the violation that it was chosen at,
INNER_SHARE = 0.1
# and no further than to this share of the tolerance: what rounding adds fits above it.
INNER_TOLERANCE = 0.25
STEPS_PER_VARIABLE = 100
LARGEST_WORKING_SET = 4096
# With many features a working set's own kernel matrix costs more than steps: at most
# half of that, and an eighth of the variables. (MNIST, 784 features, even from odd: 5.4
# s instead of 8.9; three pairs of digits: 1.0 s instead of 1.1. But a9a, 123 features:
# 5.1 s instead of 3.9.)
MANY_FEATURES = 256


class Decomposition(tf.Module):
    """One large problem: an iteration solves the dual of a small working set.

    Memory: `cache_bytes` for kernel rows, the working set's kernel matrix and what
    they are computed in; and the rows of the problem once more.

    Args:
        kernel: The kernel.
        rows: Most rows that a problem has.
        features: Columns of the data.
        copies: Variables a row.
        groups: Groups of variables.
        dtype: Dtype of kernel values, float32 or float64.
        tolerance: Violation to stop at.
        cache_bytes: Memory for kernel values.

    Raises:
        ValueError: If the memory does not hold the smallest working set.
    """

    def __init__(
        self,
        kernel: kernels.Kernel,
        rows: int,
        features: int,
        copies: int,
        groups: int,
        dtype: tf.DType,
        tolerance: float,
        cache_bytes: float,
    ) -> None:
        super().__init__()
        self.rows, self.copies, self.groups = rows, copies, groups
        self.precomputed = isinstance(kernel, kernels.PrecomputedKernel)
        self.tolerance = tolerance
        size = rows * copies
        self.working_set_size = _working_set_size(
            size, rows, features, dtype, cache_bytes
        )
        slots = _slots(self.working_set_size, rows, dtype, cache_bytes)

        def state(shape: list[int], dtype: tf.DType = tf.float64) -> tf.Variable:
            return tf.Variable(tf.zeros(shape, dtype), trainable=False)

        columns = rows if self.precomputed else features
        self.kernel_rows = KernelRows(
            KernelFunction(kernel, tf.zeros([rows, columns], dtype)),
            min(slots, rows),
            rows,
            chunk_rows(rows, dtype, cache_bytes),
            dtype,
        )
        self.beta = state([size])
        self.product = state([rows])
        self.dual = Dual(
            state([size]), state([size]), state([size]), state([size], tf.int32)
        )
        self.working_set = state([self.working_set_size], tf.int32)

    def begin(self, x: tf.Tensor, problems: Sequence[Problem]) -> None:
        """Takes on a problem of the rows of `x` `[all, d]`."""
        (problem,) = problems
        extra = self.rows - len(problem.rows)
        if extra == 0 and len(problem.rows) == x.shape[0]:
            own = x
        else:
            own = tf.gather(x, problem.rows)
            if self.precomputed:
                own = tf.gather(own, problem.rows, axis=1)
            columns = extra if self.precomputed else 0
            own = tf.pad(own, [[0, extra], [0, columns]])
        self.kernel_rows.function.assign(own)
        self.kernel_rows.forget()
        for variable, name in zip(self.dual, Dual._fields, strict=True):
            variable.assign(self._padded(problem, getattr(problem, name)))
        self.set_point([problem], [problem.start], [np.zeros(len(problem.rows))])
        self.working_set.assign(
            choose_working_set(
                self._gradient(),
                self.beta,
                self.dual.lower,
                self.dual.upper,
                self.dual.group,
                tf.zeros([0], tf.int32),
                size=self.working_set_size,
                groups=self.groups,
            )
        )

    def set_point(
        self,
        problems: Sequence[Problem],
        beta: Sequence[np.ndarray],
        product: Sequence[np.ndarray],
    ) -> None:
        """Goes on from β `[V]` with `product` Kβ `[n]`."""
        self.beta.assign(self._padded(problems[0], beta[0]))
        self.product.assign(np.pad(product[0], (0, self.rows - len(product[0]))))

    def point(self, problems: Sequence[Problem]) -> list[np.ndarray]:
        """β `[V]` of each problem."""
        rows = len(problems[0].rows)
        apart = self.beta.numpy().reshape(self.copies, self.rows)
        return [apart[:, :rows].reshape(-1)]

    def iterate(self) -> Progress:
        """One outer iteration: choose a working set, solve its dual, update Kβ."""
        beta, dual = tf.identity(self.beta), self.dual
        gradient = self._gradient()
        worst = violation(
            gradient, beta, dual.lower, dual.upper, dual.group, groups=self.groups
        )
        chosen = choose_working_set(
            gradient,
            beta,
            dual.lower,
            dual.upper,
            dual.group,
            self.working_set,
            size=self.working_set_size,
            groups=self.groups,
        )
        rows = chosen % self.rows
        before = tf.gather(beta, chosen)
        after, _, steps = solve_block(
            self.kernel_rows.function.block(rows),
            tf.gather(gradient, chosen),
            before,
            tf.gather(dual.lower, chosen),
            tf.gather(dual.upper, chosen),
            tf.gather(dual.group, chosen),
            _inner_tolerance(worst, self.tolerance),
            tf.constant(STEPS_PER_VARIABLE * self.working_set_size),
            groups=self.groups,
        )
        beta = tf.tensor_scatter_nd_update(beta, chosen[:, tf.newaxis], after)
        # The rows of what did not move are never computed: a quarter of them.
        moved = tf.where(after != before)[:, 0]
        rows, change = tf.gather(rows, moved), tf.gather(after - before, moved)
        with tf.control_dependencies([self.kernel_rows.fetch(rows)]):
            product = self.kernel_rows.add(tf.identity(self.product), rows, change)
        self.working_set.assign(chosen)
        self.beta.assign(beta)
        self.product.assign(product)
        return measure(
            tf.tile(product, [self.copies]),
            beta,
            dual,
            steps,
            tf.size(moved) > 0,
            copies=self.copies,
            groups=self.groups,
        )

    def _gradient(self) -> tf.Tensor:
        return tf.tile(self.product, [self.copies]) + self.dual.linear

    def _padded(self, problem: Problem, values: np.ndarray) -> np.ndarray:
        """Values of the problem's variables, zeros for those that fill up the shape."""
        apart = values.reshape(self.copies, len(problem.rows))
        extra = self.rows - len(problem.rows)
        return np.pad(apart, ((0, 0), (0, extra))).reshape(-1)


def _inner_tolerance(worst: tf.Tensor, tolerance: float) -> tf.Tensor:
    return tf.maximum(INNER_SHARE * worst, INNER_TOLERANCE * tolerance)


def _working_set_size(
    variables: int, rows: int, features: int, dtype: tf.DType, cache_bytes: float
) -> int:
    """The largest working set that leaves three quarters of the memory to rows."""
    size = min(LARGEST_WORKING_SET, variables)
    if features > MANY_FEATURES:
        size = min(LARGEST_WORKING_SET // 2, variables // 8)
    size = size // COLUMNS * COLUMNS
    while size >= COLUMNS:
        if min(size, rows) <= _slots(size, rows, dtype, cache_bytes) and (
            size**2 * dtype.size <= cache_bytes / 4
        ):
            return size
        size = size // 2 // COLUMNS * COLUMNS
    values = COLUMNS * rows + 2 * COLUMNS**2
    least = math.ceil(values * dtype.size / (1 - 2 * CHUNK_SHARE) / 1e5) / 10
    raise ArgumentError(
        "cache_mb", f"at least {least:g} for {rows} rows", cache_bytes / 1e6
    )


def _slots(size: int, rows: int, dtype: tf.DType, cache_bytes: float) -> int:
    """How many kernel rows fit beside a working set and the chunk that is computed."""
    chunk = 2 * chunk_rows(rows, dtype, cache_bytes) * rows * dtype.size
    block = 2 * size**2 * dtype.size
    return int((cache_bytes - chunk - block) / (rows * dtype.size))

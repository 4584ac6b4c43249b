"""Decomposition of a large dual problem into the small duals of working sets."""

import math
from collections.abc import Sequence

import numpy as np
import scipy.sparse
import tensorflow as tf

from layers import kernels
from recipes.errors import ArgumentError
from recipes.svm.solver.dual import DualProblem
from recipes.svm.solver.kernel_cache import (
    CHUNK_SHARE,
    KernelCache,
    choose_chunk_size,
)
from recipes.svm.solver.optimality import (
    DualTensors,
    Optimality,
    compute_margin,
    compute_multipliers,
    measure_optimality,
)
from recipes.svm.solver.rows import Rows
from recipes.svm.solver.smo_steps import COLUMNS, solve_block
from recipes.svm.solver.sparse_kernel import make_kernel_function
from recipes.svm.solver.working_set import choose_working_set, compute_kkt_violation

# A working set is solved to this share of the violation at which it was chosen,
INNER_VIOLATION_SHARE = 0.1
# but no further than this share of the tolerance, which leaves room for rounding.
INNER_TOLERANCE_SHARE = 0.25
STEPS_PER_VARIABLE = 100
LARGEST_WORKING_SET = 4096
# With more features than this, a working set's own kernel matrix costs more than its
# steps. The largest set is then half as large, and at most an eighth of the variables.
# (MNIST, 784 features, even digits against odd: 5.4 s instead of 8.9; three pairs of
# digits: 1.0 s instead of 1.1. But a9a, 123 features: 5.1 s instead of 3.9.)
MANY_FEATURES = 256


class Decomposition(tf.Module):
    """One large problem: an iteration solves the dual of a small working set.

    The state is β, and the product Kβ.

    Memory: `cache_bytes` for kernel rows, the working set's kernel matrix and the
    buffers to compute them in; and a copy of the problem's rows.

    Args:
        kernel: The kernel.
        rows: Number of rows of the largest problem.
        features: Number of columns of the data.
        variables_per_row: Number of variables per row.
        groups: Number of groups of variables.
        unit_margin: That of the problems.
        dtype: Dtype of kernel values, float32 or float64.
        cache_bytes: Memory for kernel values.
        sparse: Whether the rows are a `csr_array`.

    Raises:
        ValueError: If `cache_bytes` cannot hold the smallest working set.
    """

    def __init__(
        self,
        kernel: kernels.Kernel,
        rows: int,
        features: int,
        variables_per_row: int,
        groups: int,
        unit_margin: bool,
        dtype: tf.DType,
        cache_bytes: float,
        *,
        sparse: bool = False,
    ) -> None:
        super().__init__()
        self.rows, self.variables_per_row, self.groups = rows, variables_per_row, groups
        self.unit_margin = unit_margin
        size = rows * variables_per_row
        self.working_set_size = _choose_working_set_size(
            size, rows, features, dtype, cache_bytes
        )
        slots = _count_slots(self.working_set_size, rows, dtype, cache_bytes)

        def state(shape: list[int], dtype: tf.DType = tf.float64) -> tf.Variable:
            return tf.Variable(tf.zeros(shape, dtype), trainable=False)

        if isinstance(kernel, kernels.PrecomputedKernel):
            features = rows
        empty = (
            scipy.sparse.csr_array((rows, features), dtype=dtype.as_numpy_dtype)
            if sparse
            else tf.zeros([rows, features], dtype)
        )
        self.kernel_cache = KernelCache(
            make_kernel_function(kernel, empty),
            min(slots, rows),
            rows,
            choose_chunk_size(rows, dtype, cache_bytes),
            dtype,
        )
        self.beta = state([size])
        self.product = state([rows])
        self.dual = DualTensors(
            state([size]), state([size]), state([size]), state([size], tf.int32)
        )
        self.working_set = state([self.working_set_size], tf.int32)
        self.tolerance = state([])

    def load_problems(
        self,
        x: tf.Tensor | Rows,
        problems: Sequence[DualProblem],
        tolerances: Sequence[float],
    ) -> None:
        """Load a problem over the rows of `x` `[all, d]`, to solve to a violation."""
        (problem,) = problems
        self.kernel_cache.function.load(x, problem.rows)
        self.kernel_cache.clear()
        for variable, name in zip(self.dual, DualTensors._fields, strict=True):
            variable.assign(self._pad(problem, getattr(problem, name)))
        zero = np.zeros(len(problem.rows))
        self.set_points([problem], [problem.start], [zero], tolerances)
        self.working_set.assign(
            choose_working_set(
                self._compute_gradient(),
                self.beta,
                self.dual.lower,
                self.dual.upper,
                self.dual.group,
                tf.zeros([0], tf.int32),
                size=self.working_set_size,
                groups=self.groups,
            )
        )

    def set_points(
        self,
        problems: Sequence[DualProblem],
        beta: Sequence[np.ndarray],
        product: Sequence[np.ndarray],
        tolerances: Sequence[float],
    ) -> None:
        """Continue from β `[V]` and `product` = Kβ `[n]`, to a KKT violation."""
        self.tolerance.assign(tolerances[0])
        self.beta.assign(self._pad(problems[0], beta[0]))
        self.product.assign(np.pad(product[0], (0, self.rows - len(product[0]))))

    def get_points(self, problems: Sequence[DualProblem]) -> list[np.ndarray]:
        """Return β `[V]` of each problem."""
        rows = len(problems[0].rows)
        by_row = self.beta.numpy().reshape(self.variables_per_row, self.rows)
        return [by_row[:, :rows].reshape(-1)]

    def iterate(self) -> Optimality:
        """Choose a working set, solve its dual and update Kβ: one outer iteration."""
        beta, dual = tf.identity(self.beta), self.dual
        gradient = self._compute_gradient()
        inner_tolerance = choose_inner_tolerance(
            gradient,
            beta,
            dual,
            self.tolerance,
            groups=self.groups,
            unit_margin=self.unit_margin,
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
            self.kernel_cache.function.compute_block(rows),
            tf.gather(gradient, chosen),
            before,
            tf.gather(dual.lower, chosen),
            tf.gather(dual.upper, chosen),
            tf.gather(dual.group, chosen),
            inner_tolerance,
            tf.constant(STEPS_PER_VARIABLE * self.working_set_size),
            groups=self.groups,
        )
        beta = tf.tensor_scatter_nd_update(beta, chosen[:, tf.newaxis], after)
        # A quarter of the variables do not move: their kernel rows are never computed.
        moved = tf.where(after != before)[:, 0]
        rows, change = tf.gather(rows, moved), tf.gather(after - before, moved)
        with tf.control_dependencies([self.kernel_cache.fetch(rows)]):
            product = self.kernel_cache.add_rows(
                tf.identity(self.product), rows, change
            )
        self.working_set.assign(chosen)
        self.beta.assign(beta)
        self.product.assign(product)
        return measure_optimality(
            tf.tile(product, [self.variables_per_row]),
            beta,
            dual,
            steps,
            tf.size(moved) > 0,
            variables_per_row=self.variables_per_row,
            groups=self.groups,
            unit_margin=self.unit_margin,
        )

    def _compute_gradient(self) -> tf.Tensor:
        return tf.tile(self.product, [self.variables_per_row]) + self.dual.linear

    def _pad(self, problem: DualProblem, values: np.ndarray) -> np.ndarray:
        """Pad values of the problem's variables with zeros to the full shape."""
        by_row = values.reshape(self.variables_per_row, len(problem.rows))
        extra = self.rows - len(problem.rows)
        return np.pad(by_row, ((0, 0), (0, extra))).reshape(-1)


def choose_inner_tolerance(
    gradient: tf.Tensor,
    beta: tf.Tensor,
    dual: DualTensors,
    tolerance: tf.Tensor,
    *,
    groups: int,
    unit_margin: bool,
) -> tf.Tensor:
    """Return the violation, in units of f, to which a working set is solved.

    Args:
        gradient: f at `beta`, float64, `[V]`.
        beta: β, float64, `[V]`.
        dual: The problem.
        tolerance: The problem's, in units of its margin; float64, `[]`.
        groups: Number of groups.
        unit_margin: That of the problem.

    Returns:
        float64, `[]`.
    """
    worst = compute_kkt_violation(
        gradient, beta, dual.lower, dual.upper, dual.group, groups=groups
    )
    multipliers = compute_multipliers(gradient, beta, dual, groups=groups)
    margin = compute_margin(multipliers, unit_margin=unit_margin)
    return tf.maximum(
        INNER_VIOLATION_SHARE * worst, INNER_TOLERANCE_SHARE * tolerance * margin
    )


def _choose_working_set_size(
    variables: int, rows: int, features: int, dtype: tf.DType, cache_bytes: float
) -> int:
    """Choose the largest working set that leaves three quarters of memory to rows."""
    size = min(LARGEST_WORKING_SET, variables)
    if features > MANY_FEATURES:
        size = min(LARGEST_WORKING_SET // 2, variables // 8)
    size = size // COLUMNS * COLUMNS
    while size >= COLUMNS:
        if min(size, rows) <= _count_slots(size, rows, dtype, cache_bytes) and (
            size**2 * dtype.size <= cache_bytes / 4
        ):
            return size
        size = size // 2 // COLUMNS * COLUMNS
    values = COLUMNS * rows + 2 * COLUMNS**2
    least = math.ceil(values * dtype.size / (1 - 2 * CHUNK_SHARE) / 1e5) / 10
    raise ArgumentError(
        "cache_mb", f"at least {least:g} for {rows} rows", cache_bytes / 1e6
    )


def _count_slots(size: int, rows: int, dtype: tf.DType, cache_bytes: float) -> int:
    """Count the kernel rows that fit beside a working set and one chunk."""
    chunk = 2 * choose_chunk_size(rows, dtype, cache_bytes) * rows * dtype.size
    block = 2 * size**2 * dtype.size
    return int((cache_bytes - chunk - block) / (rows * dtype.size))

"""Decomposition of a large dual problem into the small duals of working sets."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
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
    Optimality,
    compute_margin,
    compute_multipliers,
    measure_optimality,
)
from recipes.svm.solver.rows import Rows
from recipes.svm.solver.smo_steps import COLUMNS, solve_working_set
from recipes.svm.solver.sparse_kernel import make_kernel_function
from recipes.svm.solver.working_set import choose_working_set, compute_kkt_violation

# A working set is solved to this share of the violation at which it was chosen,
INNER_VIOLATION_SHARE = 0.1
# but no further than this share of the tolerance, which leaves room for rounding.
INNER_TOLERANCE_SHARE = 0.25
LARGEST_WORKING_SET = 4096
# With more features than this, a working set's own kernel matrix costs more than its
# steps. The largest set is then half as large, and at most an eighth of the variables.
# (MNIST, 784 features, even digits against odd: 5.4 s instead of 8.9; three pairs of
# digits: 1.0 s instead of 1.1. But a9a, 123 features: 5.1 s instead of 3.9.)
MANY_FEATURES = 256


class Decomposition:
    """One large problem at a time: an iteration solves the dual of a working set.

    The state is β, and the product Kβ.

    Memory: `cache_bytes` for kernel rows, the working set's kernel matrix and the
    buffers to compute them in; and a copy of the problem's rows.

    Args:
        kernel: The kernel.
        x: All rows, `[all, d]`, a tensor or a `csr_array`.
        rows: Number of rows of the largest problem.
        variables_per_row: Number of variables per row.
        cache_bytes: Memory for kernel values.

    Raises:
        ValueError: If `cache_bytes` cannot hold the smallest working set.
    """

    def __init__(
        self,
        kernel: kernels.Kernel,
        x: tf.Tensor | Rows,
        rows: int,
        variables_per_row: int,
        cache_bytes: float,
    ) -> None:
        self.x, features, dtype = x, x.shape[1], tf.as_dtype(x.dtype)
        self.working_set_size = choose_working_set_size(
            rows, features, variables_per_row, dtype, cache_bytes
        )
        slots = _count_slots(self.working_set_size, rows, dtype, cache_bytes)
        if isinstance(kernel, kernels.PrecomputedKernel):
            features = rows
        empty = (
            scipy.sparse.csr_array((rows, features), dtype=dtype.as_numpy_dtype)
            if scipy.sparse.issparse(x)
            else tf.zeros([rows, features], dtype)
        )
        self.kernel_cache = KernelCache(
            make_kernel_function(kernel, empty),
            min(slots, rows),
            rows,
            choose_chunk_size(rows, dtype, cache_bytes),
            dtype,
        )

    def load_problems(self, problems: Sequence[DualProblem]) -> None:
        """Load a problem over the rows of `x`."""
        (self.problem,) = problems
        self.kernel_cache.function.load(self.x, self.problem.rows)
        self.kernel_cache.clear()
        self.working_set = np.empty(0, np.intp)

    def set_points(
        self,
        beta: Sequence[np.ndarray],
        product: Sequence[np.ndarray],
        tolerances: Sequence[float],
    ) -> None:
        """Continue from β `[V]` and `product` = Kβ `[n]`, to a KKT violation."""
        (self.beta,), (self.product,), (self.tolerance,) = beta, product, tolerances

    def get_points(self) -> list[np.ndarray]:
        """Return β `[V]` of the problem."""
        return [self.beta]

    def iterate(self) -> list[Optimality]:
        """Choose a working set, solve its dual and update Kβ: one outer iteration."""
        problem, n = self.problem, len(self.product)
        gradient = np.tile(self.product, problem.variables_per_row) + problem.linear
        chosen = self._choose(gradient)
        after, _, steps = solve_working_set(
            self.kernel_cache.function,
            chosen % n,
            problem,
            chosen,
            gradient,
            self.beta,
            choose_inner_tolerance(
                gradient,
                self.beta,
                problem,
                self.tolerance,
                groups=problem.groups,
                unit_margin=problem.unit_margin,
            ),
            size=self.working_set_size,
        )
        change = after - self.beta[chosen]
        # A quarter of the variables do not move: their kernel rows are never computed.
        moved = change != 0
        self.beta = self.beta.copy()
        self.beta[chosen] = after
        rows = chosen[moved] % n
        self.kernel_cache.fetch(rows)
        self.product = self.kernel_cache.add_rows(self.product, rows, change[moved])
        self.working_set = chosen
        optimality, _ = measure_optimality(
            self.product,
            self.beta,
            problem,
            groups=problem.groups,
            unit_margin=problem.unit_margin,
        )
        return [optimality._replace(steps=steps, moved=bool(moved.any()))]

    def _choose(self, gradient: np.ndarray) -> npt.NDArray[np.intp]:
        if len(gradient) <= self.working_set_size:
            return np.arange(len(gradient))
        return choose_working_set(
            gradient,
            self.beta,
            self.problem,
            self.working_set,
            size=self.working_set_size,
            groups=self.problem.groups,
        )


def choose_inner_tolerance(
    gradient: npt.NDArray[np.float64],
    beta: npt.NDArray[np.float64],
    dual: Any,
    tolerance: Any,
    *,
    groups: int,
    unit_margin: bool,
) -> Any:
    """Return the violation, in units of f, to which a working set is solved.

    All arguments may be those of many problems side by side.

    Args:
        gradient: f at `beta`, `[V]`.
        beta: β, `[V]`.
        dual: A `DualProblem` or an `optimality.Dual`.
        tolerance: The problem's, in units of its margin.
        groups: Number of groups.
        unit_margin: That of the problem.
    """
    worst = compute_kkt_violation(gradient, beta, dual, groups=groups)
    multipliers = compute_multipliers(gradient, beta, dual, groups=groups)
    margin = compute_margin(multipliers, unit_margin=unit_margin)
    return np.maximum(
        INNER_VIOLATION_SHARE * worst, INNER_TOLERANCE_SHARE * tolerance * margin
    )


def choose_working_set_size(
    rows: int,
    features: int,
    variables_per_row: int,
    dtype: tf.DType,
    cache_bytes: float,
) -> int:
    """Choose the largest working set that leaves three quarters of memory to rows.

    Args:
        rows: Number of rows of the largest problem.
        features: Number of columns of the data.
        variables_per_row: Number of variables per row.
        dtype: Dtype of kernel values.
        cache_bytes: Memory for kernel values.

    Raises:
        ValueError: If that is none.
    """
    variables = rows * variables_per_row
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

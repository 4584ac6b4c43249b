"""The small dual of one working set, solved by two-variable steps.

The smallest step that preserves Σ β moves two variables. With the gradient f = Kβ + p,
raising βᵢ and lowering βⱼ by t changes

    W(β + t·(eᵢ − eⱼ)) = W(β) − t·(fⱼ − fᵢ) + ½ t²·η,   η = Kᵢᵢ + Kⱼⱼ − 2 Kᵢⱼ,

so the best step is t = (fⱼ − fᵢ) / η, or as far as the box allows. A point is optimal
when no pair within a group gains: min fᵢ over the variables that may rise is at least
max fⱼ over those that may fall. So i is the variable with the least fᵢ, and j the one
that gains most when paired with it, (fⱼ − fᵢ)² / η (Fan, Chen & Lin 2005, "WSS 2").
"""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from recipes.svm.solver.dual import DualProblem
from recipes.svm.solver.working_set import HUGE, Floats, Indices

# Below this share of the largest k(x, x), the kernel cannot tell two rows apart, or is
# not positive definite: the step is then as long as the box allows (LIBSVM's TAU, which
# is no share).
SMALLEST_CURVATURE = 1e-12
# The most steps of a block, for each of its variables.
STEPS_PER_VARIABLE = 100
# Gains are float32, in which smaller numbers count as zero.
SMALLEST_GAIN = 1e-37
# Block sizes are multiples of this. A vector is folded into a matrix with this many
# columns, so that XLA takes its minimum column by column with vector instructions.
COLUMNS = 64
# Added to gradients before an index is embedded in them. Zero with an index in its
# lowest bits would be subnormal, and processors that flush those lose the index.
NOT_SUBNORMAL = 1e-290


def choose_block_size(variables: int) -> int:
    """Return the size of the smallest block that holds this many variables.

    It is a power of two or three quarters of one: few sizes, as each one compiles.
    """
    size = max(COLUMNS, 1 << (variables - 1).bit_length())
    smaller = size // 4 * 3
    fits = smaller >= variables and smaller % COLUMNS == 0
    return smaller if fits else size


def solve_working_set(
    function: Any,
    rows: Indices,
    problem: DualProblem,
    chosen: Indices,
    gradient: Floats,
    beta: Floats,
    tolerance: float,
    *,
    size: int,
) -> tuple[Floats, Floats, int]:
    """Minimise W over some variables of a problem, the others fixed.

    Args:
        function: The kernel matrix by row index, a `KernelFunction`.
        rows: The chosen variables' rows in that matrix, `[m]`.
        problem: The problem.
        chosen: The variables, `[m]`.
        gradient: f of all variables, `[V]`.
        beta: β of all variables, `[V]`.
        tolerance: Stop when no pair violates optimality by more.
        size: The size of the block that is compiled, at least m.

    Returns:
        β and f of the chosen variables, `[m]` each, and the number of steps.
    """
    extra = size - len(chosen)

    def pad(values: Any) -> Any:
        return np.pad(values, (0, extra))

    found, f, steps = solve_block(
        function.compute_block(pad(rows).astype(np.int32)),
        *(
            pad(values[chosen])
            for values in (
                gradient,
                beta,
                problem.lower,
                problem.upper,
                problem.group,
            )
        ),
        np.float64(tolerance),
        np.int32(STEPS_PER_VARIABLE * size),
        groups=problem.groups,
    )
    return found.numpy()[: len(chosen)], f.numpy()[: len(chosen)], int(steps)


@tf.function(jit_compile=True, autograph=False, reduce_retracing=False)
def solve_block(
    kernel: tf.Tensor,
    gradient: tf.Tensor,
    beta: tf.Tensor,
    lower: tf.Tensor,
    upper: tf.Tensor,
    group: tf.Tensor,
    tolerance: tf.Tensor,
    max_steps: tf.Tensor,
    *,
    groups: int,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Minimise W over a block of variables, the others fixed, by two-variable steps.

    It compiles once per block size. Variables with `lower == upper` never move, so they
    may pad a block.

    Args:
        kernel: K of the block's variables, `[m, m]`, float32 or float64; m is a
            multiple of `COLUMNS`.
        gradient: f at `beta`, float64, `[m]`.
        beta: β, float64, `[m]`.
        lower: l, float64, `[m]`.
        upper: u, float64, `[m]`.
        group: The variables' group, int32, `[m]`.
        tolerance: Stop when no pair violates optimality by more; float64, `[]`.
        max_steps: Maximum number of steps, int32, `[]`.
        groups: Number of groups.

    Returns:
        β `[m]`, in which a variable at its bound equals it exactly; f at that β, `[m]`;
        and the number of steps, int32, `[]`.
    """
    block = _Block(kernel, gradient, lower, upper, group, tolerance, groups)

    def step(f: tf.Tensor, beta: tf.Tensor, steps: tf.Tensor, _: tf.Tensor) -> Any:
        f, beta, moved = block.step(f, beta)
        return f, beta, steps + tf.cast(moved, tf.int32), moved

    f, beta, steps, _ = tf.while_loop(
        lambda f, beta, steps, moved: moved & (steps < max_steps),
        step,
        (block.fold(gradient), block.fold(beta), 0, True),
    )
    return tf.reshape(beta, [-1]), tf.reshape(f, [-1]), steps


class _Block:
    """The constants of all steps, with vectors folded to `[m/COLUMNS, COLUMNS]`.

    A step costs a few microseconds, most of them spent on passes over the block's
    vectors. So an arg-min takes one pass, not three: the index is embedded in the
    lowest bits of the numbers (`_embed_index`) and extracted from the winner. That
    costs relative precision: 2⁻⁴⁰ in the choice of i, and 2⁻¹¹ in the choice of j.

    Gains are float32. So they are computed in the block's own units, of the kernel and
    of the gradient: the columns' and the target's may be of any magnitude.
    """

    def __init__(
        self,
        kernel: tf.Tensor,
        gradient: tf.Tensor,
        lower: tf.Tensor,
        upper: tf.Tensor,
        group: tf.Tensor,
        tolerance: tf.Tensor,
        groups: int,
    ) -> None:
        self.size = kernel.shape[0]
        self.kernel = kernel
        self.flat_diagonal = tf.cast(tf.linalg.diag_part(kernel), kernel.dtype)
        self.flat_lower, self.flat_upper = lower, upper
        self.kernel_unit = _reciprocal(tf.reduce_max(tf.abs(self.flat_diagonal)))
        self.gradient_unit = _reciprocal(
            tf.reduce_max(gradient) - tf.reduce_min(gradient)
        )
        self.diagonal = self.fold(self.flat_diagonal)
        self.lower, self.upper = self.fold(lower), self.fold(upper)
        self.members = [self.fold(group) == g for g in range(groups)]
        self.tolerance = tolerance
        self.bits = max(1, math.ceil(math.log2(self.size)))
        self.indices = self.fold(tf.range(self.size))

    def fold(self, vector: tf.Tensor) -> tf.Tensor:
        return tf.reshape(vector, [-1, COLUMNS])

    def step(
        self, f: tf.Tensor, beta: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Take a two-variable step; return f, β, and whether any step was possible."""
        rises = tf.where(beta < self.upper, f, HUGE)
        falls = tf.where(beta > self.lower, f, -HUGE)
        # In each group the variable with the least f rises,
        first = [self._select_rising(rises, member) for member in self.members]
        gain = sum(
            self._compute_gains(falls, i, least, member)
            for (i, least), member in zip(first, self.members, strict=True)
        )
        # and over all groups the one falls that gains most with its group's first.
        j, moved = self._select_largest(gain)
        i = first[0][0]
        for (other, _), member in zip(first[1:], self.members[1:], strict=True):
            i = tf.where(tf.gather(tf.reshape(member, [-1]), j), other, i)
        return *self._take_step(f, beta, i, j, moved), moved

    def _select_rising(
        self, f: tf.Tensor, member: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the group's variable with the least f, and that f."""
        if len(self.members) > 1:
            f = tf.where(member, f, HUGE)
        keys = self._embed_index(f + NOT_SUBNORMAL, tf.int64)
        least = _reduce_rows(keys, tf.minimum, tf.reduce_min)
        i = self._extract_index(least, tf.int64)
        # Not the key, which is smaller: a pair without gain would seem to have one.
        return i, tf.gather(tf.reshape(f, [-1]), i)

    def _compute_gains(
        self, falls: tf.Tensor, i: tf.Tensor, least: tf.Tensor, member: tf.Tensor
    ) -> tf.Tensor:
        """Return each variable's gain if it falls as i rises; 0 outside the group."""
        violation = falls - least
        curvature = (
            self.diagonal + tf.gather(self.flat_diagonal, i) - 2 * self._kernel_row(i)
        )
        curvature = tf.maximum(
            tf.cast(curvature * self.kernel_unit, tf.float32), SMALLEST_CURVATURE
        )
        small = tf.cast(tf.minimum(violation * self.gradient_unit, 1e12), tf.float32)
        gain = tf.square(small) / curvature
        gain = tf.where(violation > self.tolerance, tf.minimum(gain, 1e38), 0.0)
        return tf.where(member, gain, 0.0) if len(self.members) > 1 else gain

    def _select_largest(self, gain: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the index of the largest gain, and whether that gain is positive."""
        keys = self._embed_index(gain, tf.int32)
        largest = _reduce_rows(keys, tf.maximum, tf.reduce_max)
        return self._extract_index(largest, tf.int32), largest >= SMALLEST_GAIN

    def _take_step(
        self,
        f: tf.Tensor,
        beta: tf.Tensor,
        i: tf.Tensor,
        j: tf.Tensor,
        moved: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        def at(vector: tf.Tensor, k: tf.Tensor) -> tf.Tensor:
            return tf.gather(tf.reshape(vector, [-1]), k)

        diagonal = self.flat_diagonal
        curvature = at(diagonal, i) + at(diagonal, j) - 2 * at(self._kernel_row(i), j)
        unit = tf.cast(self.kernel_unit, tf.float64)
        curvature = tf.maximum(
            tf.cast(curvature, tf.float64) * unit, SMALLEST_CURVATURE
        )
        upper, lower = at(self.flat_upper, i), at(self.flat_lower, j)
        room_i, room_j = upper - at(beta, i), at(beta, j) - lower
        best = (at(f, j) - at(f, i)) * unit / curvature
        t = tf.minimum(best, tf.minimum(room_i, room_j))
        t = tf.where(moved, t, 0.0)
        # The bound itself, not β + t, which may miss it by rounding.
        beta_i = tf.where(t == room_i, upper, at(beta, i) + t)
        beta_j = tf.where(t == room_j, lower, at(beta, j) - t)
        beta = tf.where(
            self.indices == i, beta_i, tf.where(self.indices == j, beta_j, beta)
        )
        return f + t * tf.cast(
            self._kernel_row(i) - self._kernel_row(j), tf.float64
        ), beta

    def _kernel_row(self, i: tf.Tensor) -> tf.Tensor:
        # Not `kernel[i]`, which XLA recompiles at every call.
        return self.fold(tf.gather(self.kernel, i))

    def _embed_index(self, numbers: tf.Tensor, integer: tf.DType) -> tf.Tensor:
        """Replace the lowest bits of each number by its index."""
        cleared = tf.bitcast(numbers, integer) & tf.constant(-(1 << self.bits), integer)
        return tf.bitcast(cleared | tf.cast(self.indices, integer), numbers.dtype)

    def _extract_index(self, number: tf.Tensor, integer: tf.DType) -> tf.Tensor:
        """Return the index in a number's lowest bits."""
        lowest = tf.bitcast(number, integer) & ((1 << self.bits) - 1)
        return tf.cast(lowest, tf.int32)


def _reciprocal(number: tf.Tensor) -> tf.Tensor:
    """Return 1/x, and 1 for zero."""
    return tf.where(number > 0, 1 / number, tf.ones_like(number))


def _reduce_rows(matrix: tf.Tensor, pairwise: Any, reduce: Any) -> tf.Tensor:
    """Reduce a matrix row by row, then along the one row that remains.

    XLA runs a plain reduction number by number, but this one with vector instructions.
    """
    rows = tf.unstack(matrix)
    while len(rows) > 1:
        rest = rows[-1:] if len(rows) % 2 else []
        pairs = zip(rows[::2], rows[1::2], strict=False)
        rows = [pairwise(a, b) for a, b in pairs] + rest
    return reduce(rows[0])

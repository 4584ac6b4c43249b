"""`row_sums` and `TrainingRows`: both sums against NumPy for any memory layout."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from recipes.linear_regression.solver import row_sums
from recipes.linear_regression.solver.training_rows import TrainingRows
from tests.recipes.linear_regression import reference

# A SMALL_BLOCK holds 2000 rows of 100 columns, or 1920 of 104.
SIZES = [1, 3, 15, 16, 17, 1919, 1920, 1921, 1999, 2000, 2001, 4000, 4007]
FEATURES = [100, 104]


def problem(n, d, dtype="float64", seed=0):
    random = np.random.default_rng([seed, n, d])
    x = (random.standard_normal((n, d)) + 0.5).astype(dtype)
    y = random.standard_normal(n) - 1
    weight = random.integers(0, 4, n) + 0.25
    return x, y, weight, random.standard_normal(d + 1) / np.sqrt(d)


def assert_moments(actual, x, y, weight, tolerance):
    """Compare with NumPy's, about the weighted means."""
    s, rows = reference.ones_unless(weight, x), np.column_stack([x, y])
    rows = rows.astype(np.float64)
    mean = s @ rows / s.sum()
    expected = s.sum(), mean, ((rows - mean).T * s) @ (rows - mean)
    for name, value, right in zip(actual._fields, actual, expected, strict=True):
        assert value.dtype == tf.float64
        error = np.linalg.norm(value - right)
        assert error <= tolerance * np.linalg.norm(right) + 1e-28, name


def squared_error(parts, theta, **arguments):
    """Compute the error of (w, b) about a centre."""
    center = np.linspace(-1, 1, len(theta) - 1)
    w, level = theta[:-1], theta[-1] + center @ theta[:-1] - 0.5
    error = row_sums.compute_squared_error(
        parts, *map(tf.constant, (np.append(center, 0.5), w, level)), **arguments
    )
    slope = error.gradient.numpy()
    slope[:-1] += center * slope[-1]
    return error._replace(gradient=slope)


def assert_error(actual, theta, x, y, weight, tolerance):
    n = reference.ones_unless(weight, x).sum()
    total = n * reference.smooth_loss(theta, x, y, weight)
    slope = n * reference.gradient(theta, x, y, weight)
    np.testing.assert_allclose(actual.weight, n, rtol=tolerance)
    np.testing.assert_allclose(actual.total, total, rtol=2 * tolerance)
    scale = np.abs(reference.with_ones(x)).sum() * np.sqrt(total / n)
    assert np.linalg.norm(actual.gradient - slope) <= tolerance * scale


@pytest.mark.parametrize("d", FEATURES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("dtype", "exact", "tolerance"),
    [("float64", True, 1e-12), ("float32", True, 1e-12), ("float32", False, 1e-6)],
)
@pytest.mark.slow
def test_sums_match_numpy_around_block_boundaries(d, weighted, dtype, exact, tolerance):
    for n in SIZES:
        x, y, weight, theta = problem(n, d, dtype)
        weight = weight if weighted else None
        arrays = (x, y) if weight is None else (x, y, weight)
        found = row_sums.compute_moments(row_sums.iterate_parts(*arrays), exact=exact)
        assert_moments(found, x, y, weight, tolerance)
        parts = row_sums.iterate_parts(*arrays)
        error = squared_error(parts, theta, exact=exact)
        assert_error(error, theta, x, y, weight, tolerance)


def test_data_of_different_widths_in_one_process():
    """Sums compiled for one width also work for another."""
    for d in (1, 3, 2, 7):
        x, y, _, theta = problem(20, d)
        found = row_sums.compute_moments(row_sums.iterate_parts(x, y), exact=True)
        assert_moments(found, x, y, None, 1e-12)
        error = squared_error(row_sums.iterate_parts(x, y), theta, exact=True)
        assert_error(error, theta, x, y, None, 1e-12)


@pytest.mark.parametrize("exact", [False, True])
def test_moments_of_rows_far_from_zero_and_of_weight_zero(exact):
    """Neither an offset of 2²⁰ spreads nor absent rows elsewhere change a digit."""
    random = np.random.default_rng(0)
    x = random.integers(-64, 64, (50, 3)) / 64
    y, weight = random.standard_normal(50), random.integers(0, 2, 50) * 1.5
    offset = 2.0**17  # exact in float32
    there = np.where(weight[:, np.newaxis] > 0, x + offset, -1e3).astype("float32")
    target = np.where(weight > 0, y, 1e30)
    parts = row_sums.iterate_parts(there, target, weight)
    found = row_sums.compute_moments(parts, exact=exact)
    tolerance = 1e-12 if exact else 1e-5
    keep = weight > 0
    expected = np.cov(x[keep].T, bias=True) * weight.sum()
    np.testing.assert_allclose(
        found.scatter[:-1, :-1], expected, rtol=tolerance, atol=tolerance
    )
    np.testing.assert_allclose(found.mean[:-1], x[keep].mean(0) + offset, rtol=1e-15)


def test_the_diagonal_of_moments():
    x, y, weight, _ = problem(50, 4)
    parts = TrainingRows(x, y, weight, 7).parts
    full = row_sums.compute_moments(parts, exact=True)
    found = row_sums.compute_moments(parts, exact=True, is_full=False)
    np.testing.assert_allclose(found.scatter, np.diag(full.scatter), rtol=1e-12)
    np.testing.assert_allclose(found.mean, full.mean, rtol=1e-12)
    np.testing.assert_allclose(found.variance, full.variance, rtol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("batch", [1, 7, 64, 100])
def test_sums_over_a_dataset_with_a_partial_last_batch(batch, weighted):
    x, y, weight, theta = problem(100, 5)
    data = TrainingRows(x, y, weight if weighted else None, batch)
    weight = weight if weighted else None
    found = row_sums.compute_moments(data.parts, exact=True)
    assert_moments(found, x, y, weight, 1e-12)
    error = squared_error(data.parts, theta, exact=True)
    assert_error(error, theta, x, y, weight, 1e-12)


@pytest.mark.parametrize("exact", [False, True])
def test_the_tapes_gradient_matches_finite_differences(exact):
    x, y, weight, theta = problem(50, 4)
    data = TrainingRows(x, y, weight, None).as_all_rows(np.zeros(5), exact=exact)
    point = tf.constant(theta)
    with tf.GradientTape() as tape:
        tape.watch(point)
        loss = 3 * data.mean_squared_error(point[:-1], point[-1])
    slopes = reference.finite_differences(
        lambda t: 3 * reference.smooth_loss(t, x, y, weight), theta
    )
    np.testing.assert_allclose(
        loss, 3 * reference.smooth_loss(theta, x, y, weight), rtol=1e-12
    )
    np.testing.assert_allclose(tape.gradient(loss, point), slopes, rtol=1e-7)


def aligned(n, d, dtype, offset=0):
    """Return an array that starts `offset` bytes after a multiple of 64."""
    size = n * d * np.dtype(dtype).itemsize
    memory = np.zeros(size + 128, np.uint8)
    start = -memory.ctypes.data % 64 + offset
    array = memory[start : start + size].view(dtype).reshape(n, d)
    array[:] = np.arange(n * d).reshape(n, d)
    return array


LENT = {
    "aligned": lambda: aligned(40, 16, "float32"),
    "width no multiple of 16": lambda: aligned(40, 3, "float32"),
    "first aligned row is the fourth": lambda: aligned(40, 12, "float32")[1:],
    "float64": lambda: aligned(40, 8, "float64"),
    "one row": lambda: aligned(1, 5, "float64"),
}
COPIED = {
    "16 bytes off": lambda: aligned(40, 16, "float32", offset=16),
    "odd address": lambda: aligned(40, 16, "float32", offset=2),
    "read-only": lambda: np.frombuffer(
        aligned(40, 16, "float32").tobytes(), "f4"
    ).reshape(40, 16),
}


@pytest.fixture
def sharing(monkeypatch):
    """Share arrays of any size."""
    monkeypatch.setattr(row_sums, "MIN_SHARED_BYTES", 0)


@pytest.mark.usefixtures("sharing")
@pytest.mark.parametrize("case", LENT | COPIED)
def test_parts_are_all_rows_in_order(case):
    x = (LENT | COPIED)[case]()
    y, weight = np.arange(len(x)) + 0.5, np.arange(len(x)) + 0.25
    pieces = list(row_sums.iterate_parts(x, y, weight))
    for got, expected in zip(zip(*pieces, strict=True), (x, y, weight), strict=True):
        np.testing.assert_array_equal(np.concatenate(got), expected)
        assert all(tensor.dtype == expected.dtype for tensor in got)


@pytest.mark.usefixtures("sharing")
@pytest.mark.parametrize("case", LENT)
def test_aligned_rows_are_shared_not_copied(case):
    x = LENT[case]()
    *_, (last, _) = row_sums.iterate_parts(x, np.zeros(len(x)))
    before = last.numpy()[-1, -1]
    x[-1, -1] += 1
    assert last.numpy()[-1, -1] == before + 1


@pytest.mark.usefixtures("sharing")
@pytest.mark.parametrize("case", COPIED)
def test_rows_that_cannot_be_shared_are_copied(case):
    x = COPIED[case]()
    expected = x.copy()
    pieces = list(row_sums.iterate_parts(x, np.zeros(len(x))))
    if x.flags.writeable:
        x[:] = -1
    np.testing.assert_array_equal(np.concatenate([p[0] for p in pieces]), expected)


def test_a_large_array_is_copied_in_pieces():
    n = 5 * row_sums.COPIED_PART_BYTES // (2 * 8 * 1000)
    x = np.broadcast_to(np.arange(1000.0), (n, 1000)).copy()
    x.flags.writeable = False
    pieces = [len(part[0]) for part in row_sums.iterate_parts(x, np.zeros(n))]
    assert sum(pieces) == n
    assert len(pieces) == 3


def views_of(x):
    """Return the same numbers in other memory layouts."""
    framed = np.zeros((len(x) + 1, x.shape[1] + 1), x.dtype)
    framed[1:, 1:] = x
    longer = np.vstack([x[:1], x])
    locked = x.copy()
    locked.flags.writeable = False
    return {
        "as it is": x,
        "without its first row": longer[1:],
        "read-only": locked,
        "Fortran order": np.asfortranarray(x),
        "a window of a wider array": framed[1:, 1:],
        "backwards": x[::-1].copy()[::-1],
        "other byte order": x.astype(x.dtype.newbyteorder()),
        "a list": x.tolist(),
    }


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("d", [3, 8, 16])
def test_training_rows_of_every_memory_layout(d, dtype):
    x, y, weight, _ = problem(30, d, dtype)
    for name, view in views_of(x).items():
        data = TrainingRows(view, y, weight, None)
        for _ in range(2):  # they are read as often as needed
            found = row_sums.compute_moments(data.parts, exact=True)
            assert_moments(found, x, y, weight, 1e-12)
        assert data.features == d, name


def test_the_address_of_the_rows_changes_no_bit():
    """A run gives the same numbers wherever its rows are in memory."""
    random = np.random.default_rng(0)
    for n, d, dtype in [(60, 4, "float64"), (60, 3, "float32"), (500, 16, "float32")]:
        x, y = random.standard_normal((n, d)), random.standard_normal(n)
        seen = set()
        for offset in (0, 8, 16, 32, 48):
            placed = aligned(n, d, dtype, offset)
            placed[:] = x
            data = TrainingRows(placed, y, None, None)
            seen.add(
                row_sums.compute_moments(data.parts, exact=True)
                .scatter.numpy()
                .tobytes()
            )
        assert len(seen) == 1, (n, d, dtype)


@pytest.mark.usefixtures("sharing")
def test_rows_of_either_precision_are_not_copied():
    for dtype in ("float32", "float64"):
        x = aligned(40, 8, dtype)
        (part,) = TrainingRows(x, np.zeros(40), None, None).parts
        x[-1, -1] = -5
        assert part[0].numpy()[-1, -1] == -5, dtype


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint8", "bool", "float16"])
def test_other_numbers_are_computed_in_float64(dtype):
    x = np.random.default_rng(0).integers(0, 2, (20, 3)).astype(dtype)
    y = np.arange(20)
    for batch_size in (None, 6):
        data = TrainingRows(x, y, None, batch_size)
        found = row_sums.compute_moments(data.parts, exact=True)
        assert_moments(found, x, y, None, 1e-12)
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(6)
    data = TrainingRows(dataset, None, None, None)
    found = row_sums.compute_moments(data.parts, exact=True)
    assert_moments(found, x, y, None, 1e-12)


def test_targets_may_be_a_column():
    x, y, weight, _ = problem(10, 2)
    for shape, batch_size in itertools.product([(10,), (10, 1)], [None, 4]):
        arrays = x, y.reshape(shape), weight.reshape(shape)
        data = TrainingRows(*arrays, batch_size)
        found = row_sums.compute_moments(data.parts, exact=True)
        assert_moments(found, x, y, weight, 1e-12)
        dataset = tf.data.Dataset.from_tensor_slices(arrays).batch(4)
        data = TrainingRows(dataset, None, None, None)
        found = row_sums.compute_moments(data.parts, exact=True)
        assert_moments(found, x, y, weight, 1e-12)


@pytest.mark.parametrize(
    ("x", "y", "weight", "message"),
    [
        (np.ones(3), np.ones(3), None, r"`x` should have shape.*\[3\]"),
        (np.ones((3, 2, 1)), np.ones(3), None, r"`x` should have shape.*\[3, 2, 1\]"),
        (np.ones((0, 2)), np.ones(0), None, r"`x` should have shape.*\[0, 2\]"),
        (np.ones((3, 0)), np.ones(3), None, r"`x` should have shape.*\[3, 0\]"),
        (np.ones((3, 2)), np.ones(4), None, r"`y` should have.*\[3\].*\[4\]"),
        (np.ones((3, 2)), np.ones((3, 2)), None, r"`y` should have.*\[3, 2\]"),
        (np.ones((3, 2)), np.ones((1, 3)), None, r"`y` should have.*\[1, 3\]"),
        (np.ones((3, 2)), None, None, "`y` should be given"),
        (
            np.ones((3, 2)),
            np.ones(3),
            np.ones(2),
            r"`sample_weight` should have.*\[2\]",
        ),
        (np.ones((3, 2)), np.ones(3), [1, -1, 1], "finite and not negative"),
        (np.ones((3, 2)), np.ones(3), [0, 0, 0], "not be zero for all"),
        (np.ones((3, 2)), np.ones(3), [1, np.nan, 1], "finite and not negative"),
    ],
)
def test_wrong_arrays_are_rejected(x, y, weight, message):
    with pytest.raises(ValueError, match=message):
        TrainingRows(x, y, weight, None)


def test_wrong_datasets_are_rejected():
    dataset = tf.data.Dataset.from_tensor_slices((np.ones((4, 2)), np.ones(4)))
    with pytest.raises(ValueError, match="brings its own"):
        TrainingRows(dataset.batch(2), np.ones(4), None, None)
    with pytest.raises(ValueError, match="should give batches"):
        TrainingRows(dataset, None, None, None)
    with pytest.raises(ValueError, match="Received elements"):
        TrainingRows(dataset.map(lambda x, y: x).batch(2), None, None, None)

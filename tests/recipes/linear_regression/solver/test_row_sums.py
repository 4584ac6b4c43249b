"""`row_sums` and `TrainingRows`: both sums against NumPy for any memory layout."""

import numpy as np
import pytest
import tensorflow as tf

from recipes import cores as cores_module
from recipes.linear_regression.solver import row_sums
from recipes.linear_regression.solver.predictor import Predictor
from recipes.linear_regression.solver.training_rows import TrainingRows
from tests.recipes.linear_regression import reference

# With `small_blocks`, of 3 columns a block has 4 rows and a task 32; of 4, 4 and 24.
SIZES = [1, 3, 4, 5, 8, 23, 24, 25, 31, 32, 33, 48, 64, 65, 200]


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(row_sums, "BLOCK_VALUES", 12)
    monkeypatch.setattr(row_sums, "TASK_VALUES", 96)


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
        assert value.dtype == np.float64
        error = np.linalg.norm(value - right)
        assert error <= tolerance * np.linalg.norm(right) + 1e-28, name


def squared_error(parts, theta):
    """Compute the error of (w, b) about a centre."""
    center = np.linspace(-1, 1, len(theta) - 1)
    w, level = theta[:-1], theta[-1] + center @ theta[:-1] - 0.5
    error = row_sums.compute_squared_error(parts, np.append(center, 0.5), w, level)
    assert error.served == error.total
    assert error.rounding == 0
    error.gradient[:-1] += center * error.gradient[-1]
    return error


def assert_error(actual, theta, x, y, weight, tolerance):
    n = reference.ones_unless(weight, x).sum()
    total = n * reference.smooth_loss(theta, x, y, weight)
    slope = n * reference.gradient(theta, x, y, weight)
    np.testing.assert_allclose(actual.weight, n, rtol=tolerance)
    np.testing.assert_allclose(actual.total, total, rtol=2 * tolerance)
    scale = np.abs(reference.with_ones(x)).sum() * np.sqrt(total / n)
    assert np.linalg.norm(actual.gradient - slope) <= tolerance * scale


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("d", [3, 4])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_match_numpy_around_block_boundaries(d, weighted, dtype):
    for n in SIZES:
        x, y, weight, theta = problem(n, d, dtype)
        weight = weight if weighted else None
        part = (x, y) if weight is None else (x, y, weight)
        assert_moments(row_sums.compute_moments([part]), x, y, weight, 1e-12)
        error = squared_error([part], theta)
        assert_error(error, theta, x, y, weight, 1e-12)
        moments = row_sums.compute_moments([part])
        level = theta[-1] + moments.mean[:-1] @ theta[:-1] - moments.mean[-1]
        same = moments.squared_error(theta[:-1], level)
        np.testing.assert_allclose(same.total, error.total, rtol=1e-10, atol=1e-25)


@pytest.mark.usefixtures("small_blocks")
def test_the_number_of_cores_changes_no_bit(monkeypatch):
    x, y, weight, theta = problem(1000, 5)
    seen = set()
    for cores in (1, 2, 3, 8):
        monkeypatch.setattr(cores_module.os, "cpu_count", lambda cores=cores: cores)
        moments = row_sums.compute_moments([(x, y, weight)])
        error = squared_error([(x, y, weight)], theta)
        seen.add((moments.scatter.tobytes(), error.gradient.tobytes(), error.total))
    assert len(seen) == 1


def test_moments_of_rows_far_from_zero_and_of_weight_zero():
    """Neither an offset of 2¹⁷ spreads nor absent rows elsewhere change a digit."""
    random = np.random.default_rng(0)
    x = random.integers(-64, 64, (50, 3)) / 64
    y, weight = random.standard_normal(50), random.integers(0, 2, 50) * 1.5
    offset = 2.0**17  # exact in float32
    there = np.where(weight[:, np.newaxis] > 0, x + offset, -1e3).astype("float32")
    target = np.where(weight > 0, y, 1e30)
    found = row_sums.compute_moments([(there, target, weight)])
    keep = weight > 0
    expected = np.cov(x[keep].T, bias=True) * weight.sum()
    np.testing.assert_allclose(
        found.scatter[:-1, :-1], expected, rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(found.mean[:-1], x[keep].mean(0) + offset, rtol=1e-15)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("value", [0.1, 1 / 3, -1e8 / 7, 3e-90])
def test_a_constant_column_has_no_variance(value):
    x = np.full((1000, 2), value)
    x[:, 1] = np.arange(1000)
    weight = np.random.default_rng(0).uniform(0, 1, 1000)
    for s in ((), (weight,)):
        found = row_sums.compute_moments([(x, x[:, 1], *s)])
        assert found.variance[0] == 0
        assert found.variance[1] > 0


@pytest.mark.usefixtures("small_blocks")
def test_blocks_without_weight_and_at_another_level_move_nothing():
    x, y, weight, theta = problem(100, 3)
    absent = np.full((40, 3), 1e9), np.full(40, -1e9), np.zeros(40)
    part = tuple(map(np.concatenate, zip(absent, (x, y, weight), absent, strict=True)))
    assert_moments(row_sums.compute_moments([part]), x, y, weight, 1e-12)
    assert_error(squared_error([part], theta), theta, x, y, weight, 1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_rows_whose_predictions_overflow_have_no_error_at_weight_zero(dtype):
    x, y, weight, theta = problem(20, 3)
    x[4], weight[4] = 1e200, 0
    keep = weight > 0
    error = squared_error([(x, y, weight)], theta)
    assert_error(error, theta, x[keep], y[keep], weight[keep], 1e-12)
    predictor = Predictor(theta[:-1, np.newaxis], theta[-1:], np.zeros(3), dtype)
    mean = np.zeros(4)
    found, expected = (
        row_sums.compute_squared_error([part], mean, theta[:-1], theta[-1], predictor)
        for part in [(x, y, weight), (x[keep], y[keep], weight[keep])]
    )
    assert found.served == pytest.approx(expected.served, rel=1e-12)
    assert np.isfinite(found.served)


def test_blocks_of_wide_rows_are_no_larger_than_others(monkeypatch):
    monkeypatch.setattr(row_sums, "BLOCK_VALUES", 600)
    monkeypatch.setattr(row_sums, "TASK_VALUES", 1200)
    seen = []

    def count(x, y):
        seen.append(x.size)
        return [np.zeros(1)]

    row_sums._sum_over_blocks([(np.ones((50, 200)), np.ones(50))], count)
    assert max(seen) == 600
    assert row_sums.rows_per_task(200) * 200 == 1200


@pytest.mark.parametrize("n", [3, 700, 1500])
def test_the_number_of_blas_threads_changes_no_bit(n):
    x, y, _, theta = problem(n, 600)
    seen = set()
    for threads in (1, 2):
        with cores_module.limit_blas_threads(threads):
            moments = row_sums.compute_moments([(x, y)])
            error = squared_error([(x, y)], theta)
        seen.add((moments.scatter.tobytes(), error.gradient.tobytes()))
    assert len(seen) == 1


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_the_error_of_what_is_served(dtype):
    x, y, weight, theta = problem(300, 3)
    center = x.mean(0)
    predictor = Predictor(theta[:-1, np.newaxis], theta[-1:], center, dtype)
    served = np.asarray(predictor(x), np.float64)[:, 0]
    level = theta[-1] + center @ theta[:-1] - y.mean()
    mean = np.append(center, y.mean())
    error = row_sums.compute_squared_error(
        [(x, y, weight)], mean, theta[:-1], level, predictor
    )
    expected = weight @ (served - y) ** 2
    assert error.served == pytest.approx(expected, rel=1e-12)
    moved = expected - weight @ (x @ theta[:-1] + theta[-1] - y) ** 2
    assert error.rounding == pytest.approx(moved, rel=1e-9, abs=1e-10)
    assert (error.rounding == pytest.approx(0, abs=1e-10)) == (dtype == "float64")


def test_the_diagonal_of_moments():
    x, y, weight, _ = problem(50, 4)
    full = row_sums.compute_moments([(x, y, weight)])
    found = row_sums.compute_moments([(x, y, weight)], is_full=False)
    np.testing.assert_allclose(found.scatter, np.diag(full.scatter), rtol=1e-12)
    np.testing.assert_allclose(found.mean, full.mean, rtol=1e-12)
    np.testing.assert_allclose(found.variance, full.variance, rtol=1e-12)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("batch", [1, 7, 64, 100])
def test_sums_over_a_dataset_are_those_over_its_rows(batch, weighted):
    x, y, weight, theta = problem(100, 5)
    arrays = (x, y, weight) if weighted else (x, y)
    dataset = tf.data.Dataset.from_tensor_slices(arrays).batch(batch)
    data = TrainingRows(dataset, None, None)
    found = row_sums.compute_moments(data.parts)
    expected = row_sums.compute_moments([arrays])
    np.testing.assert_array_equal(found.scatter, expected.scatter)
    error = squared_error(data.parts, theta)
    assert_error(error, theta, x, y, weight if weighted else None, 1e-12)


def test_no_rows_are_an_error():
    with pytest.raises(ValueError, match="at least one row"):
        row_sums.compute_moments([])
    with pytest.raises(ValueError, match="at least one row"):
        row_sums.compute_moments([(np.ones((0, 2)), np.ones(0))])


def test_the_tapes_gradient_matches_finite_differences():
    x, y, weight, theta = problem(50, 4)
    rows = TrainingRows(x, y, weight)
    data = rows.as_all_rows(np.zeros(5))
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
        data = TrainingRows(view, y, weight)
        for _ in range(2):  # they are read as often as needed
            found = row_sums.compute_moments(data.parts)
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
            data = TrainingRows(placed, y, None)
            seen.add(row_sums.compute_moments(data.parts).scatter.tobytes())
        assert len(seen) == 1, (n, d, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_are_not_copied(dtype):
    x = np.zeros((40, 8), dtype)
    ((rows, *_),) = TrainingRows(x, np.zeros(40), None).parts
    assert np.shares_memory(rows, x)


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint8", "bool", "float16"])
def test_other_numbers_are_computed_in_float64(dtype):
    x = np.random.default_rng(0).integers(0, 2, (20, 3)).astype(dtype)
    y = np.arange(20)
    data = TrainingRows(x, y, None)
    found = row_sums.compute_moments(data.parts)
    assert_moments(found, x, y, None, 1e-12)
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(6)
    data = TrainingRows(dataset, None, None)
    found = row_sums.compute_moments(data.parts)
    assert_moments(found, x, y, None, 1e-12)


def test_targets_may_be_a_column():
    x, y, weight, _ = problem(10, 2)
    for shape in ((10,), (10, 1)):
        arrays = x, y.reshape(shape), weight.reshape(shape)
        data = TrainingRows(*arrays)
        found = row_sums.compute_moments(data.parts)
        assert_moments(found, x, y, weight, 1e-12)
        dataset = tf.data.Dataset.from_tensor_slices(arrays).batch(4)
        data = TrainingRows(dataset, None, None)
        found = row_sums.compute_moments(data.parts)
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
        TrainingRows(x, y, weight)


def test_wrong_datasets_are_rejected():
    dataset = tf.data.Dataset.from_tensor_slices((np.ones((4, 2)), np.ones(4)))
    with pytest.raises(ValueError, match="brings its own"):
        TrainingRows(dataset.batch(2), np.ones(4), None)
    with pytest.raises(ValueError, match="should give batches"):
        TrainingRows(dataset, None, None)
    with pytest.raises(ValueError, match="Received elements"):
        TrainingRows(dataset.map(lambda x, y: x).batch(2), None, None)

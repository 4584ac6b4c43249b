"""Linear regression compared with scikit-learn, oneDAL and the article's loop.

`make bench` runs it and writes `results/linear_regression.md` and `.svg`. This recipe
starts from zero in every run; its time includes the certificate, also shown alone.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import sklearn.linear_model
import tensorflow as tf
import threadpoolctl
from matplotlib.figure import Figure

from benchmarks.measure import (
    RESULTS,
    in_turn,
    machine,
    peak_bytes_over_baseline,
    seconds,
    table,
)
from recipes.linear_regression.model import LinearRegression
from recipes.linear_regression.solver import row_sums

ROWS, FEATURES = 1_000_000, 100
EXCESS = 1e-10


def make_data(n: int, features: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Make normal columns and a linear target with as much noise as one weight."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, features), dtype=np.float32)
    weights = np.random.default_rng(1).standard_normal(features).astype(np.float32)
    y = x @ weights + rng.standard_normal(n, dtype=np.float32)
    return x, y


def excess(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], float]:
    """Return θ ↦ relative excess loss, in float64 NumPy without the recipe's code."""
    gram, cross, n = 0.0, 0.0, len(x)
    for i in range(0, n, 100_000):
        z = np.column_stack([x[i : i + 100_000], np.ones(len(x[i : i + 100_000]))])
        z = z.astype(np.float64)
        gram = gram + z.T @ z
        cross = cross + z.T @ y[i : i + 100_000].astype(np.float64)
    best = np.linalg.solve(gram, cross)
    square = float(y.astype(np.float64) @ y.astype(np.float64))
    least = (square - cross @ best) / n

    def excess_of(theta: np.ndarray) -> float:
        away = np.asarray(theta, np.float64).reshape(-1) - best
        return float(away @ gram @ away / n / least)

    return excess_of


def article_loop(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Run the article's listing, corrected: 1000 steps at a learning rate of 0.01."""
    theta = np.zeros(x.shape[1], np.float32)
    for _ in range(1000):
        y_pred = x @ theta
        theta -= np.float32(0.01 * 2 / len(x)) * (x.T @ (y_pred - y))
    return np.append(theta, 0.0)


def ours(x: Any, y: Any = None, **settings: Any) -> Callable[[], LinearRegression]:
    """Return a function that fits from zero; its first call traces the model."""
    model = LinearRegression(**{"tolerance": EXCESS, **settings})

    def fit() -> LinearRegression:
        if model.built:
            model.reset()
        model.fit(x, y, verbose=0)
        return model

    return fit


def theta_of(fitted: Any) -> np.ndarray:
    """Return (w, b) of this recipe or of a scikit-learn estimator."""
    if isinstance(fitted, LinearRegression):
        return np.append(fitted.linear.kernel, fitted.linear.bias)
    if isinstance(fitted, np.ndarray):
        return fitted
    return np.append(fitted.coef_, fitted.intercept_)


def peers(x: np.ndarray, y: np.ndarray) -> dict[str, Callable[[], Any]]:
    """Return the fits of the other programs that are installed, by name."""
    linear_model = sklearn.linear_model
    known = {
        "scikit-learn LinearRegression": linear_model.LinearRegression(),
        "scikit-learn Ridge(cholesky)": linear_model.Ridge(1e-6, solver="cholesky"),
    }
    try:
        import sklearnex.linear_model
    except ImportError:
        warnings.warn(
            "scikit-learn-intelex is not installed: its rows are omitted", stacklevel=1
        )
    else:
        known = {
            "scikit-learn-intelex": sklearnex.linear_model.LinearRegression(),
            **known,
        }
    return {name: lambda e=e: e.fit(x, y) for name, e in known.items()}


def compare() -> str:
    """Compare times and quality of all programs on one large data set in memory."""
    x, y = make_data(ROWS, FEATURES)
    excess_of = excess(x, y)
    part, zero = (
        list(row_sums.iterate_parts(x, y)),
        tf.zeros([FEATURES + 1], tf.float64),
    )
    fits = {"this recipe, certificate included": ours(x, y), **peers(x, y)}
    fast = [name for name in fits if "scikit-learn " not in name]
    measured = in_turn({name: fits[name] for name in fast}, runs=9)
    for name in fits.keys() - set(fast):
        measured[name] = seconds(fits[name])
    _, mine, _ = measured["this recipe, certificate included"]
    lines = []
    for name in fits:
        first, median, fitted = measured[name]
        lines.append(
            [name, f"{median:.3f}", f"{max(first - median, 0):.2f}",
             f"{mine / median:.2f}", f"{excess_of(theta_of(fitted)):.1e}"]
        )  # fmt: skip
    _, proof, _ = seconds(
        lambda: row_sums.compute_squared_error(part, zero, exact=True).total.numpy(),
        runs=9,
    )
    lines.insert(1, ["— of which the certificate's pass", f"{proof:.3f}", "", "", ""])
    begin = time.perf_counter()
    theta = article_loop(x, y)
    loop = time.perf_counter() - begin
    lines.append(
        ["the article's loop, 1000 steps", f"{loop:.1f}", "", f"{mine / loop:.4f}",
         f"{excess_of(theta):.1e}"]
    )  # fmt: skip
    head = (
        "program",
        "fit, s",
        "compilation or first, s",
        "ours / it",
        "rel. excess loss",
    )
    return (
        f"## {ROWS:,} × {FEATURES} float32, in memory\n\n{table(head, lines)}\n\n"
        f"{step(x, y)}\n"
    )


def step(x: np.ndarray, y: np.ndarray) -> str:
    """Compare a step over all rows with the rate at which memory can be read."""
    part = list(row_sums.iterate_parts(x, y))
    theta = tf.zeros([FEATURES + 1], tf.float64)
    works = {
        "read": lambda: tf.reduce_sum(part[-1][0]).numpy(),
        "step": lambda: row_sums.compute_squared_error(
            part, theta, exact=False
        ).total.numpy(),
    }
    measured = in_turn(works, runs=25, pause=0)
    read, stepping = (x.nbytes / measured[name][1] / 1e9 for name in works)
    return (
        f"A step of `method=full` (loss and gradient over all rows) reads x once, at "
        f"{stepping:.1f} GB/s; a plain sum of x reads it at {read:.1f} "
        f"GB/s: {stepping / read:.0%} of the machine's rate."
    )


def memory() -> str:
    """Measure the peak of a fit above the memory of the process with its data."""
    baseline, peak = peak_bytes_over_baseline("benchmarks.linear_regression.memory")
    data = ROWS * FEATURES * 4
    return (
        f"Memory: the data are {data / 1e6:.0f} MB; a fit peaks "
        f"{(peak - baseline) / 1e6:.0f} MB above a process that holds them and has "
        f"trained on a small set: {1 + (peak - baseline) / data:.2f} × the data."
    )


def streamed(n: int, folder: Path) -> tf.data.Dataset:
    """Write rows to a file, 4000 per record, dropped from the system's cache."""
    block = 4000
    path = folder / "rows.f32"
    with path.open("wb") as file:
        for i in range(n // block):
            x, y = make_data(block, FEATURES, seed=i)
            np.column_stack([x, y]).tofile(file)
        file.flush()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def parse(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        values = tf.reshape(tf.io.decode_raw(record, tf.float32), [block, FEATURES + 1])
        return values[:, :-1], values[:, -1]

    records = tf.data.FixedLengthRecordDataset(str(path), block * (FEATURES + 1) * 4)
    return records.map(parse, num_parallel_calls=2).prefetch(4)


def growth() -> tuple[str, dict[str, dict[str, list[tuple[float, float]]]]]:
    """Measure how the time grows with rows and features: a table and the curves."""
    curves: dict[str, dict[str, list[tuple[float, float]]]] = {}
    lines, names = [], []
    by_rows = [(n, FEATURES) for n in (10_000, 100_000, 1_000_000)]
    by_features = [(100_000, features) for features in (10, 100, 500, 1000, 2000)]
    for axis, sizes in (("rows", by_rows), ("features", by_features)):
        curves[axis] = {}
        for n, features in sizes:
            times = seconds_at(n, features)
            names = list(times)
            for name, value in times.items():
                point = (n if axis == "rows" else features, value)
                curves[axis].setdefault(name, []).append(point)
            lines.append(
                [f"{n:,} × {features:,}", *(f"{v:.3f}" for v in times.values())]
            )
    n = 10_000_000
    with tempfile.TemporaryDirectory() as folder:
        data = streamed(n, Path(folder))
        begin = time.perf_counter()
        ours(data)()
        mine = time.perf_counter() - begin
    curves["rows"]["this recipe"].append((n, mine))
    last = [f"{n:,} × {FEATURES}, from disk, once", f"{mine:.1f}"]
    lines.append(last + ["—"] * (len(names) - 1))
    head = ("rows × features", *names)
    return f"## Growth (fit, s)\n\n{table(head, lines)}\n", curves


def seconds_at(n: int, features: int) -> dict[str, float]:
    """Return each program's seconds on one size."""
    x, y = make_data(n, features)
    _, mine, model = seconds(ours(x, y))
    if not model.certificate["converged"]:
        raise RuntimeError(f"not converged at {n} × {features}: {model.certificate}")
    times = {"this recipe": mine}
    for name, fit in peers(x, y).items():
        times[name] = seconds(fit)[1]
    return times


def plot(curves: dict[str, dict[str, list[tuple[float, float]]]], path: Path) -> None:
    """Plot time against rows and against features, on logarithmic axes."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    titles = {"rows": f"{FEATURES} features", "features": "100,000 rows"}
    for axes, (axis, programs) in zip(
        figure.subplots(1, 2), curves.items(), strict=True
    ):
        for name, points in programs.items():
            axes.loglog(*zip(*points, strict=True), "o-", label=name)
        axes.set(xlabel=axis, ylabel="fit, seconds", title=titles[axis])
        axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Run everything and write the results."""
    kernels = {
        f"{p['internal_api']} {p.get('architecture') or ''}".strip()
        + f" ×{p['num_threads']}"
        for p in threadpoolctl.threadpool_info()
    }
    text = [
        "# Linear regression: measurements\n",
        f"{machine()}. TensorFlow {tf.__version__}, scikit-learn "
        f"{sklearn.__version__}; {', '.join(sorted(kernels))}. Medians of at least "
        "3 runs after a first one; written by `make bench`.\n",
        compare(),
        memory() + "\n",
    ]
    print("\n".join(text))
    grown, curves = growth()
    RESULTS.mkdir(exist_ok=True)
    plot(curves, RESULTS / "linear_regression.svg")
    text += [grown, "![Time against rows and features](linear_regression.svg)\n"]
    (RESULTS / "linear_regression.md").write_text("\n".join(text), encoding="utf-8")
    print(grown)


if __name__ == "__main__":
    main()

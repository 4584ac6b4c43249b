"""The benchmark's programs on a few rows."""

import numpy as np
import pytest

from benchmarks.data import store
from benchmarks.linear_regression import programs, stream
from benchmarks.linear_regression.data import excess, make_data


@pytest.fixture
def stored(tmp_path):
    x, y = make_data(2_000, 5)
    return store({"x": x, "y": y}, tmp_path / "rows")


@pytest.mark.parametrize("program", ["ours", "ours_loose", "sklearn", "ridge"])
def test_programs_find_the_optimum(program, stored):
    subject = programs.make(program)
    subject.load(stored)
    assert subject.fit()["seconds"] > 0
    assert abs(excess(*make_data(2_000, 5))(subject.answer())) < 1e-9


def test_the_excess_is_that_of_the_loss():
    x, y = make_data(500, 3)
    theta = np.array([1.0, 0.0, 0.0, 0.0])
    z = np.column_stack([x, np.ones(500)]).astype(np.float64)
    best = np.linalg.lstsq(z, y.astype(np.float64))[0]
    loss, least = (np.mean((z @ each - y) ** 2) for each in (theta, best))
    assert excess(x, y)(theta) == pytest.approx(loss / least - 1)


def test_what_is_measured_besides_the_fit(stored):
    ours = programs.make("ours")
    ours.load(stored)
    assert ours.certificate_seconds(1) > 0
    assert all(rate > 0 for rate in ours.rates(1).values())
    before, peak = ours.peak_bytes()
    assert 0 < before <= peak


def test_rows_from_disk(tmp_path):
    stream.write(tmp_path / "rows.f32", 2 * stream.BLOCK, 3)
    ours = programs.make("ours")
    ours.fit_stream(tmp_path / "rows.f32", 3)
    x, y = (
        np.concatenate(each)
        for each in zip(
            *(make_data(stream.BLOCK, 3, seed=i) for i in range(2)), strict=True
        )
    )
    assert abs(excess(x, y)(ours.answer())) < 1e-9


def test_the_article_descends(stored):
    found = programs.article_loop(stored)
    assert excess(*make_data(2_000, 5))(found["theta"]) < 0.01

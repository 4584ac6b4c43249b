"""The report's figures of a classifier's scores, and its mistakes."""

import io
import re

import numpy as np
import pytest
import scipy.sparse
from matplotlib import image

from recipes.pipeline import evaluation, report
from recipes.pipeline.report import classification
from recipes.pipeline.report.classification import reliability, roc
from tests.recipes.pipeline.report.classification.test_sections import (
    about_of,
    plain,
    quoted_in,
    rows_of,
    scores_of,
    target_of,
    texts,
)
from tests.recipes.pipeline.report.test_report import column, numbers_in

# The curves.


def separation_of(k, n=400, **kwargs):
    target = target_of(*(f"c{i}" for i in range(k)))
    (grid,) = classification.separation(target, rows_of(n, k, **kwargs)).body
    return grid.blocks


@pytest.mark.parametrize("probable", [False, True])
def test_areas_of_two_classes_are_the_scores(probable):
    decisions = rows_of(400, 2, probable=probable)
    roc, precision = separation_of(2, probable=probable)
    area = report.number(scores_of(decisions)["auc"], 3)
    assert numbers_in(roc.caption) == [area, "0.5"] and numbers_in(roc.alt) == [area]
    assert numbers_in(precision.alt)[0] in numbers_in(precision.caption)
    assert numbers_in(precision.caption)[-1] == "50"
    assert set(quoted_in(roc.caption + precision.caption)) == {"c1"}


def test_several_classes_have_a_curve_each_and_their_mean():
    decisions = rows_of(400, 3)
    roc, _ = separation_of(3)
    labels = " ".join(texts(roc.svg))
    assert f"mean of all {scores_of(decisions)['auc']:.3f}" in labels
    assert all(f"c{i} 0." in labels for i in range(3))
    assert numbers_in(roc.caption) == ["0.5"]


def test_of_many_classes_the_worst_are_shown():
    target = np.repeat(np.arange(9), 20)
    rng = np.random.default_rng(0)
    scores = np.eye(9)[target] * 9
    for hard in (0, 2, 3, 5, 8):
        scores[:, hard] = rng.normal(size=180)
    decisions = evaluation.decide(target, scores)
    levels = target_of(*(f"c{i}" for i in range(9)))
    (grid,) = classification.separation(levels, decisions).body
    for figure in grid.blocks:
        names = re.findall(r"\bc\d", " ".join(texts(figure.svg)))
        assert sorted(names) == ["c0", "c2", "c3", "c5", "c8"]
        assert numbers_in(figure.caption)[-2:] == ["9", "5"]


def test_the_mean_of_curves():
    make = roc.Curve
    half = make("", np.array([0, 0, 1.0]), np.array([0, 1, 1.0]), 1.0)
    line = make("", np.array([0, 1.0]), np.array([0, 1.0]), 0.5)
    mean = roc._average([half, line], steps=False)
    assert mean.area == 0.75
    assert np.interp(0.5, mean.x, mean.y) == pytest.approx(0.75)
    assert (mean.x[0], mean.y[0]) == (0, 0)
    # Steps hold from the left: the height at a recall is that of the next point.
    one = make("", np.array([0, 0.5, 1.0]), np.array([1, 0.8, 0.4]), 0.6)
    flat = make("", np.array([0, 1.0]), np.array([1, 0.2]), 0.2)
    mean = roc._average([one, flat], steps=True)
    heights = dict(zip(mean.x.round(4), mean.y, strict=True))
    assert heights[0] == 1
    assert heights[0.25] == heights[0.5] == pytest.approx(0.5)
    assert heights[0.75] == pytest.approx(0.3)


def test_curves_of_many_rows_are_thinned_and_keep_their_ends():
    rng = np.random.default_rng(0)
    x, y = np.sort(rng.random((2, 50_000)))
    x[[0, -1]] = y[[0, -1]] = 0, 1
    found = roc._thin(x, y)
    assert 300 < len(found[0]) <= 400
    assert [each[[0, -1]].tolist() for each in found] == [[0, 1], [0, 1]]
    grid = np.linspace(0, 1, 100)
    difference = np.interp(grid, *found) - np.interp(grid, x, y)
    assert np.abs(difference).max() < 0.01


def test_one_class_alone_has_no_curve():
    decisions = evaluation.decide([1, 1], [[0.5], [-1.0]])
    (words,) = classification.separation(target_of("no", "yes"), decisions).body
    assert quoted_in(words.text) == ["yes"]


def test_classes_without_rows_have_no_curve():
    decisions = evaluation.decide([0, 2, 0, 2], np.eye(3)[[0, 2, 1, 2]])
    (grid,) = classification.separation(target_of("c0", "c1", "c2"), decisions).body
    names = re.findall(r"\bc\d", " ".join(texts(grid.blocks[0].svg)))
    assert sorted(names) == ["c0", "c2"]


# Calibration.


def test_calibration_by_hand():
    """At 0.25 half of the rows happen; at 0.95 all of them do."""
    p = np.repeat([0.25, 0.95], [40, 60])
    target = np.append(np.arange(40) % 2, np.ones(60, int))
    decisions = evaluation.decide(target, p[:, None] - 0.5, np.stack((1 - p, p), 1))
    (grid,) = classification.calibration(target_of("no", "yes"), decisions).body
    curve, histogram = grid.blocks
    # (40 · 0.25 + 60 · 0.05) / 100
    assert numbers_in(curve.caption) == ["13", "95"]
    assert quoted_in(curve.caption) == ["yes"]
    assert numbers_in(histogram.caption) == ["90", "60"]
    assert {"yes", "no"} <= set(texts(histogram.svg))


def test_calibration_of_several_classes_is_of_the_predicted_one():
    p = np.array([[0.6, 0.2, 0.2]] * 10)
    target = np.array([0] * 5 + [1] * 5)
    decisions = evaluation.decide(target, p, p)
    (grid,) = classification.calibration(target_of("a", "b", "c"), decisions).body
    assert numbers_in(grid.blocks[0].caption) == ["10", "95"]
    assert {"correct", "wrong"} <= set(texts(grid.blocks[1].svg))


def test_calibration_needs_probabilities():
    with pytest.raises(ValueError, match="needs probabilities"):
        classification.calibration(target_of("a", "b"), rows_of(10, 2, probable=False))


def test_interval_of_a_share():
    low, high = reliability._interval(np.array([0.0, 0.5]), np.array([10, 40]))
    # Wilson's interval, as R's prop.test(correct=FALSE) gives it.
    np.testing.assert_allclose(low, [0, 0.35199], atol=1e-4)
    np.testing.assert_allclose(high, [0.27754, 0.64801], atol=1e-4)


# The mistakes.


def mistakes_of(decisions, features, columns, levels=("no", "yes")):
    about = about_of(target_of(*levels), columns)
    return classification.mistakes(about, features, decisions).body


def test_mistakes_are_listed_most_confident_first_with_raw_values():
    p = np.array([0.1, 0.9, 0.7, 0.4, 0.8])
    decisions = evaluation.decide(
        [0, 0, 0, 1, 1], p[:, None] - 0.5, np.stack((1 - p, p), 1)
    )
    features = np.array([[0, 0], [1.5, 1], [20, np.nan], [np.nan, 0], [0, 0]], "f4")
    columns = [column("age", "years"), column("sex", "", ("male", "female"))]
    _, table = mistakes_of(decisions, features, columns)
    heads = [row[0] for row in table.cells]
    assert [(*numbers_in(cell.text), *quoted_in(cell.text)) for cell in heads] == [
        ("1", "no", "yes"),
        ("2", "no", "yes"),
        ("3", "yes", "no"),
    ]
    assert [plain(cell.note) for cell in heads] == [
        "age 1.500 years; sex female",
        "age 20 years; sex blank",
        "age blank; sex male",
    ]
    assert [plain(row[1]) for row in table.rows] == ["90 %", "70 %", "60 %"]
    assert numbers_in(table.caption)[0] == "3"


def test_without_probabilities_the_lead_of_the_score_counts():
    decisions = evaluation.decide([0, 1, 1], [[0.5], [-2.0], [1.0]])
    _, table = mistakes_of(decisions, np.zeros((3, 1)), [column("a")])
    assert [row[1] for row in table.rows] == ["2", "0.500"]
    scores = [[3.0, 1.0, 2.5], [0, 0, 0.25]]
    decisions = evaluation.decide([1, 0], scores)
    _, table = mistakes_of(decisions, np.zeros((2, 1)), [column("a")], "abc")
    assert [row[1] for row in table.rows] == ["2", "0.250"]


@pytest.mark.parametrize("layout", [np.asarray, scipy.sparse.csr_array])
def test_of_many_columns_the_unusual_ones_are_shown(layout):
    features = np.zeros((30, 50), np.float32)
    features[::2] = 1
    features[3, 10:18] = 100
    target = (np.arange(30) == 3).astype(int)
    decisions = evaluation.decide(target, np.full((30, 1), -1.0))
    _, table = mistakes_of(
        decisions, layout(features), [column(f"x{i}") for i in range(50)]
    )
    ((head, _),) = table.cells
    assert head.note == "; ".join(f"x{i} 100" for i in range(10, 18))
    assert "8" in numbers_in(table.caption)


def test_of_many_mistakes_the_most_confident_are_shown():
    decisions = evaluation.decide(np.zeros(2000, int), np.arange(1, 2001.0)[:, None])
    _, table = mistakes_of(decisions, np.zeros((2000, 1)), [column("a")])
    assert [row[0].text.split(":")[0] for row in table.cells] == [
        f"Row {i}" for i in range(1999, 1989, -1)
    ]
    assert numbers_in(table.caption)[:2] == ["10", "2,000"]


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 1), (2, 3, 3), (2, 3, 2)])
@pytest.mark.parametrize("layout", [np.asarray, scipy.sparse.csr_array])
def test_mistakes_with_images_are_shown(shape, layout):
    decisions = evaluation.decide([0, 1, 1], [[2.0], [1.0], [-3.0]])
    rng = np.random.default_rng(0)
    features = rng.integers(0, 17, (3, np.prod(shape))).astype(np.float32)
    features[0, 0], features[1, 0] = 16, 0
    target = target_of("no", "yes")
    about = about_of(target, [column("p")] * features.shape[1], shape)
    _, pictures = classification.mistakes(about, layout(features), decisions).body
    names = [quoted_in(each.text) for each in pictures.items]
    assert names == [["yes", "no"], ["no", "yes"]]
    assert [each.note for each in pictures.items] == ["3, row 2", "2, row 0"]
    assert pictures.pixelated
    shown = image.imread(io.BytesIO(pictures.items[1].png))[..., :3]
    expected = features[0].reshape(2, 3, -1) / 16
    if expected.shape[-1] != 3:
        expected = np.repeat(expected.mean(axis=-1, keepdims=True), 3, axis=-1)
    np.testing.assert_allclose(shown, expected, atol=0.5 / 255 + 1e-6)


def test_without_mistakes_there_is_a_sentence():
    decisions = evaluation.decide([0, 1], [[-1.0], [1.0]])
    (words,) = mistakes_of(decisions, np.zeros((2, 1)), [column("a")])
    assert isinstance(words, report.Paragraph) and words.text

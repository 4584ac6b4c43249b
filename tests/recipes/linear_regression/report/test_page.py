"""The report of a linear regression, built from numbers alone."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from recipes.linear_regression.report import page
from recipes.linear_regression.report.coefficients import (
    Coefficient,
    Coefficients,
    coefficient_section,
)
from recipes.pipeline import report
from recipes.pipeline.datasets import Column, Data, Description, Examples

CONVERGED = {
    "loss": 2868.3000001,
    "optimal_loss": 2868.3,
    "relative_excess_loss": 3e-11,
    "gradient_norm": 1.59e-4,
    "condition_number": 436.6,
    "iterations": 158,
    "converged": True,
    "stop_reason": "tolerance",
}
STOPPED = CONVERGED | {
    "relative_excess_loss": 0.0321,
    "converged": False,
    "stop_reason": "max_iterations",
    "iterations": 3,
}
STALLED = STOPPED | {"stop_reason": "stalled"}
HISTORY = 2868.3 + np.array([100.0, 10.0, 0.0, -1e-13])
TARGET = Column("price", unit="$")


def slope(name, estimate, scale=1.0, error=None, unit=""):
    if error is None:
        return Coefficient(name, unit, estimate, scale)
    bounds = estimate - 2 * error, estimate + 2 * error
    return Coefficient(name, unit, estimate, scale, error, *bounds)


INTERCEPT = slope("intercept", 3.0, 0.0, 0.5)


def text(html):
    """Return the visible text, with ordinary spaces and minus signs."""
    plain = re.sub("<[^>]*>", "", html)
    return plain.replace("\N{NO-BREAK SPACE}", " ").replace("\N{MINUS SIGN}", "-")


def render(section):
    return report.render(report.Page("t", "o", (), (section,)))


def make_page(fit=CONVERGED, history=HISTORY, r2=0.45):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 2)).astype(np.float32)
    target = features @ [1.0, 2.0] + rng.normal(size=40)
    train = Examples(features[:30], target[:30])
    test = Examples(features[30:], target[30:])
    columns = Column("a", unit="m"), Column("b", unit="m")
    about = Description("houses", "houses.csv", True, columns, TARGET, "regression")
    scores = {"mse": 2937.0, "rmse": 54.2, "mae": 43.0, "r2": r2}
    metrics = {
        "train": scores,
        "test": scores,
        "baseline": scores | {"rmse": 77.0},
        "certificate": fit,
        "seconds": {"fit": 0.42},
        "versions": {"python": "3.12.3", "recipes": "1.2.3"},
    }
    coefficients = Coefficients(INTERCEPT, [slope("a", 1.0, error=0.1)])
    command = ["python", "-m", "recipes.linear_regression", "--dataset=houses.csv"]
    data = Data(train, test, about)
    # Like the output of a model: a float32 column.
    predictions = tuple(
        rows.target[:, None].astype(np.float32) + 0.1 for rows in (train, test)
    )
    return page.build_page(data, metrics, predictions, history, coefficients, command)


def test_page_has_every_section_and_states_the_outcome():
    page = make_page()
    assert page.title == "Linear regression on houses"
    assert page.outcome.replace("\N{NO-BREAK SPACE}", " ") == (
        "On 10 test rows, linear regression explains 45 % of the variance of ‘price’ "
        "(root mean square error 54.2 $); the fit is the optimum to 1 part in 10¹⁰."
    )
    assert [section.title for section in page.sections] == [
        "Scores",
        "Certificate",
        "Predicted against actual",
        "Residuals",
        "Coefficients",
        "Data",
        "Reproduce this run",
    ]
    shown = text(report.render(page))
    for expected in (
        "54.20",
        "77",
        "0.450",
        "--dataset=houses.csv",
        "1.2.3",
        "0.420 s",
    ):
        assert expected in shown


def test_page_is_small():
    assert len(report.render(make_page())) < 100_000


@pytest.mark.parametrize(
    ("fit", "verdict"),
    [
        (STOPPED, "gradient descent has not converged: the loss is 3.21 % above"),
        (
            STALLED | {"relative_excess_loss": None},
            "gradient descent has not converged.",
        ),
    ],
)
def test_outcome_states_that_it_has_not_converged(fit, verdict):
    page = make_page(fit)
    assert verdict in page.outcome.replace("\N{NO-BREAK SPACE}", " ")
    numbers, _ = page.opening
    assert ("Not converged", "bad") in [(n.value, n.tone) for n in numbers.items]


def test_certificate_explains_every_number():
    section = page.certificate_section(CONVERGED, HISTORY)
    notice, grid = section.body
    table = grid.blocks[0]
    assert notice.tone == "good" and "158" in notice.text
    assert "1 part in\N{NO-BREAK SPACE}10¹⁰" in notice.text
    shown = {row[0].text: row[1].text for row in table.cells}
    assert shown == {
        "Loss": "2,868",
        "Optimal loss": "2,868",
        "Relative excess loss": report.number(3e-11),
        "Gradient norm": report.number(1.59e-4),
        "Condition number": "436.6",
        "Iterations": "158",
        "Converged": "yes",
        "Stop reason": "tolerance",
    }
    assert all(row[0].note for row in table.cells)
    assert not any(row[1].tone for row in table.cells)


@pytest.mark.parametrize(
    ("fit", "words"),
    [
        (STOPPED, "--max_iterations"),
        (STALLED, "rounding"),
        (STOPPED | {"stop_reason": "interrupted by Ctrl-C"}, "interrupted by Ctrl-C"),
        (STOPPED | {"relative_excess_loss": None}, "after 3 iterations"),
    ],
)
def test_certificate_warns_if_not_converged(fit, words):
    section = page.certificate_section(fit, HISTORY)
    notice, grid = section.body
    assert (notice.title, notice.tone) == ("Not converged.", "bad")
    assert words in notice.text.replace("\N{NO-BREAK SPACE}", " ")
    tones = {row[0].text: row[1].tone for row in grid.blocks[0].cells}
    assert tones["Converged"] == tones["Stop reason"] == "bad"
    assert 'class="notice bad"' in render(section)


@pytest.mark.parametrize(
    ("history", "optimum"),
    [
        ([5.0, 1.0], 1.0),  # one iteration
        ([5.0], 1.0),  # none
        ([5.0, 1e-3, 1e-31, 0.0, 0.0], 0.0),  # a perfect fit
        ([1e-310, 5e-324, 0.0], 0.0),  # denormal
        ([1.0, 1.0, 1.0], 1.0),  # started at the optimum
        ([1e40, 1e199], 5.0),
        (2 + np.exp(-np.arange(50_000) / 1e3), 2.0),
    ],
)
def test_loss_curve_handles(history, optimum):
    figure = page._plot_loss(np.array(history), optimum)
    assert "missing" not in figure.caption
    assert len(re.findall(r">10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+<", figure.svg)) >= 2  # labelled ticks
    assert "nan" not in figure.svg and len(figure.svg) < 60_000


def test_loss_curve_states_that_the_loss_was_too_large():
    history = np.array([10.0, 1e40, 1e250, np.inf, np.nan])
    figure = page._plot_loss(history, 5.0)
    assert "missing" in figure.caption
    assert "in 4\N{NO-BREAK SPACE}iterations" in figure.alt


def test_excess_is_clipped_at_its_rounding_error():
    excess = page._clip_excess(np.array([12.0, 10.0, 10.0 - 1e-14]), 10.0)
    assert excess[0] == 2.0
    np.testing.assert_allclose(excess[1:], 10 * np.finfo(float).eps)


def test_coefficients_are_ordered_by_effect_and_shown_in_original_units():
    slopes = [
        slope("small", 100.0, 0.001, 1.0, "km"),
        slope("large", -2.0, 3.0, 0.5),
    ]
    section = coefficient_section(TARGET, Coefficients(INTERCEPT, slopes))
    figure, table = section.body
    assert [row[0].text for row in table.cells] == ["intercept", "large", "small"]
    assert [c.text for c in table.cells[2]] == ["small", "100", "1", "98", "102"]
    assert table.cells[2][0].note == "km"
    assert figure.svg.index(">large<") < figure.svg.index(">small<")
    assert "95\N{NO-BREAK SPACE}%" in figure.caption


def test_effects_that_may_be_zero_are_grey():
    def look(error):
        slopes = [slope("a", 1.0, error=error)]
        section = coefficient_section(TARGET, Coefficients(INTERCEPT, slopes))
        return section.body[0].svg

    assert "var(--accent)" in look(0.1)
    assert "var(--accent)" not in look(0.9)


def test_effect_and_interval_are_per_standard_deviation():
    each = slope("a", -2.0, 3.0, 0.5)
    assert each.effect == -6.0
    assert each.interval == (-9.0, -3.0)
    assert slope("a", 1.0).interval is None


def test_missing_standard_errors_are_explained():
    reason = "the columns are linearly dependent"
    coefficients = Coefficients(slope("intercept", 1.0), [slope("a", 2.0)], reason)
    section = coefficient_section(TARGET, coefficients)
    notice, figure, table = section.body
    assert reason in notice.text
    assert "95" not in figure.caption
    assert [c.text for c in table.cells[1]] == ["a", "2", *[report.MISSING] * 3]


def test_many_coefficients_are_truncated_with_a_note():
    slopes = [slope(f"x{i}", float(i), 1.0, 0.1) for i in range(600)]
    figure, table = coefficient_section(TARGET, Coefficients(INTERCEPT, slopes)).body
    names = re.findall(r">(x\d+)<", figure.svg)
    assert names == [f"x{i}" for i in range(599, 569, -1)]
    assert {"30", "600"} <= set(re.findall(r"\d+", figure.caption))
    assert len(table.rows) == 501 and table.folded
    assert {"500", "600"} <= set(re.findall(r"\d+", table.caption))


def test_no_columns_at_all():
    section = coefficient_section(TARGET, Coefficients(INTERCEPT, []))
    (table,) = section.body
    assert [row[0].text for row in table.cells] == ["intercept"]


def test_hostile_and_long_names():
    names = ['<b>a</b> & "c"', "$x$ and $y", "n" * 90, "温度" * 30, "\x00\x1b"]
    slopes = [slope(name, 1.0, 1.0, 0.1) for name in names]
    target = SimpleNamespace(name="<i>" * 40, unit="<u>", levels=(), kind="numeric")
    section = coefficient_section(target, Coefficients(INTERCEPT, slopes))
    html = render(section)
    assert "<b>" not in html and "<i>" not in html and "<u>" not in html
    assert "$x$ and $y" in section.body[0].svg
    assert "n" * 90 in html  # in full in the table
    assert "n" * 30 not in section.body[0].svg  # shortened in the plot

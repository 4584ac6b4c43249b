"""The report's sections on a classification: what they say and what they draw."""

import re
import string
from types import SimpleNamespace

import numpy as np
import pytest

from recipes.pipeline import evaluation, report
from recipes.pipeline.report import classification
from tests.recipes.pipeline.report.test_report import (
    HOSTILE,
    Tags,
    column,
    contrast,
    numbers_in,
    plain,
)


def target_of(*levels, name="kind"):
    return column(name, levels=levels)


def rows_of(n, k, *, seed=0, probable=True, sharpness=1.5):
    """Decisions of a fair model on n rows of k classes in turn."""
    rng = np.random.default_rng(seed)
    target = np.arange(n) % k
    scores = rng.normal(size=(n, k)) + sharpness * np.eye(k)[target]
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    if k == 2:
        scores = scores[:, [1]] - scores[:, [0]]
    return evaluation.decide(target, scores, p if probable else None)


def scores_of(decisions):
    return evaluation.classification_scores(
        decisions.target, decisions.scores, decisions.probabilities
    )


def quoted_in(text):
    """All names of the data in a text, in order: they are in quotation marks."""
    return re.findall("‘(.*?)’", text)


def about_of(target, columns, image_shape=()):
    return SimpleNamespace(
        name="fake",
        source="fake",
        columns=columns,
        target=target,
        image_shape=image_shape,
    )


def page_of(k, *, probable=True, hostile=False):
    """All sections of a classification, as a recipe puts them together."""
    levels = [HOSTILE + str(i) if hostile else f"level {i}" for i in range(k)]
    target = target_of(*levels, name=HOSTILE if hostile else "kind")
    decisions = rows_of(40 * k, k, probable=probable)
    test = scores_of(decisions)
    base = evaluation.majority_baseline_scores(decisions.target, decisions.target, k)
    names = [HOSTILE, "b"] if hostile else ["a", "b"]
    about = about_of(target, [column(name) for name in names])
    features = np.random.default_rng(0).normal(size=(len(decisions.target), 2))
    sections = [
        classification.scores(target, test, test, base),
        classification.class_by_class(target, decisions),
        classification.confusion_matrix(target, decisions),
        classification.separation(target, decisions),
        classification.mistakes(about, features, decisions),
    ]
    if probable:
        sections.append(classification.calibration(target, decisions))
    cards = classification.highlights(len(decisions.target), test, test, base)
    words = classification.outcome(
        "the model", target, len(decisions.target), test, base
    )
    return report.Page("Title", words, (report.KeyNumbers(cards),), sections)


@pytest.mark.parametrize("probable", [False, True], ids=["scores", "probabilities"])
@pytest.mark.parametrize("k", [2, 3, 26])
def test_page_is_well_formed_and_the_same_each_time(k, probable):
    html = report.render(page_of(k, probable=probable))
    tags = Tags(html)
    assert len(tags.ids) == len(set(tags.ids))
    referred = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', html)
    assert {a or b for a, b in referred} <= set(tags.ids)
    pictures = [v for t, k, v in tags.attributes if (t, k, v) == ("div", "role", "img")]
    assert len(pictures) == tags.tags.count("svg") == (5 if probable else 3)
    assert len(html) < 300_000
    svg = "".join(re.findall("<svg.*?</svg>", html, re.S))
    assert not re.search(": *#[0-9a-f]{6}", svg)  # only colours of the page
    assert html == report.render(page_of(k, probable=probable))


@pytest.mark.parametrize("k", [2, 3])
def test_text_from_the_user_is_escaped(k):
    html = report.render(page_of(k, hostile=True))
    Tags(html)
    assert "<script" not in html
    assert "<b>" not in html


# The numbers at the top.


def outcome_of(right, rival, rows=200):
    test, base = ({"accuracy": each} for each in (right, rival))
    return plain(
        classification.outcome("the model", target_of("a", "b"), rows, test, base)
    )


def test_outcome():
    assert numbers_in(outcome_of(0.975, 0.6)) == ["200", "97.5", "60"]
    assert quoted_in(outcome_of(0.975, 0.6)) == ["kind"]
    assert "every time" in outcome_of(1.0, 0.6)
    assert "more than 99.9 %" in outcome_of(0.9999, 0.6, 10_000)
    for right in (0.6, 0.55):
        assert "no more often" in outcome_of(right, 0.6)


def test_highlights():
    train = {"accuracy": 1.0, "auc": 1.0}
    test = {"accuracy": 0.96, "auc": 0.987654}
    cards = classification.highlights(50, train, test, {"accuracy": 0.5})
    assert [plain(card.value) for card in cards] == ["96 %", "2 of 50", "0.988"]
    assert [numbers_in(card.note) for card in cards] == [["100"], ["25"], ["1.000"]]
    assert not any(card.tone for card in cards)


def test_highlights_of_a_bad_model():
    train = {"accuracy": 1.0, "auc": None}
    test = {"accuracy": 0.5, "auc": 0.4}
    cards = classification.highlights(50, train, test, {"accuracy": 0.5})
    assert [card.tone for card in cards] == ["bad", "bad", "bad"]
    assert report.MISSING in cards[2].note
    cards = classification.highlights(
        50, train, {**test, "auc": None}, {"accuracy": 0.5}
    )
    assert len(cards) == 2


# The tables.


def test_scores_omit_what_the_model_does_not_give():
    test = {"accuracy": 0.5, "balanced_accuracy": 0.5, "log_loss": None, "auc": None}
    train = {**test, "auc": 0.75}
    (grid,) = classification.scores(target_of("a", "b"), train, test, test).body
    table, terms = grid.blocks
    assert [row[0] for row in table.rows] == ["Accuracy", "Balanced accuracy", "AUC"]
    assert table.rows[2][1:] == [report.MISSING, "0.750", report.MISSING]
    assert "Log loss" not in terms.items and report.MISSING in terms.items


def test_scores_say_which_class_the_area_is_of():
    decisions = rows_of(60, 2)
    test = scores_of(decisions)
    (grid,) = classification.scores(target_of("no", "yes"), test, test, test).body
    assert quoted_in(grid.blocks[1].items["AUC"]) == ["yes", "yes", "no"]


def table_of(levels, target, predicted):
    decisions = evaluation.decide(target, np.eye(len(levels))[predicted])
    (grid,) = classification.class_by_class(target_of(*levels), decisions).body
    return grid.blocks[0].cells


def test_class_by_class_by_hand():
    a, b, c, mean = table_of(
        ["a", "b", "c"], [0, 0, 0, 0, 1, 1, 2, 2], [0, 0, 1, 2, 1, 1, 2, 2]
    )
    assert [cell.text for cell in a] == ["a", "1.000", "0.500", "0.667", "4"]
    assert [cell.text for cell in b] == ["b", "0.667", "1.000", "0.800", "2"]
    assert re.findall(r"\w \(\d\)", plain(a[0].note)) == ["b (1)", "c (1)"]
    assert b[0].note == c[0].note == ""
    assert [cell.text for cell in mean[1:]] == ["0.778", "0.833", "0.756", "8"]


def test_class_by_class_where_classes_are_absent():
    """Class b is only predicted; class c is neither present nor predicted."""
    a, b, c, mean = table_of(["a", "b", "c"], [0, 0], [0, 1])
    dash = report.MISSING
    assert [cell.text for cell in a[1:]] == ["1.000", "0.500", "0.667", "2"]
    assert [cell.text for cell in b[1:]] == ["0.000", dash, "0.000", "0"]
    assert [cell.text for cell in c[1:]] == [dash, dash, dash, "0"]
    assert [cell.text for cell in mean[1:]] == ["0.500", "0.500", "0.333", "2"]


# The confusion matrix.


def texts(svg):
    return [
        "".join(re.findall(">([^<]+)<", text)) or text
        for text in re.findall("<text[^>]*>(.*?)</text>", svg, re.S)
    ]


def matrix_of(levels, target, predicted):
    decisions = evaluation.decide(target, np.eye(len(levels))[predicted])
    (figure,) = classification.confusion_matrix(target_of(*levels), decisions).body
    return figure


def test_matrix_shows_counts_and_shares():
    figure = matrix_of(["cat", "dog"], [0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1])
    shown = " ".join(plain(text) for text in texts(figure.svg))
    for text in ("3", "75 %", "1", "25 %", "2", "100 %", "cat", "dog"):
        assert text in shown
    assert quoted_in(figure.caption) == quoted_in(figure.alt) == ["cat", "dog"]
    assert numbers_in(figure.caption) == ["1"]
    assert numbers_in(figure.alt) == ["5", "6", "1"]
    assert figure.scrolled_width == 0


def fields(figure):
    """Column, row (in pixels, upper left corner), colour and alpha of each field."""
    found = []
    for path, style in re.findall(r'<path d="([^"]+)"[^>]*style="([^"]+)"', figure.svg):
        hue = re.search(r"fill: var\(--(accent|orange)\)", style)
        if hue:
            xy = np.array(re.findall(r"-?\d+\.?\d*", path), float).reshape(-1, 2)
            alpha = float(re.search(r"opacity: ([\d.]+)", style)[1])
            found.append((*xy.min(0), hue[1], alpha))
    return found


def test_cells_are_in_their_places_and_coloured_by_correctness():
    # Of a, all are correct; of b, one is predicted as c; of c, one as a.
    figure = matrix_of(
        ["a", "b", "c"], [0, 1, 1, 1, 2, 2, 2, 2], [0, 1, 1, 2, 0, 2, 2, 2]
    )
    found = fields(figure)
    x, y = (np.unique([each[i] for each in found]) for i in (0, 1))
    assert len(x) == len(y) == 3
    cells = {
        (int(np.searchsorted(y, top)), int(np.searchsorted(x, left))): (hue, alpha)
        for left, top, hue, alpha in found
    }
    assert {place: hue for place, (hue, _) in cells.items()} == {
        (0, 0): "accent",
        (1, 1): "accent",
        (1, 2): "orange",
        (2, 0): "orange",
        (2, 2): "accent",
    }
    # By the share of the row: 1, 3/4, 2/3, 1/3, 1/4.
    order = [(0, 0), (2, 2), (1, 1), (1, 2), (2, 0)]
    alphas = [cells[place][1] for place in order]
    assert alphas == sorted(alphas, reverse=True) and len(set(alphas)) == 5


def test_matrix_of_a_perfect_model_names_no_mistake():
    figure = matrix_of(["a", "b"], [0, 1], [0, 1])
    assert not quoted_in(figure.caption + figure.alt)
    assert {hue for *_, hue, _ in fields(figure)} == {"accent"}


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_numbers_can_be_read_on_the_deepest_colour(scheme):
    ink, paper, *hues = (
        report.PALETTE[name][scheme] for name in ("ink", "paper", "accent", "orange")
    )
    for hue in hues:
        channels = zip(*(bytes.fromhex(each[1:]) for each in (hue, paper)), strict=True)
        mixed = "#" + "".join(f"{round((a + b) / 2):02x}" for a, b in channels)
        assert contrast(ink, mixed) >= 4.5
    figure = matrix_of(["a", "b"], [0, 1, 1], [0, 0, 0])
    assert max(alpha for *_, alpha in fields(figure)) == 0.5


def test_matrix_of_26_classes_keeps_its_size_and_is_scrolled():
    decisions = rows_of(2600, 26)
    target = target_of(*string.ascii_uppercase)
    (figure,) = classification.confusion_matrix(target, decisions).body
    assert figure.scrolled_width > 600
    for letter in string.ascii_uppercase:
        assert texts(figure.svg).count(letter) == 2
    html = report.render(report.Page("", "", (), (report.Section("s", (figure,)),)))
    assert f'style="width: {figure.scrolled_width}px"' in html
    assert '<div class="scroll"' in html


def test_cells_widen_for_large_counts():
    small = matrix_of(list("abcdefghijklmnopqrstuvwxyz"), np.arange(26), np.arange(26))
    many = np.repeat(np.arange(26), 12_345)
    large = matrix_of(list("abcdefghijklmnopqrstuvwxyz"), many, many)
    assert large.scrolled_width > small.scrolled_width + 26 * 20


def test_matrix_of_many_classes_shows_those_with_the_most_mistakes():
    target = np.repeat(np.arange(100), 3)
    predicted = target.copy()
    predicted[[150, 151, 297]] = 7, 7, 98  # class 50 predicted as 7, 99 as 98
    levels = [f"n{i}" for i in range(100)]
    figure = matrix_of(levels, target, predicted)
    shown = texts(figure.svg)
    assert {"n7", "n50", "n98", "n99"} <= set(shown)
    assert sum(text.startswith("n") for text in shown) == 2 * 30
    assert numbers_in(figure.caption)[-2:] == ["30", "100"]

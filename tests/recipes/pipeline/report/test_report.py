"""The report: one safe, self-contained page that says what the numbers say.

What captions must carry are numbers and names; their wording is the source's alone.
"""

import math
import re
import shlex
from html.parser import HTMLParser
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
import scipy.sparse

from recipes.pipeline import report
from recipes.pipeline.datasets import Column
from recipes.pipeline.report import data_section, number_format, regression

HOSTILE = "<script>alert('1')</script> & \"x\" $5 {{ 7 * 6 }} --flag=<b>"


class Tags(HTMLParser):
    """Checks that tags nest; collects ids, attributes and the text."""

    VOID = frozenset(("meta", "link", "br", "hr", "img", "input"))

    def __init__(self, html):
        super().__init__()
        self.open, self.ids, self.attributes, self.text = [], [], [], ""
        self.tags = []
        self.feed(html)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.note(tag, attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.note(tag, attrs)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data

    def note(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, key, value or "") for key, value in attrs]
        self.ids += [value for key, value in attrs if key == "id"]


def plain(text):
    """The text with ordinary spaces."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


def numbers_in(text):
    """All numbers in a text, in order, as they are written; not those in names."""
    return re.findall(r"\b\d[\d,]*(?:\.\d+)?", text)


def column(name="y", unit="", levels=()):
    kind = "categorical" if levels else "numeric"
    return Column(name, kind, unit, tuple(levels))


def rows_of(n, seed=0):
    rng = np.random.default_rng(seed)
    actual = rng.normal(size=n)
    return report.pair(actual, actual + 0.3 * rng.normal(size=n))


def fake_data(features, columns, notes=()):
    target = np.arange(features.shape[0], dtype=np.float64)
    rows = SimpleNamespace(features=features, target=target)
    about = SimpleNamespace(
        name="fake",
        source=HOSTILE,
        columns=tuple(columns),
        target=column("price", "$"),
        notes=notes,
    )
    return SimpleNamespace(train=rows, test=rows, description=about)


def full_page():
    """A page with every block and every section of the pipeline."""
    train, test = rows_of(50), rows_of(20, 1)
    target = column(HOSTILE, HOSTILE)
    scores = {"r2": 0.5, "rmse": 1.25, "mae": 1.0, "mse": 1.5625}
    features = np.column_stack((np.arange(30.0), np.arange(30) % 3))
    levels = [HOSTILE, "b", "c"]
    data = fake_data(features, [column(HOSTILE), column("c", "", levels)], (HOSTILE,))
    blocks = (
        report.Notice(HOSTILE, HOSTILE, "bad"),
        report.Table(HOSTILE, (HOSTILE,), [[report.Cell(HOSTILE, HOSTILE)]] * 31, "l"),
        report.Terms({HOSTILE: HOSTILE}),
        report.Figure(report.draw_descent([1, 0.1], HOSTILE), HOSTILE, HOSTILE),
        report.Pictures(HOSTILE, [report.Picture(b"png", HOSTILE, HOSTILE)], True),
    )
    metrics = {
        "versions": {"python": HOSTILE},
        "seconds": {"load": 0.5, "fit": 75.2},
        "peak_memory_bytes": 1.5e9,
    }
    return report.Page(
        title=HOSTILE,
        outcome=report.outcome(HOSTILE, target, 20, scores, {"rmse": 2.0}),
        opening=(report.KeyNumbers(report.highlights(target, *[scores] * 3)),),
        sections=(
            report.Section(HOSTILE, blocks),
            report.scores(target, scores, scores, scores),
            report.predicted_against_actual(target, train, test),
            report.residuals(target, train, test),
            report.data_summary(data),
            report.reproduce_section(
                ["python", "-m", "recipes.x", "--dataset=a b"], metrics
            ),
        ),
        footer=HOSTILE,
    )


@pytest.fixture(scope="module")
def html():
    return report.render(full_page())


def test_page_is_well_formed_and_its_references_resolve(html):
    tags = Tags(html)
    assert len(tags.ids) == len(set(tags.ids))
    referred = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', html)
    assert referred
    assert {a or b for a, b in referred} <= set(tags.ids)
    labelled = {v for _, k, v in tags.attributes if k == "aria-labelledby"}
    assert labelled and labelled <= set(tags.ids)


def test_page_needs_no_network_and_no_script(html):
    tags = Tags(html)
    assert "script" not in tags.tags
    assert not re.search("https?:|@import", html)
    assert not re.search(r"url\((?!#)", html)
    links = [v for _, k, v in tags.attributes if k in ("src", "href")]
    assert links and all(link.startswith(("#", "data:")) for link in links)
    assert not [k for _, k, _ in tags.attributes if k.startswith("on")]


def test_text_from_the_user_is_escaped_and_complete(html):
    text = Tags(html).text
    assert "<script" not in html and "42" not in text
    assert text.count(HOSTILE) >= 70  # 62 in the long table's cells, the rest once
    assert "<code>--flag=</code>" not in html  # an escaped < ends no flag's value
    assert "<code>--flag</code>=&lt;b&gt;" in html
    page = report.Page("", "", (report.Paragraph("try --l2=1e-4 or --a=0.2."),), ())
    shown = report.render(page)
    assert "<code>--l2=1e-4</code> or <code>--a=0.2</code>." in shown


def test_page_is_accessible(html):
    tags = Tags(html)
    assert tags.tags.count("h1") == 1
    assert tags.tags.count("h2") == tags.tags.count("section") == 6
    assert tags.tags.count("caption") == tags.tags.count("table") > 0
    pictures = [v for t, k, v in tags.attributes if (t, k, v) == ("div", "role", "img")]
    assert len(pictures) == tags.tags.count("figure") == tags.tags.count("svg") == 4
    assert ("html", "lang", "en") in tags.attributes


def test_render_is_deterministic(html):
    assert report.render(full_page()) == html


def test_colours_follow_the_page(html):
    svg = "".join(re.findall("<svg.*?</svg>", html, re.S))
    assert not re.search(": *#[0-9a-f]{6}", svg)
    assert "font-family" not in svg
    used = set(re.findall(r"var\(--([a-z-]+)\)", html))
    assert used <= set(report.PALETTE)
    assert "prefers-color-scheme: dark" in html


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_contrast(scheme):
    colours = {name: both[scheme] for name, both in report.PALETTE.items()}
    for text in ("ink", "muted", "accent", "good", "bad"):
        for ground in ("paper", "panel"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for text in ("ink", "bad"):
        assert contrast(colours[text], colours["bad-panel"]) >= 4.5, text
    for line in ("grey", "orange", "teal", "purple", "pink"):
        assert contrast(colours[line], colours["paper"]) >= 3, line


def test_palette_colours_are_distinct():
    light = [both[0] for both in report.PALETTE.values()]
    assert len(set(light)) == len(light)


def test_drawing_ignores_and_keeps_the_users_matplotlib_settings():
    plain = report.draw_descent([1, 0.1], "loss")
    with matplotlib.rc_context({"font.size": 30, "axes.edgecolor": "red"}):
        assert report.draw_descent([1, 0.1], "loss") == plain
        assert matplotlib.rcParams["font.size"] == 30


def test_glyphs_that_matplotlib_lacks_cause_no_warning():
    svg = report.draw_descent([1, 0.1], "温度")
    assert "温度" in svg


def markers(figure):
    return figure.svg.count("<use") - 2  # without those of the legend


def test_scatter_plots_show_every_point_of_small_data():
    train, test = rows_of(50), rows_of(20, 1)
    (scatter,) = report.predicted_against_actual(column(), train, test).body
    (grid,) = report.residuals(column(), train, test).body
    assert markers(scatter) == markers(grid.blocks[0]) == 70
    assert "2,000" not in scatter.caption


def test_scatter_plots_of_large_data_are_thinned_and_say_so():
    train, test = rows_of(200_000), rows_of(30_000, 1)
    section = report.predicted_against_actual(column(), train, test)
    (scatter,) = section.body
    assert markers(scatter) == 2 * report.MAX_POINTS
    assert numbers_in(scatter.caption)[-4:] == ["2,000", "200,000", "2,000", "30,000"]
    assert len(scatter.svg) < 300_000


def test_sample_is_the_same_each_time_and_has_no_row_twice():
    chosen = report.sample(10_000, 500)
    assert len(set(chosen.tolist())) == 500
    assert np.all(np.diff(chosen) > 0) and chosen[-1] < 10_000
    np.testing.assert_array_equal(chosen, report.sample(10_000, 500))
    np.testing.assert_array_equal(report.sample(3), [0, 1, 2])


def test_points_stand_where_the_values_are():
    """The picture's geometry: a point on the identity line lies on that line."""
    same = report.pair([0.0, 1.0, 2.0], [0.0, 1.0, 2.0])
    (figure,) = report.predicted_against_actual(column(), same, same).body
    points = [
        (float(x), float(y))
        for x, y in re.findall(
            r'<use href="[^"]*" x="([\d.]+)" y="([\d.]+)"', figure.svg
        )
    ]
    (x0, y0), (x1, y1), (x2, _) = points[:3]
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.02)
    assert y0 - y1 == pytest.approx(x1 - x0, abs=0.02)  # equal scales, y upwards


@pytest.mark.parametrize(
    "values",
    [[1.0], [2.0, 2.0], [0.0, 0.0, 0.0, 1e9], list(range(100)), [1e-30, 2e-30]],
)
def test_histogram_bins_hold_the_bulk(values):
    values = np.array(values)
    edges = regression._histogram_edges(values)
    assert 11 <= edges.size <= 51 and np.all(np.diff(edges) > 0)
    assert np.mean((values >= edges[0]) & (values <= edges[-1])) >= 0.75


def test_histogram_counts_far_outliers():
    test = report.pair(np.append(np.linspace(-1, 1, 99), 1e6), np.zeros(100))
    (grid,) = report.residuals(column(), test, test).body
    caption = grid.blocks[1].caption
    assert numbers_in(caption)[0] == "100" and numbers_in(caption)[-1] == "1"


def test_pairs_refuse_different_lengths():
    with pytest.raises(ValueError, match="same number of rows"):
        report.pair(np.zeros(3), np.zeros((1, 1)))


@pytest.mark.parametrize(
    ("r2", "rmse", "facts"),
    [
        (0.452, 54.2, ("45 %", "54.2")),
        (0.99999, 0.1, ("more than 99.9 %", "0.100")),
        (-0.01, 76.0, ("none", "76")),
        (-0.3, 80.0, ("no better", "80", "77")),
        (math.nan, 54.2, ("54.2",)),
    ],
)
def test_outcome_is_honest(r2, rmse, facts):
    words = report.outcome(
        "linear regression", column(), 89, {"r2": r2, "rmse": rmse}, {"rmse": 77.0}
    )
    for fact in ("89 test rows", "linear regression", "‘y’", *facts):
        assert fact in plain(words)
    assert ("%" in words) == (r2 > 0)


def test_negative_scores_are_marked():
    bad = {"r2": -0.5, "rmse": 3.0}
    numbers_shown = report.highlights(column(), bad, bad, {"r2": 0.0, "rmse": 2.0})
    assert [each.tone for each in numbers_shown] == ["bad", "bad"]
    assert numbers_shown[0].value == "−0.500"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1234567, "1,234,567"),
        (2868.3141, "2,868"),
        (54.2, "54.20"),
        (999.96, "1,000"),
        (-0.52159, "-0.5216"),
        (0.00123, "0.001230"),
        (1.2e-9, "1.2 × 10⁻⁹"),
        (-2.5e12, "-2.5 × 10¹²"),
        (19.0, "19"),
        (np.float32(0.5), "0.5000"),
        (np.int64(5), "5"),
        (None, "–"),  # noqa: RUF001
        (math.nan, "not a number"),
        (-math.inf, "-∞"),
    ],
)
def test_numbers(value, text):
    expected = text.replace("-", "\N{MINUS SIGN}").replace(" × ", "\xa0×\xa0")
    if value is not None and math.isnan(value):
        expected = text
    assert report.number(value) == expected


@pytest.mark.parametrize(
    ("share", "text"),
    [(1e-9, "10⁹"), (3e-10, "10⁹"), (9.9e-10, "10⁹"), (0.0, "10¹⁵"), (-1e-17, "10¹⁵")],
)
def test_one_part_in(share, text):
    assert report.one_part_in(share) == f"1 part in\N{NO-BREAK SPACE}{text}"


def test_small_print_numbers():
    assert report.one_part_in(0.0321) == "3.21\N{NO-BREAK SPACE}%"
    assert number_format.duration(0.0213) == "0.0213\N{NO-BREAK SPACE}s"
    assert number_format.duration(192) == "3\N{NO-BREAK SPACE}min 12\N{NO-BREAK SPACE}s"
    assert number_format.memory(612_345_678) == "612\N{NO-BREAK SPACE}MB"
    assert number_format.share(-0.0001) == "0.000"
    assert report.count(1, "row") == "1\N{NO-BREAK SPACE}row"


def test_tick_labels_share_their_decimals():
    ticks = report.PlainTicks()
    assert ticks.format_ticks([-0.5, 0.0, 0.5]) == ["−0.5", "0.0", "0.5"]
    assert ticks.format_ticks([0, 25_000]) == ["0", "25,000"]
    assert ticks.format_ticks([0, 2e6])[1] == report.number(2e60)[:-2] + "⁶"
    powers = report.PowerTicks()
    assert [powers(v) for v in (1e-9, 2.0, 0.0, math.inf)] == ["10⁻⁹", "", "", ""]


def test_shorten_keeps_both_ends_and_one_line():
    assert report.shorten("age", 10) == "age"
    short = report.shorten("median house value\nof the\x00 block in dollars", 20)
    assert short.startswith("median") and short.endswith("llars") and len(short) <= 20
    assert len(report.shorten("温" * 30, 20)) <= 11
    assert report.shorten("a\tb\nc", 10) == "a b c"


def test_tables_check_their_shape_and_fold_when_long():
    with pytest.raises(ValueError, match="same length"):
        report.Table("t", ("a", "b"), [["1"]], "lr")
    assert not report.Table("t", ("a",), [["1"]] * 30, "l").folded
    assert report.Table("t", ("a",), [["1"]] * 31, "l").folded


def test_command_can_be_pasted():
    arguments = ["python", "-m", "recipes.x", "--dataset=it's a b.csv", "--target=$x"]
    text = report.Command(arguments).text
    assert text.count("\n") == 2
    assert shlex.split(text.replace("\\\n", "")) == arguments


def assert_summary(matrix, dense):
    summary = data_section.summarise(matrix)
    np.testing.assert_array_equal(summary.blanks, np.isnan(dense).sum(0))
    for found, expected in (
        (summary.mean, np.nanmean(dense, 0)),
        (summary.deviation, np.nanstd(dense, 0)),
        (summary.low, np.nanmin(dense, 0)),
        (summary.high, np.nanmax(dense, 0)),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("block", [1, 7, 100, 1 << 20])
def test_column_statistics_agree_with_numpy(monkeypatch, block):
    monkeypatch.setattr(data_section, "_BLOCK", block)
    rng = np.random.default_rng(0)
    dense = rng.normal(1e4, 1.0, size=(53, 4)).astype(np.float32)
    dense[rng.random(dense.shape) < 0.2] = np.nan
    dense[:20, 3] = np.nan  # whole blocks of blanks
    assert_summary(dense, dense.astype(np.float64))


def test_column_statistics_of_sparse_rows_agree_with_numpy():
    rng = np.random.default_rng(0)
    dense = rng.normal(3, 1, size=(40, 5)) * (rng.random((40, 5)) < 0.3)
    dense[3, 2] = np.nan
    dense[:, 4] = 0
    assert_summary(scipy.sparse.csr_array(dense), dense)


def test_a_column_of_blanks_has_no_statistics():
    summary = data_section.summarise(np.full((3, 1), np.nan, np.float32))
    values = (summary.mean, summary.deviation, summary.low, summary.high)
    assert all(np.isnan(each[0]) for each in values)
    assert summary.blanks[0] == 3


def test_data_summary_describes_each_column():
    codes = np.array([0, 1, 1, 1, np.nan])
    features = np.column_stack((np.array([1, 2, 3, np.nan, np.nan]), codes))
    columns = [column("age", "years"), column("sex", "", ("male", "female"))]
    section = report.data_summary(fake_data(features, columns, ("2 blanks in 'age'",)))
    assert report.Paragraph("2 blanks in 'age'.") in section.body
    price, age, sex = section.body[-1].cells
    assert [cell.text for cell in age] == ["age", "2", "0.8165", "1", "3", "2"]
    assert age[0].note == "years" and price[0].note == "target, $"
    assert [cell.text for cell in sex] == ["sex", "", "", "", "", "1"]
    assert plain(sex[0].note) == "2 levels: female 75 %, male 25 %"


def test_data_summary_of_dates_and_blanks():
    features = np.array([[0, 0], [19782.75, 1], [np.nan, 1], [1, np.nan]])
    columns = [
        Column("sold", "date", format="%d/%m/%y %H:%M"),
        Column("pool", "categorical", levels=("yes", "")),
    ]
    _, sold, pool = report.data_summary(fake_data(features, columns)).body[-1].cells
    text = ["sold", "1988-01-21 14:00", "9,325 days", "1970-01-01 00:00"]
    shown = [plain(cell.text) for cell in sold]
    assert shown == [*text, "2024-02-29 18:00", "1"]
    assert sold[0].note == "date, written as %d/%m/%y %H:%M"
    assert [cell.text for cell in pool][-1] == "3"
    assert plain(pool[0].note) == "2 levels: (blank) 66.7 %, yes 33.3 %"
    summary = data_section.summarise(features)
    words = [data_section.describe_row(columns, features, i, summary) for i in (1, 2)]
    assert words == ["sold 2024-02-29 18:00; pool blank", "sold blank; pool blank"]


@pytest.mark.parametrize(
    ("days", "format", "text"),
    [
        (19782.5, "%Y-%m-%d", "2024-02-29"),
        (-0.25, "%d.%m.%y %H:%M:%S", "1969-12-31 18:00:00"),
        (10 / 24, "%I:%M %p", "10:00"),
        (math.nan, "%Y", "–"),  # noqa: RUF001
    ],
)
def test_dates(days, format, text):
    assert number_format.date(days, format) == text


def test_data_summary_says_how_numbers_are_written():
    columns = [Column("price", format="$1,000.0"), column("age", "years")]
    section = report.data_summary(fake_data(np.ones((2, 2)), columns))
    _, price, age = section.body[-1].cells
    assert (price[0].note, age[0].note) == ("written as $1,000.0", "years")


def test_data_summary_of_many_columns_is_cut_and_says_so():
    features = np.zeros((2, 700), np.float32)
    section = report.data_summary(
        fake_data(features, [column(f"x{i}") for i in range(700)])
    )
    table = section.body[-1]
    assert len(table.rows) == 501 and table.folded
    assert numbers_in(table.caption) == ["500", "700"]

"""The report of a support vector machine, section by section."""

import dataclasses
import re
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

from recipes.pipeline import report
from recipes.pipeline.datasets.description import (
    Column,
    Data,
    Description,
    Examples,
    Threshold,
)
from recipes.pipeline.evaluation import decide
from recipes.pipeline.preprocessing import learn
from recipes.svm import SupportVectorClassifier, SupportVectorRegressor
from recipes.svm.report.certificate import (
    build_certificate_section,
    describe_outcome,
    list_key_numbers,
)
from recipes.svm.report.decision_regions import (
    MAX_CLASSES,
    _choose_marker,
    _compute_leads,
    build_regions_section,
)
from recipes.svm.report.epsilon_tube import build_tube_section
from recipes.svm.report.initial_gap import (
    InitialGap,
    compute_bounds,
    compute_initial_gaps,
)
from recipes.svm.report.projection import choose_plane
from recipes.svm.report.support_vectors import build_support_vectors_section
from recipes.svm.solver.dual import c_svc, epsilon_svr
from recipes.svm.solver.optimality import measure_optimality
from recipes.svm.solver.solution import Trace

CONVERGED = {
    "converged": True,
    "convex": True,
    "stop_reason": "tolerance",
    "dual_objective": 50.8824,
    "primal_objective": 50.8839,
    "duality_gap": 0.0015,
    "relative_duality_gap": 2.9e-5,
    "max_kkt_violation": 2.3e-4,
    "max_rounding_error": 1e-6,
    "support_vectors": 109,
    "bounded_support_vectors": 51,
    "problems": 1,
    "iterations": 2,
    "two_variable_steps": 239,
}
STOPPED = CONVERGED | {"converged": False, "stop_reason": "max_iterations"}
PARAMETERS = {"kernel": "rbf", "C": 1.0, "tolerance": 1e-3}
TRACE = Trace(
    dual_objective=np.array([30.0, 50.8824]),
    duality_gap=np.array([25.0, 0.0015]),
    max_kkt_violation=np.array([0.5, 2.3e-4]),
)
INITIAL_GAP = InitialGap(name="", duality_gap=455.0, max_kkt_violation=2.0)


def text(block):
    """Return the visible text of a block, with ordinary spaces and minus signs."""
    html = report.render(report.Page("", "", (), (report.Section("", (block,)),)))
    plain = re.sub("<[^>]*>", "", html.partition("<section")[2])
    return plain.replace("\N{NO-BREAK SPACE}", " ").replace("\N{MINUS SIGN}", "-")


def fit_run(model, x, target, levels=(), raw=None, **parameters):
    """Fit a model; return a run as the sections need it, and the features."""
    raw = np.asarray(x if raw is None else raw, np.float32)
    columns = tuple(Column(f"c{i}") for i in range(raw.shape[1]))
    kind = "categorical" if levels else "numeric"
    about = Description(
        name="made",
        source="made.csv",
        tabular=True,
        columns=columns,
        target=Column("kind", kind, levels=levels),
        task="classification" if levels else "regression",
    )
    rows = Examples(raw, np.asarray(target))
    data = Data(rows, rows, about)
    layer = learn.learn_preprocessing(data)
    x = layer(raw).numpy()
    weight = {"class_weight": "balanced"} if "class_weight" in parameters else {}
    model.fit(x, target, verbose=0, **weight)
    scores = np.asarray(model(x))
    predictions = decide(target, scores) if levels else scores
    run = SimpleNamespace(
        model=model,
        data=data,
        predictions=(predictions, predictions),
        serving_model=SimpleNamespace(preprocessing=layer),
        metrics={"parameters": PARAMETERS | {"C": model.C} | parameters},
    )
    return run, x


def make_blobs(classes, columns=3, rows=25):
    rng = np.random.default_rng(1)
    centers = rng.normal(0, 2, (classes, columns))
    target = np.repeat(np.arange(classes), rows)
    return centers[target] + rng.normal(0, 1, (len(target), columns)), target


@pytest.fixture(scope="module")
def two():
    x, target = make_blobs(2)
    return fit_run(SupportVectorClassifier(C=0.5), x, target, ("no", "yes"))


@pytest.fixture(scope="module")
def three():
    x, target = make_blobs(3)
    return fit_run(SupportVectorClassifier(), x, target, ("a", "b", "c"))


@pytest.fixture(scope="module")
def wave():
    rng = np.random.default_rng(0)
    x = rng.uniform(-3, 3, (80, 1))
    y = np.sin(x[:, 0]) + rng.normal(0, 0.2, 80)
    model = SupportVectorRegressor(C=2.0, epsilon=0.2)
    return fit_run(model, x, y, epsilon=0.2)


# The certificate.


def certificate(
    fit=CONVERGED, parameters=PARAMETERS, traces=(TRACE,), gaps=(INITIAL_GAP,)
):
    return build_certificate_section(fit, parameters, traces, gaps)


def test_certificate_explains_every_number():
    notice, grid = certificate().body
    table, figures = grid.blocks
    assert (notice.title, notice.tone) == ("This is the optimum.", "good")
    assert "1 part in 10⁴" in text(notice)
    assert "0.001" in text(notice)
    shown = {row[0].text: row[1].text for row in table.cells}
    assert shown["Max KKT violation"] == report.number(2.3e-4)
    assert shown["Two-variable steps"] == "239"
    assert shown["Converged"] == "yes"
    assert "Problems" not in shown
    assert len(shown) == len(CONVERGED) - 1
    assert all(row[0].note for row in table.cells)
    assert not any(row[1].tone for row in table.cells)
    objectives, violations = figures.blocks
    assert "from 0 to 50.88 in 2" in objectives.alt.replace("\N{NO-BREAK SPACE}", " ")
    assert "from 2 to" in violations.alt


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("max_iterations", "--max_iterations"),
        ("stalled", "--precision=float64"),
        ("interrupted", "interrupted"),
        ("rounding", "rounded"),
    ],
)
def test_certificate_marks_a_run_that_has_not_converged(reason, advice):
    fit = STOPPED | {"stop_reason": reason}
    notice, grid = certificate(fit).body
    assert (notice.title, notice.tone) == ("Not converged.", "bad")
    assert advice in notice.text
    tones = {row[0].text: row[1].tone for row in grid.blocks[0].cells}
    assert tones["Converged"] == tones["Max KKT violation"] == "bad"
    assert "not converged" in describe_outcome(fit)
    numbers = list_key_numbers(fit, 455)
    assert (numbers[0].value, numbers[0].tone) == ("Not converged", "bad")


@pytest.mark.parametrize("proven", [False, True])
def test_only_convex_problems_claim_the_optimum(proven):
    fit = CONVERGED | {"converged": proven, "convex": proven}
    section = certificate(fit)
    shown = text(report.Grid(section.body))
    assert ("This is the optimum." in shown) == proven
    assert ("A stationary point." in shown) != proven
    assert ("optimum always lies between" in shown) == proven
    assert ("No proof of the optimum." in shown) != proven
    assert ("is optimal" in describe_outcome(fit)) == proven
    numbers = list_key_numbers(fit, 455)
    assert numbers[0].value == ("Converged" if proven else "Not proven")


def test_curves_show_the_problem_with_the_most_iterations():
    short = Trace(*(values[:1] for values in TRACE))
    gaps = [INITIAL_GAP._replace(name=name) for name in ("a", "b", "c")]
    fit = CONVERGED | {"problems": 3}
    section = certificate(fit, traces=(short, TRACE, short), gaps=gaps)
    table, figures = section.body[1].blocks
    assert "Problems" in [row[0].text for row in table.cells]
    assert all("in the problem b" in each.caption for each in figures.blocks)


@pytest.mark.parametrize(
    ("dual", "gap", "violation"),
    [
        ([5.0], [0.0], [0.0]),  # solved exactly
        ([0.0], [1e-300], [1e-12]),  # nothing to do
        ([1e9] * 3000, [1.0] * 3000, [1e3] * 3000),
    ],
)
def test_curves_cope_with(dual, gap, violation):
    trace = Trace(np.array(dual), np.array(gap), np.array(violation))
    _, grid = certificate(traces=(trace,)).body
    for figure in grid.blocks[1].blocks:
        assert "nan" not in figure.svg and len(figure.svg) < 60_000


# The initial gaps, against the solver's own.


def measure_initial_optimality(problem):
    optimality, _ = measure_optimality(
        np.zeros(len(problem.rows)),
        np.zeros(len(problem.linear)),
        problem,
        groups=problem.groups,
        unit_margin=problem.unit_margin,
    )
    return optimality


def test_initial_gaps_are_what_the_solver_measures(two, three, wave):
    run, _ = two
    rows = np.arange(len(run.data.train.target))
    problem = c_svc(rows, run.data.train.target == 1, compute_bounds(run))
    (found,) = compute_initial_gaps(run)
    assert found.name == ""
    assert found[1:] == pytest.approx(
        [float(each) for each in measure_initial_optimality(problem)[1:3]], rel=1e-12
    )
    names = [each.name for each in compute_initial_gaps(three[0])]
    assert names == ["‘a’ against ‘b’", "‘a’ against ‘c’", "‘b’ against ‘c’"]
    assert compute_initial_gaps(three[0])[0].duality_gap == 50
    run, _ = wave
    rows = np.arange(80)
    problem = epsilon_svr(rows, run.data.train.target, compute_bounds(run), 0.2)
    (found,) = compute_initial_gaps(run)
    assert found[1:] == pytest.approx(
        [float(each) for each in measure_initial_optimality(problem)[1:3]], rel=1e-12
    )


def test_bounds_of_balanced_classes():
    x, target = make_blobs(2)
    keep = np.r_[0:10, 25:50]
    run, _ = fit_run(
        SupportVectorClassifier(C=2.0),
        x[keep],
        target[keep],
        ("no", "yes"),
        class_weight="balanced",
    )
    expected = np.where(target[keep] == 0, 2 * 35 / 20, 2 * 35 / 50)
    np.testing.assert_allclose(compute_bounds(run), expected)
    assert np.all(
        np.abs(run.model.dual_coefficients[:, 0])
        <= expected[run.model.support_indices] * (1 + 1e-12)
    )
    assert build_support_vectors_section(run)


# Decision regions.


def test_regions_of_two_classes_have_boundary_and_margins(two):
    run, x = two
    (figure,) = build_regions_section(run, x).body
    for subject in ("principal components", "boundary", "margins"):
        assert subject in figure.caption
    for name in ("no", "yes", "support vector"):
        assert f">{name}<" in figure.svg
    assert len(figure.svg) < 150_000


def test_points_of_the_plane_map_to_features(two):
    """The origin maps to the mean of the rows, and directions have length 1."""
    run, x = two
    plane = choose_plane(run, x)
    np.testing.assert_allclose(
        plane.lift(np.zeros((1, 2))), x.mean(axis=0)[None], atol=1e-6
    )
    moved = plane.lift(np.array([[3.0, 4.0]])) - plane.lift(np.zeros((1, 2)))
    assert np.linalg.norm(moved) == pytest.approx(5, rel=1e-5)
    assert plane.points.var(axis=0)[0] >= plane.points.var(axis=0)[1]


def test_the_plane_of_sparse_rows_is_that_of_dense_ones(two):
    run, x = two
    wide = np.pad(x, ((0, 0), (0, 5)))
    plane = choose_plane(run, wide)
    same = choose_plane(run, sparse.csr_array(wide))
    assert same.labels == plane.labels
    np.testing.assert_allclose(abs(same.points), abs(plane.points), atol=1e-5)
    np.testing.assert_allclose(
        same.lift(same.points), plane.lift(plane.points), atol=1e-5
    )


def test_share_of_rows_that_the_plane_represents(two):
    run, x = two
    (figure,) = build_regions_section(run, x).body
    plane = choose_plane(run, x)
    scores = np.asarray(run.model(plane.lift(plane.points)))[:, 0]
    same = np.mean((scores > 0) == run.predictions[0].predicted)
    assert f"{report.percent(float(same))} of the rows" in figure.caption


def test_a_threshold_is_not_shown_and_the_caption_says_so(two):
    run, x = two
    about = dataclasses.replace(
        run.data.description, threshold=Threshold(0.25, "probability", "0.25")
    )
    data = dataclasses.replace(run.data, description=about)
    changed = SimpleNamespace(**{**vars(run), "data": data})
    (plain,) = build_regions_section(run, x).body
    (figure,) = build_regions_section(changed, x).body
    assert "class that the model predicts" in plain.caption
    assert "class that the score speaks for" in figure.caption
    assert "With the threshold, a probability of 0.250, the model" in figure.caption
    assert "threshold" not in plain.caption


def test_two_columns_are_shown_as_they_are():
    x, target = make_blobs(2, columns=2)
    raw = x * [10, 1e-3] + [100, 0]
    run, features = fit_run(
        SupportVectorClassifier(), x, target, ("no", "yes"), raw=raw
    )
    plane = choose_plane(run, features)
    np.testing.assert_allclose(plane.points, raw, rtol=1e-5)
    np.testing.assert_allclose(plane.lift(plane.points), features, atol=1e-4)
    (figure,) = build_regions_section(run, features).body
    assert "two columns" in figure.caption
    assert "principal" not in figure.caption
    assert ">c0<" in figure.svg


def test_blanks_are_no_column_of_the_figure():
    x, target = make_blobs(2, columns=2)
    raw = np.where(np.arange(len(x)) % 5, x[:, 0], 7), np.where(target, 3, np.nan)
    run, features = fit_run(
        SupportVectorClassifier(), x, target, ("no", "yes"), raw=np.stack(raw, axis=1)
    )
    (figure,) = build_regions_section(run, features).body
    assert "principal" in figure.caption and "two columns" not in figure.caption


def test_a_single_feature_has_no_regions():
    x, target = make_blobs(2, columns=1)
    run, features = fit_run(SupportVectorClassifier(), x, target, ("no", "yes"))
    assert build_regions_section(run, features) is None


@pytest.mark.parametrize("multiclass", ["one_vs_one", "one_vs_rest"])
def test_leads_are_positive_where_the_model_predicts_the_class(multiclass, three):
    run, _ = three
    if multiclass == "one_vs_rest":
        model = SupportVectorClassifier(multiclass=multiclass)
        run, _ = fit_run(model, *make_blobs(3), ("a", "b", "c"))
    points = np.random.default_rng(0).normal(0, 4, (500, 3)).astype(np.float32)
    leads = _compute_leads(run, points)
    decided = np.asarray(run.model(points)).argmax(axis=1)
    np.testing.assert_array_equal(leads.argmax(axis=1), decided)
    assert np.all((leads > 0).sum(axis=1) == 1)


def test_rows_of_the_commonest_classes_are_shown(monkeypatch):
    monkeypatch.setattr("recipes.svm.report.decision_regions.MAX_CLASSES", 3)
    x, target = make_blobs(5, columns=2, rows=10)
    keep = np.arange(50) != 15  # class 1 has one row fewer
    levels = tuple(f"k{i}" for i in range(5))
    run, features = fit_run(SupportVectorClassifier(), x[keep], target[keep], levels)
    (figure,) = build_regions_section(run, features).body
    assert "3 commonest classes" in figure.caption
    assert re.findall(r">(k\d)<", figure.svg) == ["k3", "k2", "k0"][::-1]
    assert "margins" not in figure.caption


def test_thirty_classes_differ_in_colour_or_shape():
    markers = {tuple(_choose_marker(i).values()) for i in range(MAX_CLASSES)}
    assert len(markers) == MAX_CLASSES


# Support vectors.


def test_support_vectors_are_ordered_by_coefficient_then_by_fit(two):
    run, _ = two
    words, table = build_support_vectors_section(run).body
    model = run.model
    size = np.abs(model.dual_coefficients[:, 0])
    bounded = int(np.sum(size >= 0.5 - 1e-9))
    assert f" {len(size)} of the 50 training rows" in text(words)
    assert f" {bounded} of them lie inside the margin" in text(words)
    assert f"the other {len(size) - bounded}." in text(words)
    assert len(table.rows) == min(10, len(size))
    states = [row[2].text for row in table.cells]
    assert states == sorted(
        states, key=["wrong side", "inside the margin", "on the margin"].index
    )
    rows = [int(row[0].text.split()[1].rstrip(":")) for row in table.cells]
    shown = [size[np.flatnonzero(model.support_indices == row)[0]] for row in rows]
    assert shown == sorted(shown, reverse=True)
    assert table.cells[0][0].note.startswith("c0 ")
    scores = np.asarray(run.predictions[0].scores)[:, 0]
    for row, cells in zip(rows, table.cells, strict=True):
        assert report.number(float(scores[row]), 3) in cells[2].note
        level = ("no", "yes")[run.data.train.target[row]]
        assert report.quoted(level) in cells[0].text


def test_support_vectors_of_several_classes_count_problems(three):
    words, table = build_support_vectors_section(three[0]).body
    assert table.header[1] == "Σ|β|"
    assert "in at least one problem" in words.text
    for row in table.cells:
        assert row[2].text in ("on the margin", "at the bound") or re.fullmatch(
            r"at the bound in \d of \d problems", row[2].text
        )


def test_support_vectors_of_a_regression_have_residuals(wave):
    run, _ = wave
    words, table = build_support_vectors_section(run).body
    assert "outside the tube" in words.text
    assert {row[2].text for row in table.cells} <= {"outside the tube", "on its edge"}
    assert all("residual" in row[2].note for row in table.cells)


def test_a_model_without_support_vectors():
    run, _ = fit_run(
        SupportVectorRegressor(epsilon=5.0), *make_blobs(2)[:2], epsilon=5.0
    )
    (words,) = build_support_vectors_section(run).body
    assert "No row has a coefficient" in words.text
    assert build_tube_section(run).body


# The tube.


def test_tube_reports_the_share_inside(wave):
    run, _ = wave
    (grid,) = build_tube_section(run).body
    scatter, curve = grid.blocks
    residual = run.data.train.target - np.ravel(run.predictions[0])
    inside = float(np.mean(np.abs(residual) <= 0.2 + 1e-3))
    assert 0.3 < inside < 0.95
    assert f"{report.percent(inside)} of the training rows" in scatter.caption
    assert "0.200" in scatter.caption
    for name in ("tube", "support vector", "train", "test"):
        assert f">{name}<" in scatter.svg
    assert "‘c0’" in curve.caption
    assert ">c0<" in curve.svg


def test_tube_of_several_columns_has_no_curve():
    x, target = make_blobs(2)
    run, _ = fit_run(SupportVectorRegressor(), x, x[:, 0] + target, epsilon=0.1)
    (figure,) = build_tube_section(run).body
    assert "Scatter plot" in figure.alt

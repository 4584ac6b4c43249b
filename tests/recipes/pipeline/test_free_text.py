"""Free text from the table to the SavedModel, in all recipes."""

import csv
import functools
import gzip
import importlib
import json
import re

import keras
import numpy as np
import pytest
import scipy.sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from recipes import predict
from recipes.errors import InputError
from recipes.pipeline import evaluation, report
from recipes.pipeline.datasets import Column
from recipes.pipeline.preprocessing import build_serving_model, learn_preprocessing
from recipes.pipeline.run.session import fingerprint
from tests import runs
from tests.commands import run_forked
from tests.recipes.pipeline.datasets.loading import loaded

WORDS = [
    "sun",
    "rain",
    "snow",
    "wind",
    "road",
    "house",
    "tree",
    "river",
    "stone",
    "fire",
    "cloud",
    "bird",
]
NEW = {
    "review": [
        "the GREAT sun rain snow",
        "never seen words only",
        "",
        'awful,\n"awful" über 東京!',
        " NA ",
    ],
    "size": np.array([1, 2, np.nan, 4, 5], "float32"),
    "colour": ["red", "blue", "", "green", "red"],
}
RECIPES = {
    "linear_regression": {"target": "price", "drop": ("ok",), "text_features": 30},
    "svm": {"target": "ok", "drop": ("price",), "kernel": "linear"},
    "neural_network": {"target": "ok", "drop": ("price",), "epochs": 30},
}


def write_table(path, rows=150):
    """Write a table whose targets depend on a word, a number and a category."""
    rng = np.random.default_rng(0)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["size", "colour", "review", "ok", "price"])
        for number in range(rows):
            size, colour = rng.uniform(0, 2), rng.choice(["red", "green", "blue"])
            opinion = rng.choice(["great", "awful"])
            words = rng.permutation([*rng.choice(WORDS, 6), opinion])
            text = " ".join(words) if number % 20 else ""
            if number % 9 == 4:
                text = f'"So", she said,\nthe über {text}!'
            price = size + 3 * ("great" in text) + (colour == "red")
            table.writerow([size, colour, text, "yn"[price > 3], price])
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Runs by recipe."""
    folder = tmp_path_factory.mktemp("texts")
    path = write_table(folder / "reviews.csv")

    @functools.cache
    def run(name):
        recipe = importlib.import_module(f"recipes.{name}")
        config = recipe.Config(
            dataset=str(path), out_dir=str(folder / name), **RECIPES[name]
        )
        return recipe.train_and_evaluate(config)

    return run


@pytest.mark.parametrize("name", RECIPES)
def test_the_run_says_what_it_read(made, name):
    run = made(name)
    columns = json.loads((run.out_dir / "columns.json").read_text())["columns"]
    entry = columns[[c["name"] for c in columns].index("review")]
    assert entry["kind"] == "text"
    assert "training" not in entry and "texts" not in entry
    (note,) = (n for n in run.data.description.notes if "free text" in n)
    terms = run.serving_model.preprocessing.num_terms
    assert note == f"'review': free text, {terms} words and pairs of words"
    page = (run.out_dir / "report.html").read_text(encoding="utf-8")
    assert re.search(r"different texts of 7\.\d+ words on average", page)
    score = run.metrics["test"]
    if name == "linear_regression":
        slopes = run.metrics["coefficients"]["slopes"]
        scale = {slope["name"]: slope["scale"] for slope in slopes}
        assert scale["size"] == pytest.approx(run.data.train.features[:, 0].std())
        layer = run.serving_model.preprocessing
        words = evaluation.preprocess(run.data.train, layer).std(axis=0)
        place = layer.output_names.index("review: great")
        assert scale["review: great"] == pytest.approx(words[place], rel=1e-4)
        assert score["r2"] > 0.9
    else:
        assert score["accuracy"] > 0.75


@pytest.mark.parametrize("name", RECIPES)
def test_the_saved_models_read_texts_as_training_did(tmp_path, made, name):
    run = made(name)
    raw = {column: np.array(cells) for column, cells in NEW.items()}
    runs.check_elsewhere(
        tmp_path,
        run_forked,
        f"recipes.{name}",
        {name: run},
        {name: raw},
        {name: (1, 5)},
    )
    # The rows of the test set, through the model of raw inputs.
    about, test = run.data.description, run.data.test
    raw = {}
    for place, column in enumerate(about.columns):
        values = test.features[:, place]
        words = column.texts or column.levels
        raw[column.name] = (
            np.array([words[int(v)] if v == v else "" for v in values])
            if words
            else values
        )
    found = runs.answers(run, raw)
    predicted = run.predictions[1]
    if name == "linear_regression":
        np.testing.assert_allclose(found["prediction"], predicted, atol=1e-5)
    else:
        scores = found["scores"]
        np.testing.assert_allclose(scores, predicted.scores, rtol=1e-4, atol=1e-5)


def test_predict_takes_the_cells_of_a_file(tmp_path, made):
    run = made("linear_regression")
    path = tmp_path / "new.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(NEW)
        cells = zip(*NEW.values(), strict=True)
        table.writerows(["" if v != v else v for v in row] for row in cells)
    output = tmp_path / "answers.csv"
    predict.predict(
        predict.Config(run=str(run.out_dir), dataset=str(path), output=str(output))
    )
    with output.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = [float(row["prediction"]) for row in rows]
    raw = {column: np.array(cells) for column, cells in NEW.items()}
    expected = runs.answers(run, raw)["prediction"][:, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert [row["review"] for row in rows] == NEW["review"]
    # Blank are texts, a size and a colour.
    assert [row["blanks_filled"] for row in rows] == ["0", "0", "3", "0", "1"]
    assert {row["unseen_levels"] for row in rows} == {"0"}


def test_of_many_values_of_a_row_the_text_is_shown():
    columns = (*map(Column, "abcdefghi"), Column("note", "text", texts=("x " * 300,)))
    rows = np.zeros((3, 10), "float32")
    rows[:, :9] = np.random.default_rng(0).normal(size=(3, 9))
    words = report.describe_row(columns, rows, 0, report.summarise(rows))
    assert words.count(";") == report.MAX_VALUES - 1
    shown = words.split("note ")[1]
    assert shown.startswith("‘x x x") and "…" in shown and len(shown) < 210


def test_sparse_rows_are_the_dense_ones(tmp_path):
    data = loaded(write_table(tmp_path / "a.csv"), target="price", drop=("ok",))
    dense, sparse = (
        learn_preprocessing(data, sparse=each, text_features=9)
        for each in (False, True)
    )
    expected = evaluation.preprocess(data.train, dense)
    found = evaluation.preprocess(data.train, sparse)
    assert scipy.sparse.issparse(found) and found.format == "csr"
    np.testing.assert_array_equal(found.toarray(), expected)
    names = dense.output_names
    assert expected.shape == (120, len(names)) and len(names) == 3 + 9
    assert [name.startswith("review: ") for name in names] == [False] * 3 + [True] * 9
    assert len(dense.center) == len(dense.scale) == len(names)
    length = np.linalg.norm(expected[:, 3:], axis=1)
    np.testing.assert_allclose(length[length > 0], 1, rtol=1e-6)


def test_the_vocabulary_is_of_the_training_rows(tmp_path):
    data = loaded(write_table(tmp_path / "a.csv"), target="price", drop=("ok",))
    column = data.description.columns[2]
    used = {column.texts[int(v)] for v in data.train.features[:, 2] if v == v}
    layer = learn_preprocessing(data)
    joined = " ".join(used).lower()
    assert all(term.split()[0] in joined for term in layer.texts[0].vocabulary)
    assert len(used) < len(column.texts)


def test_other_texts_are_other_data(tmp_path):
    path = write_table(tmp_path / "a.csv")
    before = fingerprint(loaded(path))
    path.write_text(path.read_text().replace("great", "grand"))
    assert fingerprint(loaded(path)) != before


def test_texts_without_common_words_are_refused(tmp_path):
    lines = [f"a{i} b{i} c{i} d{i} e{i},{i % 9}" for i in range(60)]
    (tmp_path / "a.csv").write_text("\n".join(["text,y", *lines]))
    data = loaded(tmp_path / "a.csv", task="regression")
    assert data.description.kinds == "1 text"
    with pytest.raises(InputError, match="no column varies over the training rows"):
        learn_preprocessing(data)


def test_a_column_without_common_words_is_an_input_without_effect(tmp_path):
    lines = [f"a{i} b{i} c{i} d{i} e{i},{i % 9},{i % 5}" for i in range(60)]
    (tmp_path / "a.csv").write_text("\n".join(["text,x,y", *lines]))
    data = loaded(tmp_path / "a.csv", task="regression")
    layer = learn_preprocessing(data)
    assert layer.output_names == ("x",)
    note = "'text': free text, dropped, as no two training rows have a word in common"
    assert note in layer.notes
    model = build_serving_model(data.description, layer, keras.layers.Identity())
    assert set(model.signature()) == {"text", "x"}


def test_texts_alone(tmp_path):
    svm = importlib.import_module("recipes.svm")
    path = write_table(tmp_path / "a.csv")
    config = svm.Config(
        dataset=str(path),
        features=("review",),
        target="ok",
        kernel="linear",
        out_dir=str(tmp_path / "run"),
    )
    run = svm.train_and_evaluate(config)
    assert run.data.description.kinds == "1 text"
    raw = {"review": np.array(NEW["review"])}
    scores = runs.answers(run, raw)["scores"][:, 0]
    assert scores[2] == scores[4]  # both blank
    assert scores[1] == scores[2]  # nothing known in it
    assert len(np.unique(scores)) == 3
    page = (run.out_dir / "report.html").read_text(encoding="utf-8")
    assert "review ‘" in page  # as the rows with most weight show


def test_spam(tmp_path, recipes_data):
    """As accurate as scikit-learn on the same rows, and 98 %."""
    path = recipes_data / "sms-spam" / "SMSSpamCollection.gz"
    table = tmp_path / "sms.tsv"
    table.write_bytes(b"label\tmessage\n" + gzip.decompress(path.read_bytes()))
    data = loaded(table, target="label")
    assert data.description.kinds == "1 text"
    layer = learn_preprocessing(data, sparse=True)
    assert layer.num_terms == 2000
    train, test = (evaluation.preprocess(p, layer) for p in (data.train, data.test))
    assert train.nnz < 0.02 * np.prod(train.shape)
    svm = importlib.import_module("recipes.svm")
    model = svm.SupportVectorClassifier(kernel="linear", probability=False)
    model.fit(train, data.train.target, verbose=0)
    found = model.predict_classes(test, verbose=0) == data.test.target
    texts = data.description.columns[0].texts
    known, new = (
        [texts[int(v)] if v == v else "" for v in part.features[:, 0]]
        for part in (data.train, data.test)
    )
    peer = TfidfVectorizer(ngram_range=(1, 2))
    fitted = LinearSVC().fit(peer.fit_transform(known), data.train.target)
    expected = fitted.score(peer.transform(new), data.test.target)
    assert found.mean() >= 0.98
    assert found.mean() >= expected - 0.005

"""The names of a SavedModel's inputs."""

import inspect

import hypothesis
import numpy as np
from hypothesis import strategies as st
from tensorflow.core.function.polymorphism.function_type import sanitize_arg_name

from recipes.pipeline.preprocessing import learn
from recipes.pipeline.preprocessing.input_names import name_inputs
from tests.recipes.pipeline.preprocessing.data_sets import NASTY, data_of


def test_names_that_python_can_pass_are_kept():
    keywords = {name.column: name.keyword for name in name_inputs(NASTY)}
    changed = {column: word for column, word in keywords.items() if column != word}
    assert {"self", "x y", "é", "a/b"} & changed.keys() == {"self", "x y", "a/b"}
    assert not {"x_y", "x  y", "class", "Größe", "price/m²"} & changed.keys()
    arguments = {name.column: name.argument for name in name_inputs(NASTY)}
    assert arguments["x_y"] == "x_y"
    assert arguments["Größe"] == "Größe"
    assert arguments["class"] == "input_3"  # after `self` and the two columns


def test_other_names_are_numbered_past_the_columns_own():
    names = name_inputs(["input_1", "x y", "self", "input_0", "x_y"])
    assert {name.column: name.keyword for name in names} == {
        "input_0": "input_0",
        "input_1": "input_1",
        "x_y": "x_y",
        "self": "input_2",
        "x y": "input_3",
    }


@hypothesis.settings(max_examples=50)
@hypothesis.given(st.lists(st.text(max_size=4), unique=True, min_size=1))
def test_no_name_is_lost(columns):
    names = name_inputs(columns)
    assert {name.column for name in names} == set(columns)
    keywords = {sanitize_arg_name(name.keyword) for name in names}
    assert len(keywords) == len(columns)
    assert "self" not in keywords
    parameters = [sanitize_arg_name(name.argument) for name in names]
    assert parameters == sorted(set(parameters))
    assert len(parameters) == len(columns)
    for parameter in parameters:
        inspect.Parameter(parameter, inspect.Parameter.KEYWORD_ONLY)


def test_the_preprocessing_notes_the_changed_names():
    names = ["self", "x y", "x_y", "class"]
    rows = np.random.default_rng(0).normal(size=(9, 4))
    words = "in Python the SavedModel's signature takes 'self' as input_0, "
    assert learn.learn_preprocessing(data_of(rows, names=names)).notes == (
        f"{words}'x y' as input_2",
    )
    assert not learn.learn_preprocessing(data_of(rows, tabular=False)).notes

"""Every kind of cell is read alike by training, the SavedModel and `model.keras`."""

import dataclasses
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf

from layers import cells
from recipes.pipeline.datasets import Column, Data, Description, Examples, precision
from recipes.pipeline.datasets.encoding import Levels, encode_features
from recipes.pipeline.datasets.source import Source
from recipes.pipeline.preprocessing import learn
from recipes.pipeline.run import export
from tests.commands import run_forked

# Of each column: how it is described, cells of the training rows, and others.
COLUMNS = [
    (
        Column("price", format="$1,000.0", na_values=("$0",)),
        ["$1,234.5", "-$2", "$ 3.25", "$0", "NA", '"$1,000"', "$7", "$0.1"],
        ["$9,999", "12", "$1,2", "", " $0 ", "-"],
    ),
    (
        Column("share", format="1,0%"),
        ["12,5%", "13 %", "-4%", "0%", "1,1%", "2%", "3%", "4%"],
        ["50%", "0,5", "50", "null", "1.5%", "\u00a07\u00a0%\u00a0"],
    ),
    (
        Column("profit", format="(1,000.0)"),
        ["(12)", "12", "-3", "1,000.5", "(1,000)", "5", "6", "7"],
        ["(5)", "(5", "5)", "-", "1e3", "1000"],
    ),
    (
        Column("sold", "date", format="%d/%m/%Y", na_values=("01/01/1900",)),
        ["1/2/2024", "29/02/2024", "3/3/2023", "01/01/1900", "5/6/2020"]
        + ["6/7/2021", "7/8/2022", "8/9/2019"],
        ["30/2/2024", "2024-01-01", "1/1/2030", "?", "1/1/1900", ' "1/1/1970" '],
    ),
    (
        Column("seen", "date", format="%Y-%m-%dT%H:%M:%S%z"),
        [f"2024-01-0{day}T{day + 9}:0{day}:59.5+02:00" for day in range(1, 9)],
        ["2024-01-01T00:00:00Z", "2024-01-01T00:00:00", "", "x"]
        + ["2023-12-31T23:59:59.999999Z", "2024-01-01T24:00:00Z"],
    ),
    (
        Column("opens", "date", format="%I:%M %p"),
        ["9:00 AM", "10:30 am", "12:00 PM", "1:15 p.m."] * 2,
        ["12:00 AM", "0:30 AM", "13:00", "None", "11:59 PM", "9:00  AM"],
    ),
    (
        Column("pool", "categorical", na_values=("unknown",)),
        ["yes", " no", '"yes"', "", "unknown", "None", "-", "yes"],
        ["no ", "perhaps", "NA", "unknown", "None", '" yes "'],
    ),
    (
        Column("rooms", na_values=("-1", "many")),
        [1, 2, 3, np.nan, 5.5, 6, 7, 0.1],
        [-1, np.nan, 4, 0.1, 1e6, -1.5],
    ),
    (
        Column("time", na_values=("0",)),
        [1_700_000_000.0 + second for second in range(8)],
        [0, np.nan, 1_700_000_003.25, 1_699_999_999, 1, -1],
    ),
]


TRAIN = 8


def read(column, texts):
    """Read cells as training does: levels, and a number for each."""
    if column.kind == "categorical":
        levels = Levels(na_values=column.na_values)
        codes = levels.encode_all(texts)
        return levels.texts, codes
    if not column.format:  # numbers in a file
        texts = ["" if np.isnan(number) else repr(float(number)) for number in texts]
        marks = [repr(float(text)) for text in column.na_values if text != "many"]
        return (), cells.parse_numbers(texts, "", marks).numpy()
    return (), cells.parse_cells(texts, column.format, column.na_values).numpy()


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Data of these columns, their raw cells, the model exported, predictions."""
    columns, numbers = [], []
    for column, train, others in COLUMNS:
        levels, values = read(column, [*train, *others])
        columns.append(dataclasses.replace(column, levels=levels))
        numbers.append(values)
    rows = np.stack(numbers, axis=1)
    target = np.arange(len(rows), dtype=np.float64)
    train, test = (
        Examples(rows[p], target[p]) for p in (slice(TRAIN), slice(TRAIN, None))
    )
    found = Source("t", "t.csv", True, tuple(columns), Column("y"), train, test)
    found = precision.settle(found)
    columns, _ = encode_features(
        found.columns, found.train.features, found.test.features
    )
    about = Description("t", "t.csv", True, columns, Column("y"), "regression")
    data = Data(found.train, found.test, about)
    layer = learn.learn_preprocessing(data)
    serving = learn.build_serving_model(about, layer, keras.layers.Identity())
    raw = {
        column.name: np.array(
            [*first, *others],
            "U" if column.format or column.levels else column.dtype,
        )
        for column, (_, first, others) in zip(columns, COLUMNS, strict=True)
    }
    expected = np.concatenate(
        [layer(part.features) for part in (data.train, data.test)]
    )
    folder = tmp_path_factory.mktemp("cells")
    np.savez(folder / "raw.npz", **raw)
    return data, layer, serving, raw, expected, folder


def test_columns_have_the_dtypes_that_they_need(table):
    data, *_ = table
    wide = [c.name for c in data.description.columns if c.dtype == "float64"]
    assert wide == ["seen", "opens", "time"]


def test_outputs(table):
    data, layer, *_ = table
    names = layer.output_names
    blank = [name for name in names if name.endswith("=(blank)")]
    assert blank == [f"{name}=(blank)" for name in ("price", "sold", "pool", "rooms")]
    assert {"sold year", "seen weekday sin", "opens hour cos"} <= set(names)
    assert not {"sold hour sin", "seen year", "opens year"} & set(names)
    assert data.description.columns[6].levels == ("-", "None", "no", "yes", "")


def test_the_serving_model_reads_what_training_read(table):
    _, _, serving, raw, expected, _ = table
    tensors = {name: tf.constant(cells) for name, cells in raw.items()}
    np.testing.assert_array_equal(serving(tensors), expected)
    strings = {
        name: spec.dtype == tf.string for name, spec in serving.signature().items()
    }
    assert [name for name, is_string in strings.items() if not is_string] == [
        "rooms",
        "time",
    ]


LOAD = {
    "saved_model": """
        sys.modules["layers"] = sys.modules["recipes"] = None  # cannot be imported
        loaded = tf.saved_model.load("export")
        call = lambda columns: loaded.serve(columns)["prediction"]
    """,
    "keras": """
        import keras, layers
        call = keras.models.load_model("model.keras")
    """,
}


@pytest.mark.parametrize("form", LOAD)
def test_a_clean_process_reads_what_training_read(table, form):
    _, _, serving, _, expected, folder = table
    if form == "keras":
        serving.save(folder / "model.keras")
    else:
        export.save_model(serving, folder / "export", lambda y: {"prediction": y})
    code = """
        import sys
        import numpy as np, tensorflow as tf
        {load}
        raw = np.load("raw.npz")
        for rows in (1, None):
            columns = {{name: tf.constant(raw[name][:rows]) for name in raw}}
            np.save(f"output-{{rows}}.npy", np.asarray(call(columns)))
    """
    code = textwrap.dedent(code).format(load=textwrap.dedent(LOAD[form]))
    ended = run_forked(folder, "-c", code)
    assert ended.code == 0, ended.err
    for rows in (1, None):
        output = np.load(folder / f"output-{rows}.npy")
        np.testing.assert_allclose(output, expected[:rows], rtol=1e-6, atol=1e-6)

"""The command from end to end: what is written, and that it is what the model says."""

import csv
import gzip
import io
import json
import shutil

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest
import tensorflow as tf

import recipes.linear_regression
import recipes.svm
from recipes.errors import InputError
from recipes.predict import Config, predict
from tests.recipes.predict.conftest import Made
from tests.runs import interrupted_when, names_in, refusal


def read_csv(path):
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def scored(made, table, folder, name="out.csv", **options):
    """Predict a table, and return the rows that are written."""
    run = options.pop("run", made.folder)
    config = Config(
        run=str(run), dataset=str(table), output=str(folder / name), **options
    )
    output = predict(config)
    if output.suffix == ".parquet":
        return pyarrow.parquet.read_table(output).to_pylist()
    return read_csv(output)


def column(rows, name):
    return [row[name] for row in rows]


def served(made, rows):
    """Return what the SavedModel answers for rows of texts."""
    signature = tf.saved_model.load(made.folder / "export/1").signatures["serve"]
    inputs = {}
    for argument, spec in signature.structured_input_signature[1].items():
        cells = column(rows, spec.name)
        if spec.dtype != tf.string:
            cells = [float(cell or "nan") for cell in cells]
        inputs[argument] = tf.constant(cells, spec.dtype)
    return {name: value.numpy() for name, value in signature(**inputs).items()}


@pytest.mark.parametrize("name", ["numbers", "tube"])
def test_numbers_are_the_model_s(made, name, tmp_path):
    run = made[name]
    rows = scored(run, run.table, tmp_path)
    source = read_csv(run.table)
    assert [list(row)[:5] for row in rows] == [[*source[0]]] * len(rows)
    assert all(row[key] == old[key] for row, old in zip(rows, source, strict=True)
               for key in old)  # fmt: skip
    found = np.array(column(rows, "prediction"), np.float32)
    np.testing.assert_array_equal(found, served(run, source)["prediction"][:, 0])
    blanks = [str(int(row["a"] == "")) for row in source]
    assert column(rows, "blanks_filled") == blanks
    assert set(column(rows, "unseen_levels")) == {"0"}


@pytest.mark.parametrize("name", ["plants", "plain", "two"])
def test_classes_are_the_model_s(made, name, tmp_path):
    run = made[name]
    rows = scored(run, run.table, tmp_path)
    answers = served(run, read_csv(run.table))
    labels = [label.decode() for label in answers["label"]]
    assert column(rows, "label") == labels
    classes = run.run.data.description.target.levels
    kind, stem = ("probabilities", "probability_{}")
    if name == "plain":
        kind, stem = ("scores", "score_{}")
    for place, each in enumerate(classes):
        found = np.array(column(rows, stem.format(each)), np.float32)
        np.testing.assert_array_equal(found, answers[kind][:, place])
    assert len(set(labels)) == len(classes)


def test_test_rows_get_the_run_s_own_predictions(made, tmp_path):
    run = made["numbers"].run
    columns = run.data.description.columns
    lines = [",".join(each.name for each in columns)]
    for row in run.data.test.features.tolist():
        cells = [
            "" if np.isnan(cell) else each.levels[int(cell)] if each.levels else cell
            for each, cell in zip(columns, row, strict=True)
        ]
        lines.append(",".join(map(str, cells)))
    (tmp_path / "test.csv").write_text("\n".join(lines) + "\n")
    rows = scored(made["numbers"], tmp_path / "test.csv", tmp_path)
    np.testing.assert_allclose(
        np.array(column(rows, "prediction"), float), run.predictions[1][:, 0], rtol=1e-5
    )


def test_columns_may_be_reordered_missing_and_new(made, tmp_path):
    run = made["numbers"]
    whole = scored(run, run.table, tmp_path)
    names = ["kind", "more", "b", "a"]
    lines = [",".join(names)]
    lines += [",".join(row.get(n, "0") for n in names) for row in read_csv(run.table)]
    (tmp_path / "new.csv").write_text("\n".join(lines) + "\n")
    rows = scored(run, tmp_path / "new.csv", tmp_path, "new.out.csv")
    assert list(rows[0])[:4] == names
    assert column(rows, "prediction") == column(whole, "prediction")


def test_only_the_exported_model_is_needed(made, predict, tmp_path):
    """In a process of its own; what the other files would add is named."""
    run = made["plants"]
    whole = scored(run, run.table, tmp_path)
    shutil.copytree(run.folder / "export", tmp_path / "run/export")
    ended = predict(
        tmp_path, "--run=run", f"--dataset={run.table}", "--output=less.csv"
    )
    assert (ended.code, ended.err) == (0, "")
    rows = read_csv(tmp_path / "less.csv")
    assert column(rows, "label") == column(whole, "label")
    assert column(rows, "probability_1") == column(whole, "probability_moss")
    assert "unseen_levels" not in rows[0]
    assert (
        "without columns.json: no drift of the columns, no unseen_levels" in ended.out
    )
    assert "without metrics.json" in ended.out
    assert "the columns are numbered" in ended.out


def test_an_older_version_has_no_files_of_its_own(made, tmp_path, capsys):
    run = made["numbers"]
    shutil.copytree(run.folder, tmp_path / "run")
    shutil.copytree(tmp_path / "run/export/1", tmp_path / "run/export/2")
    old = tmp_path / "run/export/1"
    rows = scored(run, run.table, tmp_path, run=old)
    assert "unseen_levels" not in rows[0]
    assert "is not the model of the last run in its folder" in capsys.readouterr().out
    rows = scored(run, run.table, tmp_path, run=tmp_path / "run/export/2")
    assert "unseen_levels" in rows[0]


def test_a_model_of_any_name_is_a_model(made, tmp_path, capsys):
    run = made["numbers"]
    shutil.copytree(run.folder / "export/1", tmp_path / "run/export/best")
    rows = scored(run, run.table, tmp_path, run=tmp_path / "run/export/best")
    assert len(rows) == 300
    assert "is not the model of the last run in its folder" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "edit", "why"),
    [
        (
            "plants",
            lambda content: content["target"]["levels"].reverse(),
            "names other classes than metrics.json, or in another order",
        ),
        (
            "numbers",
            lambda content: content["columns"][2].update(kind="numeric", levels=[]),
            "reads 'kind' otherwise than the model, as texts",
        ),
        (
            "numbers",
            lambda content: content["columns"][0].update(
                kind="categorical", levels=["1", "2"]
            ),
            "reads 'a' otherwise than the model, as numbers",
        ),
    ],
)
def test_columns_that_are_not_the_model_s_are_ignored(
    name, edit, why, made, tmp_path, capsys
):
    run = made[name]
    shutil.copytree(run.folder, tmp_path / "run")
    path = tmp_path / "run/columns.json"
    content = json.loads(path.read_text())
    edit(content)
    for each in content["columns"]:
        del each["training"]
    path.write_text(json.dumps(content))
    whole = scored(run, run.table, tmp_path)
    capsys.readouterr()
    rows = scored(run, run.table, tmp_path, run=tmp_path / "run")
    assert f"columns.json {why}: ignored\n" in capsys.readouterr().out
    for row in whole:
        del row["unseen_levels"]
    assert rows == whole


def test_nothing_drifts_from_no_rows(made, tmp_path, capsys):
    run = made["numbers"]
    shutil.copytree(run.folder, tmp_path / "run")
    path = tmp_path / "run/columns.json"
    content = json.loads(path.read_text())
    del content["training_rows"]
    path.write_text(json.dumps(content))
    capsys.readouterr()
    scored(run, run.table, tmp_path, run=tmp_path / "run")
    assert "drift from" not in capsys.readouterr().out


def test_a_run_that_exported_nothing_lends_the_model_no_files(
    made, predict, tmp_path, linear_regression
):
    table = str(made["numbers"].table)
    shutil.copytree(made["numbers"].folder, tmp_path / "run")
    flags = (f"--dataset={table}", "--out_dir=run", "--noexport", "--noreport")
    assert linear_regression(tmp_path, *flags, "--drop=id,b").code == 0
    ended = predict(tmp_path, "--run=run", f"--dataset={table}", "--output=o.csv")
    assert (ended.code, ended.err) == (0, "")
    assert "is not the model of the last run in its folder" in ended.out


def test_parquet_and_gzip_hold_the_same_rows(made, tmp_path):
    run = made["plants"]
    rows = scored(run, run.table, tmp_path)
    assert scored(run, run.table, tmp_path, "out.csv.gz") == rows
    typed = scored(run, run.table, tmp_path, "out.parquet")
    filled = next(row for row in typed if row["light, %"] is not None)
    assert {name: type(value) for name, value in filled.items()} == {
        **dict.fromkeys(("soil", "plant", "label"), str),
        "light, %": float,
        **{f"probability_{k}": float for k in run.run.metrics["dataset"]["classes"]},
        **dict.fromkeys(("blanks_filled", "unseen_levels"), int),
    }
    assert column(typed, "label") == column(rows, "label")
    lights = [float(cell) if cell else None for cell in column(rows, "light, %")]
    assert column(typed, "light, %") == lights


def test_cells_are_kept_as_they_stand(made, tmp_path):
    (tmp_path / "new.csv").write_text(
        'note,soil,"light, %",label\n'
        '"say ""a, b""", a b ,50.50,x\n'
        '"two\nlines",elsewhere,+4e1,\n'
        ",?, NA ,z\n"
    )
    rows = scored(made["plants"], tmp_path / "new.csv", tmp_path)
    assert column(rows, "note") == ['say "a, b"', "two\nlines", ""]
    assert column(rows, "soil") == [" a b ", "elsewhere", "?"]
    assert column(rows, "light, %") == ["50.50", "+4e1", " NA "]
    assert column(rows, "label") == ["x", "", "z"]
    assert column(rows, "blanks_filled") == ["0", "0", "2"]
    assert column(rows, "unseen_levels") == ["0", "1", "0"]
    plain = [{**row, "light, %": str(cell)} for row, cell in zip(
        rows, (50.5, 40.0, ""), strict=True)]  # fmt: skip
    labels = [label.decode() for label in served(made["plants"], plain)["label"]]
    assert column(rows, "label_2") == labels


def test_only_ids_are_kept(made, tmp_path):
    run = made["numbers"]
    rows = scored(run, run.table, tmp_path, id=("y", "id", "y"))
    names = ["y", "id", "prediction", "blanks_filled", "unseen_levels"]
    assert list(rows[0]) == names
    assert column(rows, "id") == column(read_csv(run.table), "id")


def test_a_matrix_takes_columns_without_names(made, tmp_path, capsys):
    run = made["matrix"]
    lines = run.table.read_text().splitlines()
    whole = scored(run, run.table, tmp_path)
    assert list(whole[0])[:5] == ["x1", "x2", "x3", "x4", "prediction"]
    assert "r2" in capsys.readouterr().out  # x4 is the target
    narrow = tmp_path / "narrow.csv"
    narrow.write_text("\n".join(line.rpartition(",")[0] for line in lines) + "\n")
    rows = scored(run, narrow, tmp_path)
    assert column(rows, "prediction") == column(whole, "prediction")
    named = tmp_path / "named.csv"
    cells = [line.split(",") for line in lines]
    named.write_text(
        "\n".join(["x3,more,x1,x2", *(f"{c},0,{a},{b}" for a, b, c, _ in cells)])
    )
    rows = scored(run, named, tmp_path)
    assert column(rows, "prediction") == column(whole, "prediction")
    other = tmp_path / "other.csv"
    other.write_text("\n".join(["p,q,r", *(f"{a},{b},{c}" for a, b, c, _ in cells)]))
    capsys.readouterr()
    rows = scored(run, other, tmp_path)
    assert column(rows, "prediction") == column(whole, "prediction")
    assert "takes the columns in their order: 'p', 'q', 'r'" in capsys.readouterr().out


def test_arrays_are_taken_from_their_files(made, tmp_path):
    """A LIBSVM file leaves out zeros, and columns at the end, too."""
    run = made["matrix"]
    matrix = np.loadtxt(run.table, delimiter=",")
    whole = scored(run, run.table, tmp_path)
    np.savez(tmp_path / "new.npz", x=matrix[:, :3], y=matrix[:, 3])
    rows = scored(run, tmp_path / "new.npz", tmp_path)
    assert column(rows, "prediction") == column(whole, "prediction")
    assert list(rows[0])[:4] == ["x1", "x2", "x3", "y"]
    (tmp_path / "new.libsvm").write_text("1 1:0.5 2:-1\n2 2:0.25\n")
    (tmp_path / "new.csv").write_text("x1,x2,x3\n0.5,-1,0\n0,0.25,0\n")
    sparse = scored(run, tmp_path / "new.libsvm", tmp_path, id=("y",))
    dense = scored(run, tmp_path / "new.csv", tmp_path)
    assert column(sparse, "prediction") == column(dense, "prediction")
    assert column(sparse, "y") == ["1", "2"]
    np.savez(tmp_path / "wide.npz", x=matrix, y=matrix[:, 3])
    with pytest.raises(InputError, match="rows of 4 numbers, but the model takes 3 nu"):
        scored(run, tmp_path / "wide.npz", tmp_path)
    with pytest.raises(InputError, match="but the model takes columns by name"):
        scored(made["numbers"], tmp_path / "new.npz", tmp_path)


def test_images_are_taken_from_their_files(tmp_path, neural_network):
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    x = rng.integers(0, 99, (60, 4, 3)) + 90 * y[:, None, None]
    np.savez(tmp_path / "images.npz", x=x, y=np.array(["no", "yes"])[y])
    flags = ("--dataset=images.npz", "--epochs=3", "--noreport", "--out_dir=run")
    assert neural_network(tmp_path, *flags).code == 0
    config = Config(
        run=str(tmp_path / "run"),
        dataset=str(tmp_path / "images.npz"),
        output=str(tmp_path / "out.csv"),
        id=("y",),
    )
    rows = read_csv(predict(config))
    served = tf.saved_model.load(tmp_path / "run/export/1")
    answers = served.serve(tf.constant(x, tf.float32))
    np.testing.assert_array_equal(
        np.array(column(rows, "probability_yes"), np.float32),
        answers["probabilities"][:, 1],
    )
    assert set(column(rows, "y")) == {"no", "yes"}


def test_dressed_numbers_and_dates_are_read_as_the_run_s(made, tmp_path, capsys):
    """And the table is laid out as the run's, in which a comma is in the numbers."""
    lines = [f"{i},5 €;{1 + i % 28}.3.2020;{2 * i + i % 28}" for i in range(90)]
    (tmp_path / "train.csv").write_text("\n".join(["price;on;y", *lines]) + "\n")
    recipe = recipes.linear_regression
    run = recipe.train_and_evaluate(
        recipe.Config(
            dataset=str(tmp_path / "train.csv"),
            out_dir=str(tmp_path / "run"),
            report=False,
        )
    )
    formats = [column.format for column in run.data.description.columns]
    assert formats == ["1,0 €", "%d.%m.%Y"]
    capsys.readouterr()
    (tmp_path / "new.csv").write_text(
        "on;price;y\n3.3.2020;7;16\n3.3.2020;7,00 €;18\n30.2.2020;cheap;?\n;?;0\n"
    )
    made_here = Made(run, tmp_path / "train.csv")
    rows = scored(made_here, tmp_path / "new.csv", tmp_path)
    out = capsys.readouterr().out
    assert column(rows, "blanks_filled") == ["1", "0", "2", "2"]
    assert column(rows, "price") == ["7", "7,00 €", "cheap", "?"]
    assert "cells of 'price' not written as '1,0 €', taken as blank: 2" in out
    assert "cells of 'on' not written as '%d.%m.%Y', taken as blank: 1" in out
    assert "new rows (3)" in out
    assert {line.split()[0] for line in out.splitlines() if line[:3] == "  '"} == {
        "'price'", "'on'",
    }  # fmt: skip


@pytest.mark.parametrize("trained", ["cp1252", "utf-8"])
def test_the_encoding_may_be_another(trained, tmp_path, capsys):
    """A table in UTF-8 is read as such; any other in the run's encoding, if it can."""
    recipe, table = recipes.linear_regression, tmp_path / "train.csv"
    lines = [f"{'a' if i % 10 else 'é'},{i * i % 99},{i % 3}" for i in range(90)]
    text = "\n".join(["mot,b,y", *lines]) + "\n"
    table.write_text(text, encoding=trained)
    run = recipe.train_and_evaluate(
        recipe.Config(dataset=str(table), out_dir=str(tmp_path / "run"), report=False)
    )
    for encoding in ("cp1252", "utf-8"):
        (tmp_path / "new.csv").write_text(text, encoding=encoding)
        capsys.readouterr()
        rows = scored(Made(run, table), tmp_path / "new.csv", tmp_path)
        assert set(column(rows, "unseen_levels")) == {"0"}
        out = capsys.readouterr().out
        assert "--encoding" not in out
        unlike = "read as utf-8, unlike the run's table, which is cp1252" in out
        assert unlike == ((trained, encoding) == ("cp1252", "utf-8"))
        assert ("not UTF-8 (line 2), read as cp1252\n" in out) == (
            (trained, encoding) == ("utf-8", "cp1252")
        )


def test_a_threshold_decides_in_the_scores_too(made, tmp_path, capsys):
    """The test rows' accuracy here is what the run has measured."""
    run = recipes.svm.train_and_evaluate(
        recipes.svm.Config(
            dataset=str(made["two"].table),
            out_dir=str(tmp_path / "run"),
            threshold="0.02",
            report=False,
        )
    )
    decisions = run.predictions[1]
    by_scores = decisions.scores[:, 0] > 0
    assert (by_scores != decisions.predicted).any()
    columns, classes = run.data.description.columns, run.data.description.target.levels
    lines = ['soil,"light, %",plant']
    for row, y in zip(run.data.test.features.tolist(), decisions.target, strict=True):
        soil, light = (
            "" if np.isnan(cell) else each.levels[int(cell)] if each.levels else cell
            for each, cell in zip(columns, row, strict=True)
        )
        lines.append(f'{soil},{light},"{classes[y]}"')
    (tmp_path / "test.csv").write_text("\n".join(lines) + "\n")
    capsys.readouterr()
    scored(Made(run, made["two"].table), tmp_path / "test.csv", tmp_path)
    (line,) = (x for x in capsys.readouterr().out.splitlines() if "  accuracy" in x)
    here, there = line.split(" (")[0].split()[1], line.split(")")[1].split()[0]
    assert here == there == f"{run.metrics['test']['accuracy']:.4g}"


def test_scores_are_compared_with_the_test(made, tmp_path, capsys):
    run = made["numbers"]
    rows = read_csv(run.table)
    filled = tmp_path / "filled.csv"
    texts = [",".join(row.values()) for row in rows if row["a"]]
    filled.write_text("\n".join([",".join(rows[0]), *texts]) + "\n")
    scored(run, filled, tmp_path)
    out = capsys.readouterr().out
    assert out.count("as promised") == 4
    wrong = tmp_path / "wrong.csv"
    lines = [
        ",".join(rows[0]),
        *(",".join([*row.values()][:4] + ["99"]) for row in rows),
    ]
    wrong.write_text("\n".join(lines) + "\n")
    scored(run, wrong, tmp_path)
    out = capsys.readouterr().out
    assert out.count("worse than promised") == 3  # a target that does not vary: no r2
    few = tmp_path / "few.csv"
    few.write_text("\n".join(lines[:30]) + "\n")
    scored(run, few, tmp_path)
    assert capsys.readouterr().out.count("too few rows to tell") == 3
    scored(run, run.table, tmp_path, target="a")
    out = capsys.readouterr().out
    assert "not scored, as 'a' is blank" in out


def test_weighted_test_scores_are_not_compared(tmp_path, capsys):
    recipe, table = recipes.linear_regression, tmp_path / "weighted.csv"
    lines = [f"{i * i % 99},{1 + i % 3},{i * i % 99 + i % 7}" for i in range(200)]
    table.write_text("\n".join(["a,w,y", *lines]) + "\n")
    run = recipe.train_and_evaluate(
        recipe.Config(
            dataset=str(table),
            out_dir=str(tmp_path / "run"),
            weights="w",
            report=False,
        )
    )
    assert run.metrics["dataset"]["weights"] == "w"
    capsys.readouterr()
    scored(Made(run, table), table, tmp_path)
    out = capsys.readouterr().out
    assert "new rows (200), unweighted\n" in out
    assert "the run's test scores are weighted by 'w': no comparison" in out
    assert "test of the run" not in out


def test_rows_that_cannot_be_scored_are_counted(made, tmp_path, capsys):
    (tmp_path / "new.csv").write_text(
        'soil,"light, %",plant\na b,50,moss\nü,50,\nü,40,cactus\na b,60,fern\n'
    )
    scored(made["plants"], tmp_path / "new.csv", tmp_path)
    out = capsys.readouterr().out
    assert "new rows (2)" in out
    assert "not scored, as 'plant' is blank: 1\n" in out
    assert "does not know ('cactus'): 1\n" in out


def test_a_typed_target_has_the_scores_of_its_text(made, tmp_path, capsys):
    run = made["numbers"]
    table = pyarrow.csv.read_csv(run.table)
    pyarrow.parquet.write_table(table, tmp_path / "new.parquet")
    shown = []
    for path in (run.table, tmp_path / "new.parquet"):
        capsys.readouterr()
        scored(run, path, tmp_path)
        shown.append(capsys.readouterr().out.partition("drift")[2])
    assert "r2" in shown[0]
    assert shown[0] == shown[1]


def test_a_target_that_is_not_known_yet_ends_no_prediction(made, tmp_path, capsys):
    (tmp_path / "new.csv").write_text("a,b,kind,y\n1,2,red,5\n1,2,red,TBD\n")
    rows = scored(made["numbers"], tmp_path / "new.csv", tmp_path)
    assert column(rows, "y") == ["5", "TBD"]
    assert len(set(column(rows, "prediction"))) == 1
    out = capsys.readouterr().out
    assert "new rows (1)" in out
    assert "is not the number that it was in the run ('TBD'): 1\n" in out


def test_the_drift_is_shown(made, tmp_path, capsys):
    run = made["numbers"]
    scored(run, run.table, tmp_path)
    out = capsys.readouterr().out
    assert out.count("  stable") == 3
    rows = ["a,b,kind", *(f"{5 + i / 99},50,green" for i in range(100))]
    (tmp_path / "new.csv").write_text("\n".join(rows) + "\n")
    scored(run, tmp_path / "new.csv", tmp_path)
    lines = capsys.readouterr().out.splitlines()
    drifts = [line.split() for line in lines if line.startswith("  '")]
    assert {words[0] for words in drifts} == {"'a'", "'b'", "'kind'"}
    assert all(words[2:] == ["strongly", "shifted"] for words in drifts)
    indices = [float(words[1]) for words in drifts]
    assert indices == sorted(indices, reverse=True)


# What is wrong, in one line.


def check_refused(predict, folder, *arguments):
    """Return the line of an error; the output is as it was before."""
    (folder / "out.csv").write_text("before")
    before = names_in(folder)
    line = refusal(predict(folder, "--output=out.csv", *arguments))
    assert (folder / "out.csv").read_text() == "before"
    assert names_in(folder) == before
    return line


@pytest.mark.parametrize(
    ("table", "flags", "expected"),
    [
        (
            "A,b,kind\n1,2,red\n",
            (),
            "the model needs all columns that it learned from: new.csv has no column "
            "'a' (did you mean 'A'?)",
        ),
        (
            "1,2,3\n4,5,6\n",
            (),
            "new.csv has no header line, but the model takes columns by name: 'a', "
            "'b', 'kind'",
        ),
        (
            "a,b,kind\n1,2,red\n3,4x,red\n",
            (),
            "new.csv, line 3, column 'b': '4x' is not a number",
        ),
        (
            "a,b,kind\n1,2,red\n1,1e39,red\n",
            ("--id=a",),
            "new.csv, line 3, column 'b': '1e39' is not finite or too large",
        ),
        (
            "a,b,kind\n1,2,red\n1,2\n",
            (),
            "new.csv, line 3: 2 cells, but 3 are expected",
        ),
        (
            "a,b,kind\n1,2,red\n",
            ("--id=kin",),
            "--id: new.csv has no column 'kin' (did you mean 'kind'?)",
        ),
        (
            "a,b,kind\n1,2,red\n",
            ("--target=z",),
            "--target: new.csv has no column 'z'; there are 'a', 'b', 'kind'",
        ),
    ],
)
def test_a_wrong_table_is_refused(made, predict, tmp_path, table, flags, expected):
    (tmp_path / "new.csv").write_text(table)
    run = f"--run={made['numbers'].folder}"
    line = check_refused(predict, tmp_path, run, "--dataset=new.csv", *flags)
    assert line == f"error: {expected}"


def test_a_matrix_of_another_width_is_refused(made, predict, tmp_path):
    (tmp_path / "new.csv").write_text("1,2\n3,4\n")
    line = check_refused(
        predict, tmp_path, f"--run={made['matrix'].folder}", "--dataset=new.csv"
    )
    assert line == (
        "error: new.csv has 2 columns without names, but the run's table had 4, the "
        "target 'x4' among them; give the table all of them, or a header line with "
        "their names"
    )


@pytest.mark.parametrize("text", ["", "red"])
def test_columns_without_names_are_not_taken_from_other_places(text, predict, tmp_path):
    """Without its first column, the target, the others would be shifted."""
    recipe, rng = recipes.linear_regression, np.random.default_rng(0)
    cells = rng.normal(size=(60, 5)).round(3).astype(str)
    if text:
        cells[::3, 1], cells[1::3, 1], cells[2::3, 1] = text, "blue", "green"
    for name, first in (("train.csv", 0), ("new.csv", 1)):
        lines = [",".join(row[first:]) for row in cells]
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    run = recipe.train_and_evaluate(
        recipe.Config(
            dataset=str(tmp_path / "train.csv"),
            out_dir=str(tmp_path / "run"),
            target="x1",
            drop=("x4",),
            report=False,
        )
    )
    assert run.metrics["dataset"]["unnamed_columns"] == 5
    line = check_refused(predict, tmp_path, "--run=run", "--dataset=new.csv")
    assert "new.csv has 4 columns without names, but the run's table had 5" in line


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ((), "--run=: should be the folder of a run, such as runs/svm/iris"),
        (("--run=x",), "--dataset=: should be the file with the rows to predict"),
        (("--run=x", "--dataset=y"), "--output=: should be the file to write, such as "
         "scored.csv"),
        (("--run=x", "--dataset=y", "--output=z.txt"), "--output=z.txt: should be a "
         "file that ends in .csv, .csv.gz or .parquet"),
        (("--run=x", "--dataset=y", "--output=z.csv"), "--run: there is no folder 'x'"),
        (("--run=.", "--dataset=y", "--output=z.csv"), "--run: '.' has no export/1; "
         "name the folder of a run that has exported its model, or a SavedModel"),
        (("--ids=a",), "--ids: no such flag (did you mean --id?); --help lists them"),
    ],
)  # fmt: skip
def test_wrong_flags_are_refused(predict, tmp_path, flags, expected):
    assert refusal(predict(tmp_path, *flags)) == f"error: {expected}"
    assert not list(tmp_path.iterdir())


def test_a_wrong_place_for_the_output_is_refused(made, predict, tmp_path):
    flags = (f"--run={made['numbers'].folder}", "--dataset=new.csv")
    (tmp_path / "new.csv").write_text("a,b,kind\n1,2,red\n")
    (tmp_path / "link.csv").symlink_to("new.csv")
    (tmp_path / "folder.csv").mkdir()

    def line(output):
        return refusal(predict(tmp_path, *flags, f"--output={output}"))

    for same in ("new.csv", "link.csv"):
        assert line(same).endswith("/new.csv is the --dataset; name another file")
    assert line("folder.csv").endswith("/folder.csv is a folder; name a file")
    assert line("none/out.csv").endswith(
        "cannot write the predictions: No such file or directory; choose another "
        "--output"
    )
    assert (tmp_path / "new.csv").read_text() == "a,b,kind\n1,2,red\n"


def test_a_damaged_model_is_refused(made, predict, tmp_path):
    shutil.copytree(made["numbers"].folder / "export", tmp_path / "run/export")
    (tmp_path / "run/export/1/saved_model.pb").write_bytes(b"no model")
    ended = predict(
        tmp_path, "--run=run", f"--dataset={made['numbers'].table}", "--output=o.csv"
    )
    assert "run/export/1 cannot be loaded as a SavedModel of a run" in refusal(ended)


def test_a_full_disk_leaves_nothing(made, predict, tmp_path):
    run = made["numbers"]
    ended = predict(
        tmp_path, f"--run={run.folder}", f"--dataset={run.table}", "--output=o.csv",
        largest_file=2048,
    )  # fmt: skip
    assert "cannot write the predictions" in refusal(ended)
    assert names_in(tmp_path) == set()


def test_ctrl_c_leaves_the_output_as_it_was(made, predict, tmp_path):
    run = made["tube"]
    header, *lines = run.table.read_text().splitlines()
    (tmp_path / "many.csv").write_text("\n".join([header, *lines * 5000]) + "\n")
    (tmp_path / "out.csv").write_text("before")
    line = interrupted_when(
        lambda: (tmp_path / ".tmp-out.csv").exists(), predict, tmp_path,
        f"--run={run.folder}", "--dataset=many.csv", "--output=out.csv",
    )  # fmt: skip
    assert line == "interrupted: out.csv is as it was before"
    assert names_in(tmp_path) == {"many.csv", "out.csv"}
    assert (tmp_path / "out.csv").read_text() == "before"


def test_help_lists_the_flags(predict, tmp_path):
    ended = predict(tmp_path, "--help")
    assert ended.code == 0
    assert "python -m recipes.predict [--flag=value ...]" in ended.out
    for name in ("run", "dataset", "output", "id", "target"):
        assert f"--{name}=TEXT" in ended.out
    assert "out_dir" not in ended.out

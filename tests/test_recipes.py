"""`python -m recipes`: the table of all recipes."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from recipes import __main__ as everything
from tests.commands import ROOT, run_forked

PRESSED = """
import functools, os, runpy, signal, sys
import keras
@functools.wraps(keras.Model.fit)
def fit(model, *args, **kwargs):
    try:
        os.kill(os.getpid(), signal.SIGINT)
        while True:
            pass
    except KeyboardInterrupt:
        raise RuntimeError("KeyboardInterrupt: <EMPTY MESSAGE>") from None
keras.Model.fit = fit
sys.argv = ["recipe", "--out_dir=here"]
runpy.run_module("recipes.NAME", run_name="__main__")
"""


@pytest.mark.parametrize("name", everything.RECIPES)
def test_an_interrupt_that_c_code_makes_another_exception_of(name, tmp_path):
    ended = run_forked(tmp_path, "-c", PRESSED.replace("NAME", name))
    assert ended.code == 130, ended.err
    (line,) = ended.err.strip().splitlines()
    assert line.startswith("interrupted: ") and "nothing is kept in here" in line
    assert not list(tmp_path.iterdir())


def run_of(recipe, proof, test, folder):
    (folder / "export" / "2").mkdir(parents=True)
    (folder / "export" / "10").mkdir()
    metrics = {
        "recipe": recipe,
        "dataset": {"name": "made"},
        "test": test,
        "certificate": {proof: 1.3e-9},
        "seconds": {"load": 0.25, "fit": 1.5},
    }
    return SimpleNamespace(metrics=metrics, out_dir=folder)


def test_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = everything.table(
        [
            run_of("svm", "relative_duality_gap", {"accuracy": 0.9825}, Path("a")),
            run_of(
                "linear_regression", "relative_excess_loss", {"r2": -0.5}, Path("b c")
            ),
        ]
    )
    header, first, second = text.splitlines()
    assert header.split() == [
        *("recipe", "data", "test", "certificate", "seconds", "report", "SavedModel")
    ]
    assert first.split() == [
        *("svm", "made", "accuracy", "0.983", "relative_duality_gap", "1.3e-09"),
        *("1.8", "a/report.html", "a/export/10"),
    ]
    assert "r2 -0.500" in second and second.endswith("b c/export/10")
    for title in ("test", "certificate", "seconds", "report", "SavedModel"):
        place = header.index(title)
        assert first[place - 1] == second[place - 1] == " " != first[place]


def test_all_recipes_are_in_it():
    found = {path.parent.name for path in ROOT.glob("recipes/*/recipe.py")}
    assert set(everything.RECIPES) == found == set(everything._PROOFS)

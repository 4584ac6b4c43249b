"""`python -m recipes`, and how an interrupt ends each recipe."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from recipes import __main__ as command
from tests.commands import ROOT, run_forked

INTERRUPTED = """
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


@pytest.mark.parametrize("name", command.RECIPES)
def test_interrupt_that_c_code_turns_into_another_exception(name, tmp_path):
    ended = run_forked(tmp_path, "-c", INTERRUPTED.replace("NAME", name))
    assert ended.code == 130, ended.err
    (line,) = ended.err.strip().splitlines()
    assert line == "interrupted: nothing of this run is kept"
    assert not list(tmp_path.iterdir())


def make_run(recipe, key_number, test, folder):
    (folder / "export" / "2").mkdir(parents=True)
    (folder / "export" / "10").mkdir()
    metrics = {
        "recipe": recipe,
        "dataset": {"name": "made"},
        "test": test,
        "certificate": {key_number: 1.3e-9},
        "seconds": {"load": 0.25, "fit": 1.5},
    }
    return SimpleNamespace(metrics=metrics, out_dir=folder)


def test_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = command.build_table(
        [
            make_run("svm", "relative_duality_gap", {"accuracy": 0.9825}, Path("a")),
            make_run(
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
        start = header.index(title)
        assert first[start - 1] == second[start - 1] == " " != first[start]


def test_all_recipes_are_in_the_table():
    found = {path.parent.name for path in ROOT.glob("recipes/*/recipe.py")}
    assert set(command.RECIPES) == found == set(command._KEY_NUMBERS)

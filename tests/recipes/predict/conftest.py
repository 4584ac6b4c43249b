"""Small runs, made once, and the command that predicts with them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recipes.linear_regression
import recipes.svm
from tests.commands import Commands
from tests.runs import table_of_plants

LEARNERS = {"linear_regression": recipes.linear_regression, "svm": recipes.svm}


@dataclass(frozen=True)
class Made:
    """A run, and the table that it learned from."""

    run: Any
    table: Path

    @property
    def folder(self) -> Path:
        return self.run.out_dir


@pytest.fixture(scope="session")
def predict() -> Commands:
    """`python -m recipes.predict`: called with a folder and arguments."""
    return Commands("recipes.predict", "recipes.predict.command")


def write_numbers(path: Path, rng: np.random.Generator, rows: int = 300) -> None:
    """Write a table with a number to predict, blanks and a text column."""
    a, b = rng.normal(5, 2, (2, rows)).round(3)
    kind = rng.choice(["red", "blue"], rows)
    y = 2 * a - b + 3 * (kind == "red") + rng.normal(0, 0.5, rows)
    lines = ["id,a,b,kind,y"]
    for i, row in enumerate(zip(a, b, kind, y.round(3), strict=True)):
        shown = ["" if rng.random() < 0.05 else str(row[0]), *map(str, row[1:])]
        lines.append(",".join([f"n{i}", *shown]))
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> dict[str, Made]:
    """Runs by name."""
    folder = tmp_path_factory.mktemp("made")
    rng = np.random.default_rng(3)
    write_numbers(folder / "numbers.csv", rng)
    table_of_plants(folder / "plants.csv", rng)
    two = (folder / "plants.csv").read_text().replace("moss", "fern")
    (folder / "two.csv").write_text(two)
    matrix = rng.normal(size=(60, 3)).round(2)
    rows = [f"{p},{q},{r},{p - q + 0.1 * r}" for p, q, r in matrix.tolist()]
    (folder / "matrix.csv").write_text("\n".join(rows) + "\n")
    options = {
        "numbers": ("linear_regression", "numbers", {"drop": ("id",)}),
        "tube": ("svm", "numbers", {"drop": ("id",)}),
        "plants": ("svm", "plants", {}),
        "plain": ("svm", "plants", {"probability": False}),
        "two": ("svm", "two", {}),
        "matrix": ("linear_regression", "matrix", {}),
    }
    runs = {}
    for name, (learner, table, flags) in options.items():
        path = folder / f"{table}.csv"
        recipe = LEARNERS[learner]
        config = recipe.Config(
            dataset=str(path), out_dir=str(folder / name), report=False, **flags
        )
        runs[name] = Made(recipe.train_and_evaluate(config), path)
    return runs

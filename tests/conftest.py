import os
from pathlib import Path

import hypothesis
import pytest

from tests.commands import Commands

pytest.register_assert_rewrite("tests.runs")

# A test that waits for others to have the cores has not failed.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the READMEs first: their blocks run in order, for minutes, on one worker."""
    items.sort(key=lambda item: "test_readme" not in item.nodeid)


@pytest.fixture(scope="session")
def recipes_data() -> Path:
    """The folder of real data sets; without one the test is skipped."""
    if not os.environ.get("RECIPES_DATA"):
        pytest.skip("RECIPES_DATA does not name a folder of real data sets")
    return Path(os.environ["RECIPES_DATA"]).absolute()


def _commands(learner: str) -> Commands:
    """`python -m` of a recipe, from a process that has imported what it will need."""
    recipe = f"recipes.{learner}"
    return Commands(recipe, f"{recipe}.recipe")


@pytest.fixture(scope="session")
def svm() -> Commands:
    """`python -m recipes.svm`: called with a folder and arguments."""
    return _commands("svm")


@pytest.fixture(scope="session")
def linear_regression() -> Commands:
    """`python -m recipes.linear_regression`: called with a folder and arguments."""
    return _commands("linear_regression")


@pytest.fixture(scope="session")
def neural_network() -> Commands:
    """`python -m recipes.neural_network`: called with a folder and arguments."""
    return _commands("neural_network")

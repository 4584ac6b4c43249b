import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import ROOT, Commands


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the READMEs first: their blocks run in order, for minutes, on one worker."""
    items.sort(key=lambda item: "test_readme" not in item.nodeid)


@pytest.fixture(scope="session")
def recipes_data() -> Path:
    """The folder of real data sets; the test is skipped where there is none."""
    folder = Path(os.environ.get("RECIPES_DATA", ROOT / ".." / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}; set RECIPES_DATA")
    return folder


@pytest.fixture(scope="session")
def svm() -> Iterator[Commands]:
    """`python -m recipes.svm`: called with a folder and arguments."""
    commands = Commands(
        "recipes.svm",
        "recipes.svm.classifier",
        "recipes.svm.regressor",
        "recipes.svm.sections",
        "recipes.pipeline.datasets",
        "recipes.pipeline.evaluation",
        "recipes.pipeline.export",
        "recipes.pipeline.features",
        "recipes.pipeline.run",
    )
    yield commands
    commands.close()


@pytest.fixture(scope="session")
def linear_regression() -> Iterator[Commands]:
    """`python -m recipes.linear_regression`: called with a folder and arguments."""
    commands = Commands(
        "recipes.linear_regression",
        "recipes.linear_regression.model",
        "recipes.linear_regression.sections",
        "recipes.pipeline.datasets",
        "recipes.pipeline.evaluation",
        "recipes.pipeline.export",
        "recipes.pipeline.features",
        "recipes.pipeline.run",
    )
    yield commands
    commands.close()

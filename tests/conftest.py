import os
from pathlib import Path

import hypothesis
import pytest

from tests.commands import ROOT, Commands

# A test that waits for others to have the cores has not failed.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


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
def svm() -> Commands:
    """`python -m recipes.svm`: called with a folder and arguments."""
    return Commands(
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


@pytest.fixture(scope="session")
def linear_regression() -> Commands:
    """`python -m recipes.linear_regression`: called with a folder and arguments."""
    return Commands(
        "recipes.linear_regression",
        "recipes.linear_regression.model",
        "recipes.linear_regression.sections",
        "recipes.pipeline.datasets",
        "recipes.pipeline.evaluation",
        "recipes.pipeline.export",
        "recipes.pipeline.features",
        "recipes.pipeline.run",
    )


@pytest.fixture(scope="session")
def neural_network() -> Commands:
    """`python -m recipes.neural_network`: called with a folder and arguments."""
    return Commands(
        "recipes.neural_network",
        "recipes.neural_network.classifier",
        "recipes.neural_network.regressor",
        "recipes.neural_network.sections",
        "recipes.pipeline.datasets",
        "recipes.pipeline.evaluation",
        "recipes.pipeline.export",
        "recipes.pipeline.features",
        "recipes.pipeline.run",
    )

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def recipes_data() -> Path:
    """The folder of real data sets; the test is skipped where there is none."""
    root = Path(__file__).resolve().parents[2]
    folder = Path(os.environ.get("RECIPES_DATA", root / ".." / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}; set RECIPES_DATA")
    return folder

"""Run every notebook and store it with its outputs, as `make notebooks` does."""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parent
SECONDS_A_CELL = 120


def notebooks() -> list[Path]:
    """Return the notebooks of this project."""
    return sorted(FOLDER.glob("*.ipynb"))


def read(path: Path) -> Any:
    """Read a notebook."""
    return nbformat.read(path, as_version=4)


def code_of(notebook: Any) -> list[Any]:
    """Return the code cells of a notebook."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def digest(notebook: Any) -> str:
    """Return a fingerprint of the code, to show whether stored outputs are current."""
    sources = [cell.source for cell in code_of(notebook)]
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()


def execute(notebook: Any, kernel: str = "python3") -> Any:
    """Run a notebook from top to bottom, in a folder of its own.

    Args:
        notebook: What `read` gives; its outputs are replaced.
        kernel: Name of the Jupyter kernel.

    Returns:
        The notebook.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell has failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(
            notebook,
            kernel_name=kernel,
            timeout=SECONDS_A_CELL,
            record_timing=False,
            resources={"metadata": {"path": folder}},
        ).execute()
    notebook.metadata["executed"] = {"sha256": digest(notebook)}
    return notebook


def main() -> None:
    """Run and store all notebooks."""
    for path in notebooks():
        notebook = execute(read(path))
        # The version of Python that ran it says nothing about the notebook.
        notebook.metadata["language_info"] = {"name": "python"}
        nbformat.write(notebook, path)
        print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()

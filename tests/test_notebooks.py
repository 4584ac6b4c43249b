"""The notebooks: each is executed in a clean environment, its install cell included.

The environment is a new one in which the project is not installed; what the project
depends on is borrowed from the environment of these tests. The install cell installs
from a clone of the working tree, so that it gets what is being tested.
"""

import copy
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import nbformat
import pytest

from notebooks.__main__ import code_of, digest, execute, notebooks, read

ROOT = Path(__file__).resolve().parents[1]
COUNT = 3  # of the notebooks; a new one raises it
FIELD = 'REPOSITORY = ""'
LARGEST_BYTES = 400_000
# Of the project itself and of what the new environment has of its own.
NOT_BORROWED = ("descent_recipes", "__editable__", "layers", "recipes", "pip")
each_notebook = pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)


def test_all_notebooks_are_found():
    assert len(notebooks()) == COUNT


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> str:
    """The address of a git repository that holds the working tree as it is."""
    folder = tmp_path_factory.mktemp("repository")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    author = ("-c", "user.name=tests", "-c", "user.email=tests@example.org")
    for command in (("init",), ("add", "--all"), (*author, "commit", "-m", "tree")):
        subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True)
    return f"file://{folder}"


def clean_environment(folder: Path, *, with_pip: bool) -> Path:
    """Makes an environment without the project, and gives its Python."""
    borrowed = folder / "borrowed"
    borrowed.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith(NOT_BORROWED) and entry.suffix != ".pth":
            (borrowed / entry.name).symlink_to(entry)
    home = folder / "venv"
    venv.create(home, with_pip=with_pip, symlinks=True)
    (own,) = home.glob("lib/python*/site-packages")
    (own / "borrowed.pth").write_text(f"{borrowed}\n")
    return home / "bin" / "python"


@pytest.fixture
def kernel(tmp_path, monkeypatch) -> Path:
    """A Jupyter kernel, called "clean", in a clean environment; gives its folder."""
    python = clean_environment(tmp_path, with_pip=True)
    spec = tmp_path / "jupyter" / "kernels" / "clean"
    spec.mkdir(parents=True)
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.joinpath("kernel.json").write_text(
        json.dumps({"argv": command, "display_name": "clean", "language": "python"})
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return python.parents[1]


def printed(notebook) -> str:
    """All that a notebook's cells wrote, on either stream."""
    outputs = [output for cell in code_of(notebook) for output in cell.outputs]
    return "".join(output.get("text", "") for output in outputs)


def kinds(notebook) -> list[set[str]]:
    """For each code cell the kinds of its outputs."""
    return [
        {output.output_type for output in cell.outputs} for cell in code_of(notebook)
    ]


@each_notebook
def test_runs_in_a_clean_environment(path, repository, kernel):
    stored = read(path)
    notebook = copy.deepcopy(stored)
    install = code_of(notebook)[0]
    assert install.source.count(FIELD) == 1
    install.source = install.source.replace(FIELD, f'REPOSITORY = "{repository}"')
    notebook.cells += [
        nbformat.v4.new_code_cell(f"import {name}; print({name}.__file__)")
        for name in ("recipes", "layers")
    ]

    execute(notebook, "clean")

    *others, recipes, layers = code_of(notebook)
    for cell in (recipes, layers):  # what was imported is what the cell installed
        assert Path(cell.outputs[0].text.strip()).is_relative_to(kernel)
    assert "Traceback" not in printed(notebook)
    streams = {output.get("name") for cell in others for output in cell.outputs}
    assert "stderr" not in streams, printed(notebook)
    assert kinds(notebook)[:-2] == kinds(stored)


@each_notebook
def test_the_empty_field_is_reported(path, tmp_path):
    python = clean_environment(tmp_path, with_pip=False)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [python, "-c", code_of(read(path))[0].source],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode
    assert done.stderr.splitlines()[-1].startswith(
        "ValueError: REPOSITORY is empty. Fill in the address of"
    )


@each_notebook
def test_the_field_is_empty_where_the_project_is_installed(path):
    done = subprocess.run(
        [sys.executable, "-c", code_of(read(path))[0].source],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith("Descent Recipes "), done.stderr


@each_notebook
def test_is_stored_with_the_outputs_of_its_code(path):
    notebook = read(path)
    nbformat.validate(notebook)
    cells = code_of(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert all(kinds(notebook)), "a code cell without output; run `make notebooks`"
    assert not any("error" in kind for kind in kinds(notebook))
    assert notebook.metadata["executed"]["sha256"] == digest(notebook), (
        "the code has changed since it was executed; run `make notebooks`"
    )
    assert path.stat().st_size < LARGEST_BYTES
    assert sys.prefix not in printed(notebook)


@each_notebook
def test_opens_in_colab(path):
    notebook = read(path)
    assert "colab" in notebook.metadata
    assert notebook.metadata["kernelspec"]["name"] == "python3"
    assert f'{FIELD}  # @param {{type:"string"}}' in code_of(notebook)[0].source
    assert "colab.research.google.com" not in json.dumps(notebook)  # a dead link

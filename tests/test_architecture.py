"""Who imports whom, and what is imported when."""

import ast
import graphlib
import re
import sys

import pytest

from tests.commands import ROOT, run_fresh

LEARNERS = sorted(path.parent.name for path in ROOT.glob("recipes/*/recipe.py"))
SOURCES = sorted(
    path for top in ("layers", "recipes") for path in (ROOT / top).rglob("*.py")
)


def imported(path):
    """All modules that a file imports, anywhere in it, under their full names.

    `from a import b` counts as `a.b`, whether b is a module or not.
    """
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


# What each room may import of the project, besides itself: who is not named in a row
# cannot be reached from it.
SHARED = ("recipes.errors", "recipes.interrupts", "recipes.cores", "recipes.checks")
LEARNER = {
    ".config": ("recipes.errors", "recipes.checks", "recipes.pipeline.cli"),
    ".solver": (".config", "layers", *SHARED),
    ".training": (
        ".config",
        "layers",
        "recipes.pipeline.cli",
        "recipes.pipeline",
        *SHARED,
    ),
    ".models": (
        ".solver",
        ".training",
        ".config",
        "layers",
        "recipes.fast_fit",
        *SHARED,
    ),
    ".report": (
        *(".models", ".solver", ".training", ".config"),
        *("layers", "recipes.pipeline"),
    ),
    ".recipe": (
        *(".report", ".models", ".solver", ".training", ".config"),
        *("recipes.pipeline.cli", "recipes.pipeline"),
        *SHARED,
    ),
    "": ("recipes.keras_registration", "recipes.pipeline.cli"),  # __main__
}
ROOMS = {
    "layers": (),
    "recipes.cores": (),
    "recipes.errors": (),
    "recipes.interrupts": (),
    "recipes.keras_registration": (),
    "recipes.checks": ("recipes.errors",),
    "recipes.fast_fit": ("recipes.errors", "recipes.interrupts"),
    "recipes.pipeline.cli": SHARED,
    "recipes.pipeline": ("layers", "recipes.pipeline.cli", *SHARED),
    "recipes.predict.config": ("recipes.errors", "recipes.checks"),
    "recipes.predict": (
        *("recipes.predict.config", "recipes.pipeline.cli", "recipes.pipeline"),
        *("layers", *SHARED),
    ),
    "recipes": ("recipes.pipeline.cli", "recipes.pipeline", *SHARED),
} | {
    f"recipes.{learner}{room}": tuple(
        f"recipes.{learner}{other}" if other.startswith(".") else other
        for other in others
    )
    for learner in LEARNERS
    for room, others in LEARNER.items()
}


def is_within(module, *packages):
    return any(module == each or module.startswith(f"{each}.") for each in packages)


def of_others(path):
    """Imported modules that are not the standard library's."""
    return {
        module
        for module in imported(path)
        if module.split(".")[0] not in sys.stdlib_module_names
    }


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in SOURCES}


def room_of(module):
    """The innermost room; a learner's `model.py` is a room of models."""
    module = re.sub(r"^(recipes\.\w+)\.model$", r"\1.models", module)
    return max((room for room in ROOMS if is_within(module, room)), key=len)


def imported_modules(path):
    """The project's modules that a file imports: of `a.b.name` it is `a.b`."""
    return {
        next((m for m in (name, name.rpartition(".")[0]) if m in MODULES), name)
        for name in imported(path)
        if is_within(name, "layers", "recipes")
    }


def test_rooms_import_what_their_row_says():
    assert not [
        f"{module} imports {other}"
        for module, path in MODULES.items()
        for other in sorted(imported_modules(path))
        if room_of(other) not in (room_of(module), *ROOMS[room_of(module)])
    ]


def test_no_import_goes_in_a_circle():
    graph = {name: imported_modules(path) for name, path in MODULES.items()}
    assert len(tuple(graphlib.TopologicalSorter(graph).static_order())) == len(graph)


def test_nothing_imports_tests_benchmarks_and_notebooks():
    for path in SOURCES:
        assert not {
            module
            for module in imported(path)
            if is_within(module, "tests", "benchmarks", "notebooks")
        }, path


def test_layers_import_tensorflow_and_keras_only():
    allowed = ("tensorflow", "keras", "numpy", "layers")
    for path in SOURCES:
        if path.is_relative_to(ROOT / "layers"):
            assert all(is_within(module, *allowed) for module in of_others(path)), path


def test_absl_is_imported_by_the_flags_only():
    users = {
        path.relative_to(ROOT).as_posix()
        for path in SOURCES
        if any(is_within(module, "absl") for module in of_others(path))
    }
    assert users == {"recipes/pipeline/cli/flags.py"}


def test_models_know_nothing_of_files_flags_and_printing():
    models = [
        *ROOT.glob("recipes/*/model.py"),
        *ROOT.glob("recipes/*/models/*.py"),
    ]
    assert models
    for path in models:
        assert not {
            module
            for module in imported(path)
            if is_within(module, "absl", "pathlib", "os", "recipes.pipeline.cli.flags")
        }, path
        calls = [
            node.func.id
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        ]
        assert not {"print", "open"} & set(calls), path


def test_the_reading_of_imports(tmp_path, monkeypatch):
    """This file's own eyes: they see what an import may look like."""
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    file = tmp_path / "a" / "b" / "c.py"
    file.parent.mkdir(parents=True)
    file.write_text(
        "import x.y as z\nfrom p import q\nfrom . import d\n"
        "from ..e import f\ndef g():\n    import late\n"
    )
    assert set(imported(file)) == ({"x.y", "p.q", "a.b.d", "a.e.f", "late"})


# What a process has loaded when it ends, it tells on standard error.
TELLING = """
import atexit, runpy, sys
tell = lambda: sys.stderr.write("LOADED " + " ".join(sys.modules) + "\\n")
atexit.register(tell)
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
HEAVY = {"tensorflow", "keras", "numpy", "scipy", "sklearn", "pyarrow", "matplotlib"}


@pytest.mark.parametrize(
    ("flag", "code"), [("--help", 0), ("--momentun=none", 2), ("--seed=x", 2)]
)
@pytest.mark.parametrize("learner", LEARNERS)
def test_flags_are_read_before_anything_heavy_is_imported(
    learner, flag, code, tmp_path
):
    ended = run_fresh(tmp_path, "-c", TELLING, f"recipes.{learner}", flag)
    assert ended.code == code, ended.err
    assert ("--dataset=TEXT" in ended.out) == (flag == "--help")
    loaded = ended.err.splitlines()[-1].split()
    assert loaded[0] == "LOADED"
    assert f"recipes.{learner}.config" in loaded
    assert not HEAVY & set(loaded)


def test_layers_load_nothing_but_tensorflow_and_keras(tmp_path):
    """Beyond what these two load themselves."""
    code = (
        "import sys, tensorflow, keras; before = set(sys.modules); import layers; "
        "print(*(set(sys.modules) - before))"
    )
    ended = run_fresh(tmp_path, "-c", code)
    assert ended.code == 0, ended.err
    new = {module.split(".")[0] for module in ended.out.split()}
    assert "layers" in new
    assert new - sys.stdlib_module_names <= {"layers", "tensorflow", "keras"}

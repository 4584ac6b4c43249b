"""Who imports whom, and what is imported when."""

import ast
import sys

import pytest

from tests.commands import ROOT, run_fresh

LEARNERS = sorted(path.parent.name for path in ROOT.glob("recipes/*/recipe.py"))
SOURCES = sorted(
    path for top in ("layers", "recipes") for path in (ROOT / top).rglob("*.py")
)


def imported(path):
    """All modules that a file imports, anywhere in it, under their full names.

    `from a import b` counts as `a` and as `a.b`, since b may be a module.
    """
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join([*above, *filter(None, [node.module])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def is_within(module, *packages):
    return any(module == each or module.startswith(f"{each}.") for each in packages)


def of_others(path):
    """Imported modules that are not the standard library's."""
    return {
        module
        for module in imported(path)
        if module.split(".")[0] not in sys.stdlib_module_names
    }


def files_in(folder):
    found = [path for path in SOURCES if path.is_relative_to(ROOT / folder)]
    assert found, folder
    return found


def faults(folder, is_allowed):
    return [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in files_in(folder)
        for module in sorted(of_others(path))
        if not is_allowed(module)
    ]


def test_layers_import_tensorflow_and_keras_only():
    allowed = ("tensorflow", "keras", "numpy", "layers")
    assert not faults("layers", lambda module: is_within(module, *allowed))


def test_pipeline_imports_no_learner():
    def is_allowed(module):
        if not is_within(module, "recipes"):
            return not is_within(module, "tests", "benchmarks", "notebooks")
        return module == "recipes" or is_within(module, "recipes.pipeline")

    assert not faults("recipes/pipeline", is_allowed)


@pytest.mark.parametrize("learner", LEARNERS)
def test_learner_imports_no_other_learner(learner):
    others = [f"recipes.{other}" for other in LEARNERS if other != learner]

    def is_allowed(module):
        return not is_within(module, *others, "tests", "benchmarks", "notebooks")

    assert not faults(f"recipes/{learner}", is_allowed)


def test_absl_is_imported_by_the_flags_only():
    users = {
        path.relative_to(ROOT).as_posix()
        for path in SOURCES
        if any(is_within(module, "absl") for module in of_others(path))
    }
    mains = {f"recipes/{learner}/__main__.py" for learner in LEARNERS}
    assert "recipes/pipeline/flags.py" in users
    assert users <= mains | {"recipes/pipeline/flags.py"}


def test_model_knows_nothing_of_files_flags_and_printing():
    for path in ROOT.glob("recipes/*/model.py"):
        assert not {
            module
            for module in imported(path)
            if is_within(module, "absl", "pathlib", "os", "recipes.pipeline.flags")
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
    assert set(imported(file)) == (
        {"x.y", "p", "p.q", "a.b", "a.b.d", "a.e", "a.e.f", "late"}
    )


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
    assert f"recipes.{learner}.recipe" in loaded
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

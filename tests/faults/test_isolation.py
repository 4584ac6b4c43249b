"""Recipes need no network, open no port, and write only where the README says."""

import platform
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.commands import ROOT, run_forked, run_fresh, tensorflow_imported
from tests.faults.without_internet import SOCKET

GUARD = ("-m", "tests.faults.without_internet")
# The first also shows what imports write: the others fork from a process that has them.
RUNS = {
    "linear_regression": (run_fresh, ()),
    "svm": (run_forked, ("--noprobability",)),
    "neural_network": (run_forked, ("--epochs=2",)),
}
WRITTEN = {"export/1", "flags.txt", "logs", "metrics.json", "model.keras"}
# What Keras and Matplotlib keep, whoever imports them.
CACHES = (".keras", ".cache/matplotlib", ".config/matplotlib")
# They would move these.
PLACES = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "KERAS_HOME")

pytestmark = pytest.mark.skipif(
    platform.machine() not in SOCKET, reason="system calls have other numbers here"
)


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """Folders that have nothing in them yet: `home`, `tmp`, `work`."""
    folder = tmp_path_factory.mktemp("machine")
    for name in ("home", "tmp", "work"):
        (folder / name).mkdir()
    return folder


@pytest.fixture(scope="module")
def ended(machine):
    """Run the recipes there without internet, two at a time."""

    def run(recipe):
        command, flags = RUNS[recipe]
        out = f"--out_dir={machine}/out/{recipe}"
        return command(machine / "work", *GUARD, f"recipes.{recipe}", out, *flags)

    tensorflow_imported()
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as pool:
        patch.setenv("HOME", str(machine / "home"))
        patch.setenv("TMPDIR", str(machine / "tmp"))
        for name in PLACES:
            patch.delenv(name, raising=False)
        return dict(zip(RUNS, pool.map(run, RUNS), strict=True))


@pytest.mark.parametrize("recipe", RUNS)
def test_a_recipe_needs_no_internet(recipe, ended, machine):
    assert ended[recipe].code == 0, ended[recipe].err
    assert all((machine / "out" / recipe / name).exists() for name in WRITTEN)


def test_nothing_is_written_elsewhere(ended, machine):
    allowed = [machine / "out", *(machine / "home" / name for name in CACHES)]
    elsewhere = [
        str(path.relative_to(machine))
        for path in machine.rglob("*")
        if path.is_file() and not any(map(path.is_relative_to, allowed))
    ]
    assert not elsewhere


def test_the_readme_names_the_caches():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"`~/{name}`" in text for name in CACHES)


def test_an_internet_socket_ends_a_process(tmp_path):
    assert run_forked(tmp_path, *GUARD, "http.server", "0").code == -signal.SIGSYS

"""What is installed is pinned to the byte, complete, and under permissive licences."""

import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.commands import ROOT

FOLDER = ROOT / "requirements"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
# The extras of the project that an environment has.
EXTRAS = {"run": set(), "dev": {"dev"}, "bench": {"bench"}, "oldest": {"dev"}}
ONE_FOLDER = ("build", "run", "dev", "bench")
LOCKED_LINE = re.compile(r"[a-z0-9-]+==[^ ;]+( ;.+?)?( +--hash=sha256:[0-9a-f]{64})+")

PERMISSIVE = {
    *("Apache-2.0", "Apache 2.0", "Apache License 2.0", "Apache Software License"),
    *("BSD-2-Clause", "BSD-3-Clause", "BSD License", "3-Clause BSD License", "0BSD"),
    *("MIT", "MIT License", "MIT-CMU", "ISC License (ISCL)", "Zlib", "CC0-1.0"),
    *("PSF-2.0", "Python Software Foundation License"),
}
EXCEPTIONS = {
    "certifi": "MPL-2.0, which covers only its own files: a list of certificates",
    "hypothesis": "MPL-2.0; only tests need it",
    "namex": "says nothing in its metadata; its repository has Apache-2.0",
    "pathspec": "MPL-2.0; only mypy needs it",
    "tqdm": "MPL-2.0 for some of its own files, MIT for others; only TFDS needs it",
}


def lines_of(environment):
    """Return the requirements that a lock lists, one a line, with their hashes."""
    text = (FOLDER / f"{environment}.lock").read_text(encoding="utf-8")
    lines = text.replace("\\\n", "").splitlines()
    return [line for line in lines if not line.startswith("#")]


def locked_versions(environment):
    """Return the versions of each name: several where they depend on Python's."""
    versions = defaultdict(set)
    for line in lines_of(environment):
        name, version = re.split("==| ", line)[:2]
        versions[name].add(version)
    return versions


def direct(extras):
    """Return the requirements that pyproject.toml states, extras of itself resolved."""
    project = PROJECT["project"]
    texts = [*project["dependencies"]]
    for extra in extras:
        texts += project["optional-dependencies"][extra]
    for requirement in map(Requirement, texts):
        if requirement.name == project["name"]:
            yield from direct(requirement.extras)
        else:
            yield requirement


def installed(requirements):
    """Yield what is installed of these requirements and of all that they require."""
    queue, seen = list(requirements), set()
    while queue:
        requirement = queue.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        try:
            distribution = metadata.distribution(requirement.name)
        except metadata.PackageNotFoundError:
            continue  # of another system, or for `pip check` to find
        yield distribution
        for needed in map(Requirement, distribution.requires or ()):
            if needed.marker is None or any(
                needed.marker.evaluate({"extra": extra})
                for extra in ("", *requirement.extras)
            ):
                queue.append(needed)


def licences_of(distribution):
    """Return the names of the licences in a distribution's metadata."""
    stated = distribution.metadata
    if expression := stated.get("License-Expression"):
        return re.split(r" AND | OR ", re.sub("[()]", "", expression))
    classifiers = stated.get_all("Classifier", [])
    kinds = [text.split(" :: ") for text in classifiers if text.startswith("License")]
    return [kind[-1] for kind in kinds] or (
        stated.get("License") or "none"
    ).splitlines()[:1]


def is_permissive(licences):
    return set(licences) <= PERMISSIVE


def test_every_environment_has_a_lock():
    names = {path.stem for path in FOLDER.iterdir()}
    assert names == {"build", *EXTRAS}


@pytest.mark.parametrize("environment", ["build", *EXTRAS])
def test_every_version_is_pinned_to_the_bytes_of_its_files(environment):
    lines = lines_of(environment)
    assert lines
    assert [line for line in lines if not LOCKED_LINE.fullmatch(line)] == []


@pytest.mark.parametrize("environment", EXTRAS)
def test_a_lock_satisfies_the_project(environment):
    locked = locked_versions(environment)
    for requirement in direct(EXTRAS[environment]):
        versions = locked[canonicalize_name(requirement.name)]
        assert versions, f"{requirement} is not in {environment}.lock: make lock"
        assert all(map(requirement.specifier.contains, versions)), requirement


def test_builds_use_what_the_project_requires_for_them():
    required = PROJECT["build-system"]["requires"]
    assert (FOLDER / "build.in").read_text(encoding="utf-8").splitlines() == required
    assert locked_versions("build").keys() == {
        canonicalize_name(Requirement(text).name) for text in required
    }


def test_environments_in_one_folder_agree():
    everywhere = defaultdict(dict)
    for environment in ONE_FOLDER:
        for name, versions in locked_versions(environment).items():
            everywhere[name][environment] = versions
    for name, versions in everywhere.items():
        assert len(set(map(frozenset, versions.values()))) == 1, (name, versions)


def test_what_is_installed_fits_together():
    command = [sys.executable, "-m", "pip", "check", "--disable-pip-version-check"]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


def test_licences_are_permissive():
    # The benchmarks' peers are nobody's dependency.
    extras = PROJECT["project"]["optional-dependencies"].keys() - {"bench"}
    others = {
        distribution.name: licences_of(distribution)
        for distribution in installed(direct(extras))
        if distribution.name not in EXCEPTIONS
        and not is_permissive(licences_of(distribution))
    }
    assert others == {}


@pytest.mark.parametrize(
    "text",
    [
        *("License-Expression: GPL-3.0-only", "License-Expression: MIT AND AGPL-3.0"),
        "Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)",
        *("License: LGPL", "License: UNKNOWN", "Author: nobody says"),
    ],
)
def test_other_licences_are_found(text, tmp_path):
    (tmp_path / "METADATA").write_text(f"Name: new\n{text}\n", encoding="utf-8")
    assert not is_permissive(licences_of(metadata.PathDistribution(tmp_path)))

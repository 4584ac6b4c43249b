"""The documents: every command is run as written, every output shown is compared.

A document's blocks run in order, in a copy of the project of its own. `python` is a
process forked from one that has imported TensorFlow, see `tests/commands.py`. Fences
are

- `sh`: run by bash, with `.venv` standing for the environment of these tests;
- `python`: run by that environment's Python;
- `text`: the output of the block before it, line by line and word by word, `…` for
  what may vary.

A fence of any other kind is an error: this test would not know how to run it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import commands

ROOT = Path(__file__).resolve().parents[1]
FRONT = ROOT / "README.md"
COMMANDS = sorted(ROOT.glob("recipes/*/README.md"))
RECIPES = [path for path in COMMANDS if (path.parent / "recipe.py").exists()]
DOCUMENTS = [
    FRONT,
    *COMMANDS,
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("docs/*.md")),
]
KINDS = ("sh", "python", "text")
# These would run this test again, or take minutes; make says what they would do.
ONLY_PLANNED = (
    *("test", "test-fast", "test-oldest"),
    *("lint", "bench", "notebooks", "lock"),
)
NOT_COPIED = shutil.ignore_patterns(".*", "runs", "build", "dist", "__pycache__")


def name_of(document: Path) -> str:
    return str(document.relative_to(ROOT))


@dataclass(frozen=True)
class Block:
    kind: str
    code: str
    line: int


def blocks_of(text: str) -> list[Block]:
    """Return the fenced blocks of a document.

    Raises:
        ValueError: At a fence that is indented, of an unknown kind or never closed.
    """
    blocks: list[Block] = []
    lines: list[str] = []
    kind, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        fence = line.lstrip().startswith(("```", "~~~"))
        if fence and not start:
            kind, start, lines = line.removeprefix("```"), number, []
            if kind not in KINDS:
                raise ValueError(f"line {number}: cannot run {line!r}; known: {KINDS}")
        elif fence:
            blocks.append(Block(kind, "\n".join(lines) + "\n", start))
            start = 0
        elif start:
            lines.append(line)
    if start:
        raise ValueError(f"line {start}: the fence is not closed")
    for before, block in zip([None, *blocks], blocks, strict=False):
        if block.kind == "text" and (before is None or before.kind == "text"):
            raise ValueError(f"line {block.line}: text that no block before it prints")
    return blocks


def planned(code: str) -> str:
    """Return the same commands with `make -n` for what is only to be planned."""
    targets = "|".join(ONLY_PLANNED)
    return re.sub(rf"^make ({targets})$", r"make -n \1", code, flags=re.MULTILINE)


def project(folder: Path) -> Path:
    """Copy the project, with the environment of these tests as its `.venv`."""
    copy = folder / "project"
    shutil.copytree(ROOT, copy, ignore=NOT_COPIED)
    binaries = copy / ".venv" / "bin"
    binaries.mkdir(parents=True)
    python = binaries / "python"
    forks = f'"{commands.__file__}" "{commands.tensorflow_imported().address}"'
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -IS {forks} "$@"\n')
    python.chmod(0o755)
    activate = f'export PATH="{binaries}:{Path(sys.executable).parent}:$PATH"\n'
    (binaries / "activate").write_text(activate)
    # make finds everything installed; there is no pip here that could install more.
    for name in (".build", ".run", ".dev", ".bench"):
        (copy / ".venv" / name).touch()
    return copy


def run(block: Block, folder: Path, environment: dict[str, str]) -> str:
    """Run a block and return all that it prints; keep what it exports."""
    if block.kind == "python":
        command = [".venv/bin/python", "-c", block.code]
    else:
        keep = "\nenv -0 > .environment\n"
        command = ["bash", "-euo", "pipefail", "-c", planned(block.code) + keep]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,  # against hanging; long, because others may have the cores
    )
    assert not done.returncode, f"line {block.line}:\n{block.code}\n{done.stdout}"
    assert "Traceback" not in done.stdout, done.stdout
    kept = folder / ".environment"
    if block.kind == "sh":
        environment.update(
            pair.split("=", 1) for pair in kept.read_text().split("\0") if pair
        )
        kept.unlink()
    return done.stdout


def words_of(text: str) -> list[str]:
    """Return each line's words with one blank between them."""
    return [" ".join(line.split()) for line in text.splitlines()]


def anchors_of(document: Path) -> set[str]:
    """Return the anchors that GitHub makes of a document's headings."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.M)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in headings
    }


def missing_lines(shown: str, printed: str) -> list[str]:
    """Return the lines shown that were not printed, however the words are spaced.

    Their order is free: standard output and error mix as they like.
    """
    printed_lines = words_of(printed)
    missing = []
    for line in filter(None, words_of(shown)):
        pattern = ".*".join(map(re.escape, line.split("…")))
        if not any(re.fullmatch(pattern, one) for one in printed_lines):
            missing.append(line)
    return missing


def unexplained_keys(value: Any, text: str) -> set[str]:
    """Return the keys, at any depth, that the text does not have as `code`."""
    if isinstance(value, list):
        return set().union(*(unexplained_keys(each, text) for each in value))
    if not isinstance(value, dict):
        return set()
    below = set().union(*(unexplained_keys(each, text) for each in value.values()))
    return below | {key for key in value if f"`{key}`" not in text}


def run_document(document: Path, scratch: Path) -> None:
    """Run a document's blocks in a copy of the project; check what they print."""
    folder = project(scratch)
    environment = {
        **os.environ,
        "HOME": str(scratch),
        "PYTHONPATH": str(folder),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    # A make that runs these tests hands its own options down.
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "VENV", "TESTED"):
        environment.pop(name, None)
    blocks = blocks_of(document.read_text(encoding="utf-8"))
    printed = ""
    for block in blocks:
        if block.kind == "text":
            missing = missing_lines(block.code, printed)
            assert not missing, f"line {block.line}: not printed: {missing}\n{printed}"
        else:
            printed = run(block, folder, environment)
    if document in RECIPES:
        records = list(folder.glob("runs/*/*/metrics.json"))
        assert records
        for record in records:
            metrics = json.loads(record.read_text(encoding="utf-8"))
            assert not unexplained_keys(metrics, document.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def documents(request, tmp_path_factory):
    """Run the documents under test, two at a time; each keeps one core busy."""
    with ThreadPoolExecutor(2) as pool:
        return {
            document: pool.submit(
                run_document, document, tmp_path_factory.mktemp("readme")
            )
            for document in (
                item.callspec.params["document"]
                for item in request.session.items
                if "documents" in getattr(item, "fixturenames", ())
            )
        }


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_block_runs_and_prints_what_is_shown(document, documents):
    documents[document].result()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_no_link_is_dead(document):
    text = document.read_text(encoding="utf-8")
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)", text):
        file, _, anchor = link.partition("#")
        target = document.parent / file if file else document
        if "://" not in link and (
            not target.exists() or (anchor and anchor not in anchors_of(target))
        ):
            dead.append(link)
    assert not dead


def test_every_recipe_and_command_has_its_readme():
    commands = {path.parent for path in ROOT.glob("recipes/*/__main__.py")}
    assert commands == {path.parent for path in COMMANDS}


def test_the_front_page_is_short_and_leads_to_every_document():
    front = FRONT.read_text(encoding="utf-8")
    assert len(front.splitlines()) <= 150
    assert all(f"({name_of(document)})" in front for document in DOCUMENTS[1:])


@pytest.mark.parametrize(
    "text",
    [
        "```bash\nrm -r x\n```\n",
        "```\nmake run\n```\n",
        "~~~sh\nmake run\n~~~\n",
        "- so:\n  ```sh\n  make run\n  ```\n",
        "```sh\nmake run\n",
        "```text\nmake run\n```\n",
    ],
)
def test_a_block_that_cannot_be_run_is_an_error(text):
    with pytest.raises(ValueError, match=r"line [12]"):
        blocks_of(text)


def test_output_is_compared():
    assert missing_lines("a=1 b=…\nend", "x\na=1 b=2\ny\nend\n") == []
    assert missing_lines("a=1 b=…", "a=2 b=2\n") == ["a=1 b=…"]
    assert missing_lines("one … three\n", "  one    two  three\n") == []
    assert missing_lines("one two\n", "onetwo\n") == ["one two"]


def test_keys_are_looked_for_at_any_depth():
    value = {"a": [{"b": 1}], "c": {"d": None}}
    assert unexplained_keys(value, "`a` `c`") == {"b", "d"}


def test_what_would_run_this_test_again_is_only_planned():
    assert planned("make run\nmake test\n") == "make run\nmake -n test\n"

"""What all benchmarks share: their command line, and the record of what they measured.

A record is part → instruction set → results, stored as JSON beside a Markdown text.
"""

import argparse
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.instruction_sets import environments
from benchmarks.measure import RESULTS, machine, now, versions

Environment = Mapping[str, str]
Record = dict[str, dict[str, dict[str, Any]]]
Part = Callable[[Environment], dict[str, Any]]
LIMITED = """\
Each part is measured under the instruction set of the machine and, if that is AVX-512,
again with AVX2 as the widest that libraries may choose. TensorFlow's elementwise
operations, LIBSVM, and oneDAL outside its matrix products cannot be limited: they are
the same under both. XLA's matrix products are Eigen's under AVX2, as its YNNPACK cannot
be limited either.
"""


def parser(
    name: str, description: str, parts: Sequence[str]
) -> argparse.ArgumentParser:
    """Return the options that all benchmarks have."""
    options = argparse.ArgumentParser(
        prog=f"benchmarks.{name}", description=description
    )
    options.add_argument("--parts", nargs="+", choices=parts, default=parts)
    options.add_argument(
        "--rows", type=int, help="use only the first rows, for a trial"
    )
    options.add_argument("--out", type=Path, default=RESULTS)
    return options


def parse(
    options: argparse.ArgumentParser, arguments: Sequence[str] | None = None
) -> argparse.Namespace:
    """Parse the command line; refuse to replace results by those of a trial."""
    chosen = options.parse_args(arguments)
    if chosen.rows and chosen.out == RESULTS:
        options.error(
            "--rows is for trials: set --out to another folder than that of the results"
        )
    return chosen


def measure(
    out: Path,
    name: str,
    parts: Mapping[str, Part],
    text: Callable[[Record], str],
    once: Collection[str] = (),
) -> Record:
    """Measure parts under each instruction set, and write the results after each.

    Args:
        out: Folder for `{name}.json` and `{name}.md`; parts that are not measured now
            are kept.
        name: That of the benchmark.
        parts: Functions of the environment that processes should have.
        text: Returns the record as Markdown.
        once: Parts that are measured under the machine's own instruction set only.

    Returns:
        The record.
    """
    out.mkdir(parents=True, exist_ok=True)
    stored = out / f"{name}.json"
    record: Record = json.loads(stored.read_text()) if stored.exists() else {}
    packages = ("tensorflow", "keras", "scikit-learn", "scikit-learn-intelex", "torch")
    run = {
        "started": now(),
        "machine": machine(),
        "versions": ", ".join(versions(*packages, "numpy")),
    }
    sets = environments()
    for part, measured in parts.items():
        record[part] = {}
        for instructions in [*sets][: 1 if part in once else None]:
            print(f"{part}, {instructions}", flush=True)
            record[part][instructions] = {**run, **measured(sets[instructions])}
            stored.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
            (out / f"{name}.md").write_text(text(record), encoding="utf-8")
    return record


def instructions_of(record: Record) -> list[str]:
    """Return the instruction sets of any part, in the order of measurement."""
    return [*dict.fromkeys(name for sets in record.values() for name in sets)]


def when(record: Record) -> str:
    """Return when, where and with what each part was measured."""
    runs: dict[tuple[str, str, str], list[str]] = {}
    for part, sets in record.items():
        for measured in sets.values():
            run = (measured["started"], measured["machine"], measured["versions"])
            parts = runs.setdefault(run, [])
            if part not in parts:
                parts.append(part)
    if len(runs) == 1:
        ((started, where, installed),) = runs
        return f"{where}. {installed}. One run, {started}.\n"
    lines = ["Measured in several runs; all programs of a part are in the same run:\n"]
    for (started, where, installed), parts in sorted(runs.items()):
        lines.append(f"- {started}: {', '.join(parts)}. {where}. {installed}.")
    return "\n".join(lines) + "\n"

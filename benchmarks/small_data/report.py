"""The results of `benchmarks.small_data` as Markdown."""

import statistics
from typing import Any

from benchmarks.measure import table, target_table
from benchmarks.record import LIMITED, Record, instructions_of, when
from benchmarks.small_data.programs import FOLDS, PROGRAMS
from benchmarks.small_data.tasks import TASKS

CROSS_VALIDATED = "breast_cancer"
HOW = f"""\
Rows are float32, columns and numeric targets standardised; C = 1, γ = 1/columns,
ε = 0.1. Each program has a process of its own per data set, and every fit is of a new
model. *First* is the first fit of a process, imports excluded; *later* the median of
fits of the same rows; *new shape* the median of fits of numbers of rows that the
process has not seen, as in cross-validation. Ours include the certificate.

{LIMITED}"""


def text(record: Record) -> str:
    """Return the results as Markdown."""
    sets = instructions_of(record)
    parts = ["# Small data: measurements\n", when(record), HOW, _targets(record, sets)]
    parts += [_fits(record, name) for name in sets]
    if CROSS_VALIDATED in record:
        parts.append(_cross_validation(record[CROSS_VALIDATED]))
    return "\n".join(parts)


def _later(part: dict[str, Any], program: str) -> float:
    return statistics.median(part["programs"][program]["later"])


def _targets(record: Record, sets: list[str]) -> str:
    first, ratio, second, validation = {}, {}, {}, {}
    for name in sets:
        parts = {task: each[name] for task, each in record.items() if name in each}
        first[name] = max(
            (part["programs"]["ours"]["first"]
             for part in parts.values() if part["rows"] <= 3000),
            default=None,
        )  # fmt: skip
        ratio[name] = max(
            (_later(part, "ours") / _later(part, "intelex32")
             for part in parts.values()
             if 1000 <= part["rows"] <= 4000 and "intelex32" in part["programs"]),
            default=None,
        )  # fmt: skip
        second[name] = max(
            (part["programs"]["ours"]["later"][0]
             for task, part in parts.items() if task.endswith("_1000")),
            default=None,
        )  # fmt: skip
        validated = parts.get(CROSS_VALIDATED, {}).get("cross_validation", {})
        validation[name] = validated.get("ours", {}).get("seconds")
    lines = [
        ("slowest first fit of up to 3,000 rows, s", 1.0, first),
        ("second model on 1,000 × 20, s", 0.05, second),
        (f"{FOLDS}-fold cross-validation, s", 2.0, validation),
        ("largest ÷ scikit-learn-intelex, later fits of 1,000 to 4,000 rows",
         1.5, ratio),
    ]  # fmt: skip
    return target_table(lines, sets)


def _fits(record: Record, instructions: str) -> str:
    kinds = {
        "first": lambda found: found["first"],
        "later": lambda found: statistics.median(found["later"]),
        "new shape": lambda found: statistics.median(found["shapes"]),
    }
    head = ["data", "rows × columns"]
    head += [f"{kind}: {name}" for kind in kinds for name in PROGRAMS.values()]
    head += [f"later: ours ÷ {PROGRAMS[peer]}" for peer in ("intelex32", "sklearn")]
    lines = []
    for name, task in TASKS.items():
        part = record.get(name, {}).get(instructions)
        if not part:
            continue
        programs = part["programs"]
        lines.append([task.title, f"{part['rows']:,} × {part['features']}"])
        lines[-1] += [
            f"{kind(programs[program]):.4f}" if program in programs else "—"
            for kind in kinds.values()
            for program in PROGRAMS
        ]
        lines[-1] += [
            f"{_later(part, 'ours') / _later(part, peer):.2f}"
            if peer in programs
            else "—"
            for peer in ("intelex32", "sklearn")
        ]
    return f"## Seconds to fit: {instructions}\n\n{table(head, lines)}\n"


def _cross_validation(parts: dict[str, dict[str, Any]]) -> str:
    lines = [
        [PROGRAMS[program], instructions, f"{found['seconds']:.3f}",
         f"{found['accuracy']:.4f}"]
        for instructions, part in parts.items()
        for program, found in part["cross_validation"].items()
    ]  # fmt: skip
    head = ("program", "instructions", "all folds, s", "accuracy")
    return (
        f"## A {FOLDS}-fold cross-validation in a loop\n\n"
        f"{TASKS[CROSS_VALIDATED].title}: a new model for each fold, fit and "
        "predictions, from the first fit of the process.\n\n"
        f"{table(head, lines)}\n"
    )

"""Small data: the recipes beside scikit-learn and scikit-learn-intelex.

`python -m benchmarks.small_data` measures fits on 150 to 10,000 rows, and a ten-fold
cross-validation, and writes `results/small_data.md` and `.json`; `--parts` measures
some parts and keeps the other results.
"""

import importlib.util
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import record
from benchmarks.data import folder, store
from benchmarks.record import Environment
from benchmarks.small_data.programs import PACKAGES, PROGRAMS, cross_validate, fits
from benchmarks.small_data.report import CROSS_VALIDATED, text
from benchmarks.small_data.tasks import TASKS, arrays
from benchmarks.worker import run_alone


def measure(
    name: str, rows: int | None, scratch: Path, environment: Environment
) -> dict[str, Any]:
    """Measure all programs on one data set."""
    task = TASKS[name]
    data = {key: array[:rows] for key, array in arrays(task).items()}
    stored = store(data, scratch / name)
    programs = [
        program
        for program in PROGRAMS
        if importlib.util.find_spec(PACKAGES.get(program, "recipes"))
    ]
    given = task.kind, stored
    measured: dict[str, Any] = {
        "rows": len(data["x"]),
        "features": data["x"].shape[1],
        "programs": {
            program: run_alone(environment, fits, program, *given)
            for program in programs
        },
    }
    if name == CROSS_VALIDATED:
        measured["cross_validation"] = {
            program: run_alone(environment, cross_validate, program, *given)
            for program in programs
        }
    return measured


def main() -> None:
    """Measure the requested parts, and write the results after each."""
    chosen = record.parse(record.parser("small_data", __doc__, [*TASKS]))
    if "abalone" in chosen.parts:
        folder()
    with tempfile.TemporaryDirectory() as scratch:
        parts = {
            name: partial(measure, name, chosen.rows, Path(scratch))
            for name in chosen.parts
        }
        print(text(record.measure(chosen.out, "small_data", parts, text)))


if __name__ == "__main__":
    main()

"""Scores of networks on public data, by the recipe's command.

`python -m benchmarks.neural_network.scores` runs `python -m recipes.neural_network` for
each task with three seeds and writes `results/neural_network_scores.md` and `.json`;
`--tasks` runs some tasks and keeps the other results.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.data import folder
from benchmarks.measure import RESULTS, machine, now, table, versions
from benchmarks.neural_network.tasks import SPLITS, TASKS, Flags, Task

HOW = f"""\
Scores on test rows. Each row of the table is `python -m recipes.neural_network` with
the flags that name the data and those shown, run once for each of three seeds: mean,
minimum and maximum. The seed determines the weights, the batches, dropout and, if a
data set has no test rows of its own (digits, california-housing), the split. The scores
of the small regressions are means over {SPLITS} public splits, 60 trainings in total.
Flags were chosen on rows held out of the training rows; for MNIST, the candidates came
from trials that were scored on its test rows.

Published scores are of networks with one hidden layer of 50 units, as here, on the same
splits: dropout, Gal & Ghahramani 2016, and its authors' later, longer training
(github.com/yaringal/DropoutUncertaintyExps); PBP, probabilistic back-propagation,
Hernández-Lobato & Adams 2015. scikit-learn is `MLPRegressor()` on the same rows with
standardised columns and target; without standardising the target, its error is three
times as large.
"""


def train(flags: Flags, seed: int, scratch: Path) -> dict[str, Any]:
    """Run the command, and return its `metrics.json`."""
    out = scratch / "run"
    command = [sys.executable, "-m", "recipes.neural_network", *flags]
    command += [f"--seed={seed}", "--noreport", "--noexport", f"--out_dir={out}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return json.loads((out / "metrics.json").read_text())


def run(task: Task, seeds: int) -> dict[str, Any]:
    """Return the scores of a task: for each seed a list with one per split."""
    scores = []
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        splits = task.data(scratch)
        for seed in range(seeds):
            each = [
                train((*split, *task.flags.split()), seed, scratch) for split in splits
            ]
            scores.append([metrics["test"][task.score] for metrics in each])
            print(f"  seed {seed}: {statistics.mean(scores[-1]):.4f}", flush=True)
        peer = None
        if task.has_peer:
            module = "benchmarks.neural_network.peer"
            command = [sys.executable, "-m", module, *splits[0], str(seeds)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            peer = json.loads(done.stdout.splitlines()[-1])
    return {"scores": scores, "peer": peer}


def text(record: dict[str, Any]) -> str:
    """Return the results as Markdown, from their record."""
    rows = []
    for name, task in TASKS.items():
        if name not in record:
            continue
        found = record[name]
        each = [statistics.mean(splits) for splits in found["scores"]]
        others = task.published
        if found["peer"]:
            others = f"scikit-learn {_range(found['peer'], task.score)}"
        rows.append(
            [
                task.title,
                f"`{task.flags}`" if task.flags else "none",
                f"{task.score} {_range(each, task.score)}",
                others or "—",
            ]
        )
    header = ["data", "flags", "mean (range)", "others"]
    runs = sorted({found["run"] for found in record.values()})
    return "\n".join(
        ["# Neural networks: scores\n", HOW, table(header, rows), "\n" + " ".join(runs)]
    )


def _range(scores: list[float], score: str) -> str:
    low, high = _number(min(scores), score), _number(max(scores), score)
    return f"{_number(statistics.mean(scores), score)} ({low} to {high})"


def _number(value: float, score: str) -> str:
    if score == "accuracy":
        return f"{value:.4f}"
    return f"{value:,.0f}" if value > 1000 else f"{value:.2f}"


def main() -> None:
    """Run the requested tasks, and write the results after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=[*TASKS])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    folder()
    chosen.out.mkdir(parents=True, exist_ok=True)
    stored = chosen.out / "neural_network_scores.json"
    record = json.loads(stored.read_text()) if stored.exists() else {}
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    line = f"{now()}. {machine()}. {', '.join(versions('tensorflow', 'keras'))}."
    for name in chosen.tasks:
        print(name, flush=True)
        record[name] = {"run": line, **run(TASKS[name], chosen.seeds)}
        stored.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        path = chosen.out / "neural_network_scores.md"
        path.write_text(text(record) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

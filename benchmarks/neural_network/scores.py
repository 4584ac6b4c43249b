"""What networks reach on public data, by the commands that anybody can run.

`python -m benchmarks.neural_network.scores` runs `python -m recipes.neural_network` for
each task with three seeds and writes `results/neural_network_scores.md` and `.json`;
`--tasks` runs some and keeps the rest.
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

from benchmarks.measure import RESULTS, machine, now, table, versions
from benchmarks.neural_network.tasks import SPLITS, TASKS, Flags, Task
from benchmarks.svm.data import require_folder

HOW = f"""\
Scores on test rows. Each row of the table is `python -m recipes.neural_network` with
the flags that name the data and those shown, once for each of three seeds: their mean,
and the least and the most of them. The seed draws the weights, the batches, dropout,
and, where a data set has no test rows of its own (digits, california-housing), the
split. The small regressions' scores are means over {SPLITS} public splits, 60 trainings
in all. Flags were chosen by rows held out of the training rows, MNIST's among a few
that earlier trials had found with its test rows in view. *goal* is what the network
should reach at least, or at most.

Published, of networks with one hidden layer of 50 units as here, on the same splits:
dropout, Gal & Ghahramani 2016, and its authors' later, longer training
(github.com/yaringal/DropoutUncertaintyExps); PBP, probabilistic back-propagation,
Hernández-Lobato & Adams 2015. scikit-learn is `MLPRegressor()` on the same rows, which
are standardised for it, and so is the target: as it comes its error is three times as
large.
"""


def train(flags: Flags, seed: int, scratch: Path) -> dict[str, Any]:
    """The `metrics.json` of a command."""
    out = scratch / "run"
    command = [sys.executable, "-m", "recipes.neural_network", *flags]
    command += [f"--seed={seed}", "--noreport", "--noexport", f"--out_dir={out}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return json.loads((out / "metrics.json").read_text())


def run(task: Task, seeds: int) -> dict[str, Any]:
    """Scores of a task, for each seed a list with one of each split."""
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
        if task.goal is None:
            module = "benchmarks.neural_network.peer"
            command = [sys.executable, "-m", module, *splits[0], str(seeds)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            peer = json.loads(done.stdout.splitlines()[-1])
    return {"scores": scores, "peer": peer}


def text(record: dict[str, Any]) -> str:
    """The results, from their record."""
    rows = []
    for name, task in TASKS.items():
        if name not in record:
            continue
        found = record[name]
        each = [statistics.mean(splits) for splits in found["scores"]]
        goal, beside = task.goal, task.beside
        if found["peer"]:
            goal = statistics.mean(found["peer"])
            beside = f"scikit-learn {_range(found['peer'], task.score)}"
        relation = "≥" if task.score == "accuracy" else "≤"
        is_met = (statistics.mean(each) >= goal) == (relation == "≥")
        rows.append(
            [
                task.title,
                f"`{task.flags}`" if task.flags else "none",
                f"{task.score} {_range(each, task.score)}",
                f"{relation} {_number(goal, task.score)}: "
                + ("reached" if is_met else "missed"),
                beside or "—",
            ]
        )
    header = ["data", "flags", "mean (least to most)", "goal", "others"]
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
    """Runs the tasks that are asked for, and writes the results after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=[*TASKS])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    require_folder(parser)
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

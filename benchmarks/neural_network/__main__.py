"""Neural networks compared with Keras's `fit`, PyTorch and scikit-learn.

`python -m benchmarks.neural_network` trains the same network on MNIST by all of them
and writes `results/neural_network.md` and `.json`; `--parts` measures some parts and
keeps the other results. Each program has a process of its own; they run in turn, so
that drift of the machine affects all alike.
"""

import argparse
import importlib.util
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import record
from benchmarks.data import folder
from benchmarks.measure import table, target_table
from benchmarks.neural_network import rate, stream, worker
from benchmarks.neural_network.serving import inference
from benchmarks.neural_network.worker import CLASSES, HIDDEN
from benchmarks.record import LIMITED, Environment, Record, instructions_of, when
from benchmarks.worker import run_alone

BATCHES = (32, 256)
PARTS = (*map(str, BATCHES), "streaming", "serving")
ROWS, FEATURES = 60_000, 784
# Largest ratio of `FastFit` to Keras's default `fit` that meets the target, by batch.
TARGETS = {256: 0.3}
TITLES = {
    "ours": "this recipe",
    "keras_fast": "Keras, with this recipe's `FastFit`",
    "keras": "Keras, default `fit`",
    "keras_compiled": "Keras, jit_compile and steps_per_execution=100",
    "pytorch": "PyTorch, plain loop",
    "sklearn": "scikit-learn, MLPClassifier",
}
NEEDS = {"pytorch": "torch"}
HOW = f"""\
MNIST, 784-128-10, cross-entropy, SGD with learning rate 0.1, float32, rows in memory.
All programs but scikit-learn start with the same weights. This recipe, PyTorch and
scikit-learn take the same batches in the same order; the accuracies of the first two
differ by rounding only. Keras shuffles on its own. *Epoch* is the median over all runs
of the epochs after the first of a process; *range* is minimum to maximum. *First step*
is the time from creating the model to the end of the first step (for this recipe, of
the first chunk of steps), including tracing and compilation. Permuting the rows for
scikit-learn is not timed. The *floor* is the time of an epoch's multiplications and
additions at the rate of TensorFlow's product of two 2048 × 2048 matrices in the same
run.

{LIMITED}"""


def compare(
    options: argparse.Namespace, batch: int, environment: Environment
) -> dict[str, Any]:
    """Run each program, in turn, and measure the rate of matrix products."""
    programs = [
        name
        for name in options.programs
        if importlib.util.find_spec(NEEDS.get(name, "keras"))
    ]
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in programs}
    for _ in range(options.runs):
        for name in programs:
            given = name, batch, options.epochs, options.rows
            results[name].append(run_alone(environment, worker.train, *given))
            seconds = [f"{each:.3f}" for each in results[name][-1]["epochs"]]
            print(f"  batch {batch}, {name}: {' '.join(seconds)} s", flush=True)
    return {
        "rows": options.rows or ROWS,
        "programs": results,
        "rate": run_alone(environment, rate.measure),
    }


def streaming(options: argparse.Namespace, environment: Environment) -> dict[str, Any]:
    """Time epochs from a file with copies of MNIST."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "rows.bin"
        rows = stream.store(path, options.copies)
        each = [
            run_alone(environment, stream.train, path, rows, BATCHES[0], 3)
            for _ in range(options.runs)
        ]
    return {**each[0], "epochs": [one["epochs"] for one in each]}


def serving(environment: Environment) -> dict[str, float]:
    """Time the SavedModel of a run of the recipe."""
    mnist = folder() / "mnist"
    with tempfile.TemporaryDirectory() as scratch:
        flags = [
            f"--dataset={mnist / 'train-images-idx3-ubyte.gz'}",
            f"--test_dataset={mnist / 't10k-images-idx3-ubyte.gz'}",
            f"--hidden_sizes={HIDDEN}", "--epochs=1", "--learning_rate=0.1",
            "--noreport", f"--out_dir={scratch}",
        ]  # fmt: skip
        command = [sys.executable, "-m", "recipes.neural_network", *flags]
        subprocess.run(command, check=True, capture_output=True, env=environment)
        return run_alone(environment, inference, Path(scratch, "export", "1"))


def operations(rows: int) -> int:
    """Return the operations of an epoch.

    That is forward, and backward for all but the first layer's input.
    """
    return 2 * rows * (2 * FEATURES * HIDDEN + 3 * HIDDEN * CLASSES)


def epoch_seconds(runs: list[dict[str, Any]]) -> list[float]:
    """Return the seconds of all epochs after each process's first."""
    return [seconds for each in runs for seconds in each["epochs"][1:]]


def text(found: Record) -> str:
    """Return the results as Markdown, from their record."""
    parts = ["# Neural networks: measurements\n", when(found), HOW, _targets(found)]
    for batch in BATCHES:
        for instructions, part in found.get(str(batch), {}).items():
            parts.append(_batch_text(instructions, part, batch))
    for instructions, part in found.get("streaming", {}).items():
        memory = found.get(str(BATCHES[0]), {}).get(instructions)
        parts += [_streaming_text(instructions, part, memory)] if memory else []
    for instructions, served in found.get("serving", {}).items():
        parts.append(
            f"## The SavedModel: {instructions}\n\nFrom raw pixels to scores, "
            "probabilities and labels, 784-128-10.\n\n"
            f"One row: {served['latency_ms']:.2f} ms (99 % within "
            f"{served['latency_99_ms']:.2f} ms). Batches of 1,024: "
            f"{served['rows_per_second']:,.0f} rows per second.\n"
        )
    return "\n".join(part for part in parts if part)


def _targets(found: Record) -> str:
    lines = []
    for batch, limit in TARGETS.items():
        ratios = {}
        for instructions, part in found.get(str(batch), {}).items():
            medians = {
                name: statistics.median(epoch_seconds(runs))
                for name, runs in part["programs"].items()
            }
            if {"keras_fast", "keras"} <= medians.keys():
                ratios[instructions] = medians["keras_fast"] / medians["keras"]
        lines.append((f"`FastFit` ÷ Keras's `fit`, batches of {batch}", limit, ratios))
    return target_table(lines, instructions_of(found))


def _batch_text(instructions: str, part: dict[str, Any], batch: int) -> str:
    floor = operations(part["rows"]) / part["rate"]
    mine = statistics.median(epoch_seconds(part["programs"]["ours"]))
    rows = []
    for name, runs in part["programs"].items():
        taken = epoch_seconds(runs)
        median = statistics.median(taken)
        first = [each["first_step"] for each in runs if each["first_step"]]
        accuracy = statistics.median(each["accuracy"] for each in runs)
        rows.append(
            [
                TITLES[name],
                f"{median:.3f}",
                f"{min(taken):.3f} to {max(taken):.3f}",
                "" if name == "ours" else f"{mine / median:.2f}",
                f"{median / floor:.1f}",
                f"{statistics.median(first):.2f}" if first else "—",
                f"{accuracy:.4f}",
            ]
        )
    header = ["program", "epoch, s", "range, s", "ours ÷ it", "÷ floor",
              "first step, s", "test accuracy"]  # fmt: skip
    runs = part["programs"]["ours"]
    return (
        f"## Batches of {batch}: {instructions}\n\n{len(runs)} runs of "
        f"{len(runs[0]['epochs'])} epochs.\n\n{table(header, rows)}\n\n"
        f"Floor: {operations(part['rows']) / 1e9:.1f} · 10⁹ operations per epoch at "
        f"{part['rate'] / 1e9:.0f} · 10⁹ per second take {floor:.3f} s.\n"
    )


def _streaming_text(
    instructions: str, stream: dict[str, Any], part: dict[str, Any]
) -> str:
    seconds = [each for run in stream["epochs"] for each in run[1:]]
    rate = statistics.median(seconds) / stream["rows"] * ROWS
    memory = statistics.median(epoch_seconds(part["programs"]["ours"]))
    return (
        f"## From disk: {instructions}\n\n"
        f"{stream['rows']:,} rows, {stream['bytes'] / 2**30:.2f} GiB, "
        f"in batches of {BATCHES[0]}; the process was limited to 1 GiB for data after "
        f"its imports and peaked at {stream['peak'] / 2**30:.2f} GiB in total. 60,000 "
        f"rows take {rate:.3f} s, {rate / memory:.2f} × an epoch in memory "
        f"({memory:.3f} s).\n"
    )


def options() -> argparse.Namespace:
    """Parse the command line."""
    parser = record.parser("neural_network", __doc__, PARTS)
    parser.add_argument("--runs", type=int, default=2, help="processes of each program")
    parser.add_argument("--epochs", type=int, default=5, help="epochs in each process")
    parser.add_argument(
        "--copies", type=int, default=10, help="copies of MNIST on disk"
    )
    parser.add_argument("--programs", nargs="+", choices=TITLES, default=[*TITLES])
    chosen = record.parse(parser)
    folder()
    return chosen


def main() -> None:
    """Measure the requested parts, and write the results after each."""
    chosen = options()
    known = {str(batch): partial(compare, chosen, batch) for batch in BATCHES}
    known |= {"streaming": partial(streaming, chosen), "serving": serving}
    parts = {name: known[name] for name in chosen.parts}
    once = ("streaming", "serving")
    print(text(record.measure(chosen.out, "neural_network", parts, text, once)))


if __name__ == "__main__":
    main()

"""Neural networks beside Keras's `fit`, PyTorch and scikit-learn.

`python -m benchmarks.neural_network` trains the same network on MNIST by all of them
and writes `results/neural_network.md` and `.json`; `--parts` measures some and keeps
the rest. Each program has a process of its own; they run in turn, so that drift of the
machine hits all alike.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import PAUSE, RESULTS, machine, now, table, versions
from benchmarks.neural_network.worker import CLASSES, HIDDEN
from benchmarks.svm.data import folder, require_folder

BATCHES = (32, 256)
PARTS = (*map(str, BATCHES), "streaming", "serving")
ROWS, FEATURES = 60_000, 784
TITLES = {
    "ours": "this recipe",
    "keras_fast": "Keras, with this recipe's `FastFit`",
    "keras": "Keras, `fit` as it comes",
    "keras_compiled": "Keras, jit_compile and steps_per_execution=100",
    "pytorch": "PyTorch, plain loop",
    "sklearn": "scikit-learn, MLPClassifier",
}
NEEDS = {"pytorch": "torch"}
HOW = """\
MNIST, 784-128-10, cross-entropy, SGD with rate 0.1, float32, rows in memory. All begin
with the same weights; this recipe, PyTorch and scikit-learn take the same batches in
the same order, so their accuracy is the same but for rounding (scikit-learn draws other
weights); Keras shuffles for itself. *Epoch* is the median over all runs of the epochs
after a process's first, the spread is least to most. *First step* is the time from
making the model to the end of the first step (here: of the first chunk of steps), with
everything that is traced and compiled for it. scikit-learn's rows are put in order
outside the clock. The *floor* is an epoch's multiplications and additions at the rate
of TensorFlow's product of two 2048 × 2048 matrices in the same run.
"""


def run(module: str, *arguments: Any) -> dict[str, Any]:
    """The JSON that a module prints, run in a process of its own."""
    time.sleep(PAUSE)
    command = [sys.executable, "-m", module, *map(str, arguments)]
    hidden = {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"}  # slow down NumPy's kernels
    environment = {key: os.environ[key] for key in os.environ.keys() - hidden}
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment
    )
    return json.loads(done.stdout.splitlines()[-1])


def compare(programs: list[str], batch: int, epochs: int, runs: int) -> dict[str, Any]:
    """Each program's runs, in turn, and the rate of matrix products."""
    programs = [
        name for name in programs if importlib.util.find_spec(NEEDS.get(name, "keras"))
    ]
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in programs}
    for _ in range(runs):
        for name in programs:
            worker = "benchmarks.neural_network.worker"
            results[name].append(run(worker, name, batch, epochs))
            seconds = [f"{each:.3f}" for each in results[name][-1]["epochs"]]
            print(f"  batch {batch}, {name}: {' '.join(seconds)} s", flush=True)
    rate = run("benchmarks.neural_network.rate")["rate"]
    return {"programs": results, "rate": rate}


def streaming(batch: int, epochs: int, runs: int, copies: int) -> dict[str, Any]:
    """Epochs from a file of `copies` times MNIST."""
    from benchmarks.neural_network.stream import store

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "rows.bin"
        rows = store(path, copies)
        module = "benchmarks.neural_network.stream"
        each = [run(module, path, rows, batch, epochs) for _ in range(runs)]
    return {**each[0], "epochs": [one["epochs"] for one in each]}


def serving() -> dict[str, float]:
    """The SavedModel of a run of the recipe."""
    from benchmarks.neural_network.serving import inference

    mnist = folder() / "mnist"
    with tempfile.TemporaryDirectory() as scratch:
        flags = [
            f"--dataset={mnist / 'train-images-idx3-ubyte.gz'}",
            f"--test_dataset={mnist / 't10k-images-idx3-ubyte.gz'}",
            f"--hidden_sizes={HIDDEN}", "--epochs=1", "--learning_rate=0.1",
            "--noreport", f"--out_dir={scratch}",
        ]  # fmt: skip
        command = [sys.executable, "-m", "recipes.neural_network", *flags]
        subprocess.run(command, check=True, capture_output=True)
        return inference(Path(scratch, "export", "1"))


def operations() -> int:
    """Of an epoch: forward, and back for all but the first layer's input."""
    return 2 * ROWS * (2 * FEATURES * HIDDEN + 3 * HIDDEN * CLASSES)


def epoch_seconds(runs: list[dict[str, Any]]) -> list[float]:
    """Of all epochs after each process's first."""
    return [seconds for each in runs for seconds in each["epochs"][1:]]


def text(record: dict[str, Any]) -> str:
    """The results, from their record."""
    parts = ["# Neural networks: measured\n", HOW]
    parts += [_batch_text(record[str(b)], b) for b in BATCHES if str(b) in record]
    if "streaming" in record and str(BATCHES[0]) in record:
        parts.append(_streaming_text(record))
    if "serving" in record:
        served = record["serving"]
        parts.append(
            f"## The SavedModel\n\n{served['run']} From raw pixels to scores, "
            "probabilities and labels, 784-128-10.\n\n"
            f"One row: {served['latency_ms']:.2f} ms (99 % within "
            f"{served['latency_99_ms']:.2f} ms). Batches of 1,024: "
            f"{served['rows_per_second']:,.0f} rows a second.\n"
        )
    return "\n".join(parts)


def _batch_text(part: dict[str, Any], batch: int) -> str:
    floor = operations() / part["rate"]
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
    header = ["program", "epoch, s", "least to most", "ours ÷ it", "÷ floor",
              "first step, s", "test accuracy"]  # fmt: skip
    runs = part["programs"]["ours"]
    return (
        f"## Batches of {batch}\n\n{part['run']} {len(runs)} runs of "
        f"{len(runs[0]['epochs'])} epochs.\n\n{table(header, rows)}\n\n"
        f"Floor: {operations() / 1e9:.1f} · 10⁹ operations an epoch at "
        f"{part['rate'] / 1e9:.0f} · 10⁹ a second are {floor:.3f} s.\n"
    )


def _streaming_text(record: dict[str, Any]) -> str:
    stream = record["streaming"]
    seconds = [each for run in stream["epochs"] for each in run[1:]]
    rate = statistics.median(seconds) / stream["rows"] * ROWS
    batch = BATCHES[0]
    memory = statistics.median(epoch_seconds(record[str(batch)]["programs"]["ours"]))
    return (
        f"## From disk\n\n{stream['run']}\n\n"
        f"{stream['rows']:,} rows, {stream['bytes'] / 2**30:.2f} GiB, "
        f"in batches of {batch}; the process was allowed 1 GiB for data after its "
        f"imports and had {stream['peak'] / 2**30:.2f} GiB in all at most. For 60,000 "
        f"rows {rate:.3f} s, {rate / memory:.2f} × an epoch in memory "
        f"({memory:.3f} s).\n"
    )


def options() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--runs", type=int, default=3, help="processes of each program")
    parser.add_argument("--epochs", type=int, default=5, help="in each process")
    parser.add_argument("--copies", type=int, default=10, help="of MNIST, on disk")
    parser.add_argument("--programs", nargs="+", choices=TITLES, default=[*TITLES])
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    require_folder(parser)
    return chosen


def main() -> None:
    """Measures the parts that are asked for, and writes the results after each."""
    chosen = options()
    chosen.out.mkdir(parents=True, exist_ok=True)
    stored = chosen.out / "neural_network.json"
    record = json.loads(stored.read_text()) if stored.exists() else {}
    installed = versions("tensorflow", "keras", "scikit-learn", "torch")
    run_line = f"{now()}. {machine()}. {', '.join(installed)}."
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for part in chosen.parts:
        print(part, flush=True)
        measured: Any
        if part == "streaming":
            measured = streaming(BATCHES[0], 3, chosen.runs, chosen.copies)
        elif part == "serving":
            measured = serving()
        else:
            measured = compare(chosen.programs, int(part), chosen.epochs, chosen.runs)
        record[part] = {"run": run_line, **measured}
        stored.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (chosen.out / "neural_network.md").write_text(text(record), encoding="utf-8")
    print(text(record))


if __name__ == "__main__":
    main()

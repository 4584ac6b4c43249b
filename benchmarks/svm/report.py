"""The results of `benchmarks.svm` as Markdown and plot, from its record."""

import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import median_after_first, table, target_table
from benchmarks.record import LIMITED, Record, instructions_of, when
from benchmarks.svm.data import TASKS, Task
from benchmarks.svm.programs import CACHE_MB, PROGRAMS, TOLERANCE

GROWTH = "mnist_even_odd"
# Largest ratios of our fit to a peer's that meet the target: of the geometric mean,
# and of every data set.
MEAN_TARGETS = {"intelex32": 0.8, "intelex64": 0.5}
SET_TARGETS = {"intelex32": 1.2}
PREDICTED = ("mnist_even_odd", "mnist", "letter")
HOW = f"""\
Kernel rbf, rows dense and float32 (the same values as float64 for scikit-learn and in
the float64 lines), tolerance {TOLERANCE:g}, cache {CACHE_MB} MB, all cores (LIBSVM uses
one thread). Each program has a process of its own per data set: a process shared by two
libraries keeps the threads of both, and one reuses memory that the other has requested.
The processes fit in turn, one at a time, so that drift of the machine affects all
alike. *First* is the first fit of the process, *fit* the median of the later ones (each
of a new model); their difference is spent once on compilation and setup. A later fit's
time includes what it traces or compiles again; XLA's share, from its own log, has a
line of its own (the sum of the seconds of several threads). A program with one run was
too slow for more; one that was stopped shows as "> s", and its ratios are bounds.

The *true KKT gap* and the *dual objective* are recomputed by NumPy in float64 from each
program's dual coefficients alone; all programs promise a gap of {TOLERANCE:g}. For
one-vs-one they are the maximum and the sum over the pairs. *Short of best* is the
relative distance of the objective from the largest one found. The *certificate* is the
recipe's float64 proof of its final solution, and the comparison of the exported
function with it, which the peers do not compute; *solve* is `fit` without the
certificate.

{LIMITED}"""


def fit_seconds(program: dict[str, Any]) -> float:
    """Return the median of the later fits, or the first if there is only one."""
    return median_after_first([fit["seconds"] for fit in program["fits"]])


def solve_seconds(program: dict[str, Any]) -> float:
    """Return the same without the certificate."""
    return median_after_first(
        [fit["seconds"] - fit["certificate"] for fit in program["fits"]]
    )


def ratio(part: dict[str, Any], peer: str, solve: bool) -> tuple[float, bool] | None:
    """Return our fit over the peer's, and whether it is a bound; `None` if not run."""
    programs = part["programs"]
    if peer not in programs or "ours" not in programs:
        return None
    mine = (solve_seconds if solve else fit_seconds)(programs["ours"])
    if not programs[peer]["fits"]:
        return mine / programs[peer]["over_budget"], True
    return mine / fit_seconds(programs[peer]), False


def geometric_mean(
    ratios: Sequence[tuple[float, bool] | None],
) -> tuple[float, bool] | None:
    """Return the mean of the known ratios; a bound if any of them is one."""
    known = [each for each in ratios if each]
    if not known:
        return None
    mean = math.exp(statistics.fmean(math.log(value) for value, _ in known))
    return mean, any(bound for _, bound in known)


def text(record: Record) -> str:
    """Return the results as Markdown."""
    tasks = [name for name in TASKS if name in record]
    parts = ["# Support vector machines: measurements\n", when(record), HOW]
    if tasks:
        measured = {name: record[name] for name in tasks}
        parts += [_summary(measured), _targets(measured)]
        parts += [_compared(TASKS[name].title, name, record[name]) for name in tasks]
        parts += [_predictions(record, [t for t in PREDICTED if t in tasks])]
    parts += [_growth(*each) for each in _growths(record)]
    for instructions, part in record.get("memory", {}).items():
        parts += [_memory(instructions, part)]
    return "\n".join(part for part in parts if part)


def plot(record: Record, path: Path) -> None:
    """Plot the time of a fit against rows, on logarithmic axes."""
    from matplotlib.figure import Figure

    ((instructions, growth),) = _growths(record)
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.subplots()
    for name in _present(growth["points"].values()):
        points = [
            (int(n), fit_seconds({"fits": programs[name]}))
            for n, programs in growth["points"].items()
            if programs.get(name)
        ]
        if points:
            axes.loglog(*zip(*points, strict=True), "o-", label=PROGRAMS[name][0])
    axes.set(
        xlabel="rows", ylabel="fit, seconds", title=f"{growth['title']}, {instructions}"
    )
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(path, metadata={"Date": None})


def _growths(record: Record) -> list[tuple[str, dict[str, Any]]]:
    """Return the growth by instruction set, with all rows from their own part."""
    growths = []
    for instructions, growth in record.get("growth", {}).items():
        points = dict(growth["points"])
        if whole := record.get(GROWTH, {}).get(instructions):
            programs = whole["programs"].items()
            points[str(whole["rows"])] = {name: p["fits"] for name, p in programs}
        growths.append((instructions, {**growth, "points": points}))
    return growths


def _summary(measured: Record) -> str:
    """Format our time and its ratio to each peer's, for each instruction set."""
    sets = _complete(measured)
    peers = [name for name in _programs(measured) if name != "ours"]
    head = ["ours ÷ peer"]
    for name in sets:
        head += [f"{name}: fit, s", *(f"÷ {PROGRAMS[peer][0]}" for peer in peers)]
    lines = []
    for task, parts in measured.items():
        lines.append([TASKS[task].title])
        for name in sets:
            part = parts[name]
            lines[-1] += [f"{fit_seconds(part['programs']['ours']):.2f}"]
            lines[-1] += [_ratio(ratio(part, peer, solve=False)) for peer in peers]
    lines.append(["**geometric mean**"])
    for name in sets:
        means = (geometric_mean(_ratios(measured, peer, name)) for peer in peers)
        lines[-1] += ["", *map(_ratio, means)]
    return f"## This recipe and each peer\n\n{table(head, lines)}\n"


def _targets(measured: Record) -> str:
    """Format the targets beside what was measured."""
    sets = _complete(measured)

    def worst(ratios: Sequence[tuple[float, bool] | None]) -> tuple[float, bool] | None:
        return max((each for each in ratios if each), default=None)

    kinds = [("geometric mean", MEAN_TARGETS, geometric_mean),
             ("largest ratio", SET_TARGETS, worst)]  # fmt: skip
    lines = []
    for what, limits, summarise in kinds:
        for peer, limit in limits.items():
            found = {name: summarise(_ratios(measured, peer, name)) for name in sets}
            values = {name: each and each[0] for name, each in found.items()}
            lines.append((f"fit ÷ {PROGRAMS[peer][0]}: {what}", limit, values))
    return target_table(lines, sets)


def _complete(measured: Record) -> list[str]:
    """Return the instruction sets that every data set has been measured under."""
    return [
        name
        for name in instructions_of(measured)
        if all(name in parts for parts in measured.values())
    ]


def _ratios(
    measured: Record, peer: str, instructions: str
) -> list[tuple[float, bool] | None]:
    return [ratio(sets[instructions], peer, solve=False) for sets in measured.values()]


def _compared(title: str, name: str, parts: dict[str, dict[str, Any]]) -> str:
    """Format everything about one data set, for each instruction set."""
    task, part = TASKS[name], next(iter(parts.values()))
    settings = f"C = {task.C:g}, γ = {task.gamma:g}"
    if task.epsilon is not None:
        settings += f", ε = {task.epsilon:g}"
    tables = [
        f"### {title}: {instructions}\n\n{_programs_table(task, each)}\n"
        for instructions, each in parts.items()
    ]
    return (
        f"## {title}\n\n{part['rows']:,} × {part['features']} for training, "
        f"{part['test_rows']:,} for testing; {settings}.\n\n" + "\n".join(tables)
    )


def _programs_table(task: Task, part: dict[str, Any]) -> str:
    programs = part["programs"]
    best = max(p["dual_objective"] for p in programs.values() if p["fits"])
    lines = []
    for program in _present([programs]):
        found = programs[program]
        ratios = [_ratio(ratio(part, program, solve)) for solve in (False, True)]
        if program == "ours":
            ratios = ["", ""]
        if not found["fits"]:
            late = f"> {found['over_budget']:.0f}"
            lines.append([PROGRAMS[program][0], late, *[""] * 4, *ratios, *["—"] * 5])
            continue
        short = (best - found["dual_objective"]) / abs(best)
        score = found.get("score")
        lines.append(
            [PROGRAMS[program][0], *_times(found["fits"], "seconds"), *ratios,
             f"{found['kkt_gap']:.1e}", f"{found['dual_objective']:.6f}",
             f"{short:.0e}" if short else "0", f"{found['support_vectors']:,}",
             "—" if score is None else f"{score:.4f}"]
        )  # fmt: skip
        if program == "ours":
            lines += _split(found["fits"])
    head = (
        "program", "fit, s", "range, s", "first, s", "first − fit", "runs",
        "ours ÷ it", "our solve ÷ it", "true KKT gap", "dual objective",
        "short of best", "support vectors",
        "test RMSE" if task.is_regression else "test accuracy",
    )  # fmt: skip
    return table(head, lines)


def _split(fits: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Return table rows for our solution, certificate and compilation."""
    solves = [{"s": fit["seconds"] - fit["certificate"]} for fit in fits]
    last = fits[-1]
    solve = f"— solve: {last['iterations']:,} iterations"
    solve += f", {last['rebuilds']} × Kβ from scratch" if last["rebuilds"] else ""
    compiled = (
        f"— XLA compiles {fits[0]['compiled']} programs, later {last['compiled']}"
    )
    return [
        [solve, *_times(solves, "s"), *[""] * 7],
        ["— certificate", *_times(fits, "certificate"), *[""] * 7],
        [compiled, *_times(fits, "compile"), *[""] * 7],
    ]


def _times(fits: Sequence[dict[str, Any]], key: str) -> list[str]:
    """Format the median, range, first, first − median, and number of runs."""
    values = [fit[key] for fit in fits]
    later = values[1:]
    fit = median_after_first(values)
    if not later:
        return [f"{fit:.2f}", "", f"{fit:.2f}", "", "1"]
    return [
        f"{fit:.2f}",
        f"{min(later):.2f} to {max(later):.2f}",
        f"{values[0]:.2f}",
        f"{max(values[0] - fit, 0):.2f}",
        str(len(values)),
    ]


def _predictions(record: Record, tasks: Sequence[str]) -> str:
    """Format the seconds to predict all test rows."""
    lines = [
        line
        for task in tasks
        for instructions, part in record[task].items()
        for line in _prediction_lines(task, instructions, part)
    ]
    if not lines:
        return ""
    head = ("test set", "instructions", "program", "s",
            "÷ intelex float32", "÷ intelex float64")  # fmt: skip
    return (
        "## Prediction\n\n`predict` of all test rows, from arrays to labels; medians "
        f"after a first call.\n\n{table(head, lines)}\n"
    )


def _prediction_lines(
    task: str, instructions: str, part: dict[str, Any]
) -> list[list[str]]:
    programs = part["programs"]
    medians = {
        (name, batch): median_after_first(seconds)
        for name in _present([programs])
        for batch, seconds in programs[name].get("predictions", {}).items()
        if seconds
    }
    lines = []
    for (name, batch), seconds in medians.items():
        program = PROGRAMS[name][0] + (f", batches of {batch}" if batch else "")
        over = [
            _ratio((seconds / medians[peer, ""], False))
            if name == "ours" and (peer, "") in medians
            else ""
            for peer in ("intelex32", "intelex64")
        ]
        title = f"{TASKS[task].title}, {part['test_rows']:,} rows"
        lines.append([title, instructions, program, f"{seconds:.3f}", *over])
    return lines


def _growth(instructions: str, growth: dict[str, Any]) -> str:
    names = _present(growth["points"].values())
    lines = []
    for n, programs in growth["points"].items():
        seconds = [
            f"{fit_seconds({'fits': programs[name]}):.2f}"
            if programs.get(name)
            else "—"
            for name in names
        ]
        first = programs["ours"][0]["seconds"] if programs.get("ours") else math.nan
        lines.append([f"{int(n):,}", *seconds, f"{first:.2f}"])
    head = ("rows", *(PROGRAMS[name][0] for name in names), "this recipe, first fit")
    return (
        f"## Growth ({growth['title']}; {instructions}; fit, s)\n\n"
        f"{table(head, lines)}\n\n"
        "— means that the program was too slow on this many or fewer rows.\n\n"
        "![Time against rows](svm.svg)\n"
    )


def _memory(instructions: str, memory: dict[str, Any]) -> str:
    head = ("data set", "data, MB", "cache, MB", "peak over baseline, MB",
            "cache + 3 × data, MB", "peak ÷ that", "baseline, MB")  # fmt: skip
    lines = []
    for fit in memory["fits"]:
        over = fit["peak_bytes"] - fit["baseline_bytes"]
        bound = fit["cache_bytes"] + 3 * fit["data_bytes"]
        sizes = (fit["data_bytes"], fit["cache_bytes"], over, bound)
        megabytes = [f"{size / 1e6:,.0f}" for size in sizes]
        lines.append(
            [TASKS[fit["task"]].title, *megabytes, f"{over / bound:.0%}",
             f"{fit['baseline_bytes'] / 1e6:,.0f}"]
        )  # fmt: skip
    return (
        f"## Memory ({instructions})\n\nThe peak of a fit above the baseline, a "
        "process that holds the data and has fitted a small part of them (mostly "
        "TensorFlow).\n\n"
        f"{table(head, lines)}\n"
    )


def _programs(measured: Record) -> list[str]:
    return _present(
        part["programs"] for sets in measured.values() for part in sets.values()
    )


def _present(parts: Any) -> list[str]:
    """Return the programs of any of the parts, in the order of `PROGRAMS`."""
    known = {name for part in parts for name in part}
    return [name for name in PROGRAMS if name in known]


def _ratio(value: tuple[float, bool] | None) -> str:
    if value is None:
        return "—"
    digits = 2 if value[0] >= 0.1 else 3
    return f"{'< ' if value[1] else ''}{value[0]:.{digits}f}"

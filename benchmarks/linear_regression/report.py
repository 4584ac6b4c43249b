"""The results of `benchmarks.linear_regression` as Markdown and plot."""

from pathlib import Path
from typing import Any

from benchmarks.linear_regression.programs import PROGRAMS
from benchmarks.measure import median_after_first, table, target_table
from benchmarks.record import LIMITED, Record, instructions_of, when

TARGETS = {"ours": 1.5, "ours_loose": 1.0}
HOW = f"""\
Each program has a process of its own, and all fit in turn: a first fit of the process,
then fits of new models, whose median is *fit*. Ours include the certificate.

{LIMITED}"""


def text(record: Record) -> str:
    """Return the results as Markdown."""
    parts = ["# Linear regression: measurements\n", when(record), HOW]
    if large := record.get("large"):
        parts += [_targets(large)]
        parts += [_compared(name, part) for name, part in large.items()]
    for name, part in record.get("article", {}).items():
        parts.append(
            f"The article's loop, 1000 steps ({name}): {part['seconds']:.1f} s, "
            f"relative excess loss {part['excess']:.1e}.\n"
        )
    for name, part in record.get("memory", {}).items():
        parts.append(
            f"Memory ({name}): the data are {part['data'] / 1e6:.0f} MB; a fit peaks "
            f"{part['over'] / 1e6:.0f} MB above a process that holds them and has "
            f"trained on a small set: {1 + part['over'] / part['data']:.2f} × the "
            "data.\n"
        )
    parts += [_growth(*each) for each in record.get("growth", {}).items()]
    return "\n".join(parts)


def _fits(part: dict[str, Any]) -> dict[str, float]:
    """Return the seconds of a fit of each program that was quick enough."""
    programs = part["programs"].items()
    return {
        name: median_after_first(p["seconds"]) for name, p in programs if p["seconds"]
    }


def _targets(large: dict[str, dict[str, Any]]) -> str:
    fits = {name: _fits(part) for name, part in large.items()}
    lines = []
    for program, limit in TARGETS.items():
        ratios = {
            name: each[program] / each["intelex32"] if "intelex32" in each else None
            for name, each in fits.items()
        }
        title = f"{PROGRAMS[program][0]} ÷ {PROGRAMS['intelex32'][0]}"
        lines.append((title, limit, ratios))
    return target_table(lines, instructions_of({"large": large}))


def _compared(instructions: str, part: dict[str, Any]) -> str:
    fits, lines = _fits(part), []
    for name, fit in fits.items():
        found = part["programs"][name]
        lines.append(
            [PROGRAMS[name][0], f"{fit:.3f}", f"{found['seconds'][0]:.2f}",
             f"{fits['ours'] / fit:.2f}", f"{fits['ours_loose'] / fit:.2f}",
             f"{found['excess']:.1e}"]
        )  # fmt: skip
    certificate = f"{part['certificate']:.3f}"
    lines.insert(1, ["— of which the certificate's pass", certificate, *[""] * 4])
    head = ("program", "fit, s", "first, s", "ours ÷ it", "ours at 1e-10 ÷ it",
            "rel. excess loss")  # fmt: skip
    read, step = part["rates"]["read"], part["rates"]["step"]
    return (
        f"## {part['rows']:,} × {part['features']} float32, in memory: {instructions}"
        f"\n\n{table(head, lines)}\n\n"
        f"A step of `method=full` (loss and gradient over all rows) reads x once, at "
        f"{step / 1e9:.1f} GB/s; a plain sum of x reads it at {read / 1e9:.1f} "
        f"GB/s: {step / read:.0%} of the machine's rate.\n"
    )


def _growth(instructions: str, part: dict[str, Any]) -> str:
    names = [name for name in PROGRAMS if name in part["points"][0]["seconds"]]
    lines = []
    for point in part["points"]:
        seconds = (point["seconds"][name] for name in names)
        lines.append(
            [f"{point['rows']:,} × {point['features']:,}",
             *(f"{median_after_first(s):.3f}" if s else "—" for s in seconds)]
        )  # fmt: skip
    streamed = part["streamed"]
    lines.append(
        [f"{streamed['rows']:,} × {part['points'][0]['features']}, from disk, once",
         f"{streamed['seconds']:.1f}", *["—"] * (len(names) - 1)]
    )  # fmt: skip
    head = ("rows × features", *(PROGRAMS[name][0] for name in names))
    return (
        f"## Growth (fit, s; {instructions})\n\n{table(head, lines)}\n\n"
        "![Time against rows and features](linear_regression.svg)\n"
    )


def plot(record: Record, path: Path) -> None:
    """Plot time against rows and against features, on logarithmic axes."""
    from matplotlib.figure import Figure

    ((instructions, part),) = record["growth"].items()
    figure = Figure(figsize=(9, 4), layout="constrained")
    for axes, axis in zip(figure.subplots(1, 2), ("rows", "features"), strict=True):
        points = [point for point in part["points"] if point["axis"] == axis]
        for name in points[0]["seconds"]:
            line = [
                (point[axis], median_after_first(point["seconds"][name]))
                for point in points
                if point["seconds"][name]
            ]
            axes.loglog(*zip(*line, strict=True), "o-", label=PROGRAMS[name][0])
        axes.set(xlabel=axis, ylabel="fit, seconds", title=f"by {axis}, {instructions}")
        axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(path, metadata={"Date": None})

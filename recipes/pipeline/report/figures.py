"""Figures: drawn by matplotlib, shown as inline SVG that follows the page's colours.

Draw with the light colours of `PALETTE` (`color("accent")`): in the SVG each becomes
the CSS custom property of that name, which the page sets for light and for dark. Shades
are a palette colour with an `alpha`. Figures are 440 px wide, so that their text can be
read on a phone; on wide pages two stand side by side.
"""

import hashlib
import io
import math
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal
from xml.etree import ElementTree

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import Formatter, LogLocator, MaxNLocator
from matplotlib.transforms import ScaledTranslation

from recipes.pipeline.report.number_format import number, power_of_ten, scientific

# CSS name: (light, dark). Text colours keep a contrast of 4.5 to paper and panel, the
# colours of series one of 3 to paper.
PALETTE: dict[str, tuple[str, str]] = {
    "paper": ("#ffffff", "#14181e"),
    "panel": ("#f4f6f8", "#1d232b"),
    "rule": ("#d8dde4", "#363f4b"),
    "ink": ("#1a2029", "#e7ebf0"),
    "muted": ("#566070", "#a6b0bd"),
    "accent": ("#1a5fc4", "#7db2ff"),
    "grey": ("#828c9a", "#828d9c"),
    "orange": ("#b5530b", "#f3a35c"),
    "teal": ("#0d7a6b", "#4cc9b5"),
    "purple": ("#7744b5", "#c3a0f5"),
    "pink": ("#b22f6c", "#f291ba"),
    "good": ("#18793f", "#62d18f"),
    "bad": ("#bd2118", "#ff8d82"),
    "bad-panel": ("#fdeeec", "#3a1e1d"),
}
Canvas = Figure  # matplotlib's figure, as against the report's block of that name
MAX_POINTS = 2000  # of one series; more make a blot and a heavy file
DASHES = (0, (4, 3))
# The look of a line that shows no data but what to compare the data with.
REFERENCE_LINE: dict[str, Any] = {
    "color": PALETTE["muted"][0],
    "linestyle": DASHES,
    "linewidth": 1.2,
}

_STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": PALETTE["grey"][0],
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": PALETTE["muted"][0],
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": PALETTE["muted"][0],
    "axes.titlelocation": "left",
    "axes.titlesize": 13,
    "figure.constrained_layout.use": True,
    "figure.dpi": 72,  # a point is then a pixel
    "figure.facecolor": "none",
    "font.size": 13,
    "grid.alpha": 0.8,
    "grid.color": PALETTE["rule"][0],
    "grid.linewidth": 1,
    "legend.borderaxespad": 0,
    "legend.borderpad": 0,
    "legend.columnspacing": 1.2,
    "legend.fontsize": 13,
    "legend.frameon": False,
    "legend.handlelength": 1,
    "legend.handletextpad": 0.4,
    "svg.fonttype": "none",
    "svg.hashsalt": "report",  # else ids change from run to run
    "text.color": PALETTE["ink"][0],
    "text.parse_math": False,  # a column may be called "price in $ or £, not $"
    "xtick.color": PALETTE["muted"][0],
    "xtick.bottom": False,
    "ytick.color": PALETTE["muted"][0],
    "ytick.left": False,
}


def color(name: str) -> str:
    """The colour to draw with so that the page shows its colour of that name."""
    return PALETTE[name][0]


def draw(
    paint: Callable[[Canvas], None], *, width: int = 440, height: int = 340
) -> str:
    """Draws a figure and returns it as SVG to put into the page.

    Args:
        paint: draws on the empty matplotlib figure that it is given. No pyplot: nothing
            global is touched, and nothing of the user's own settings is followed.
        width: in pixels.
        height: in pixels.

    Returns:
        An `<svg>` element whose ids no other figure has; the same drawing gives the
        same text.
    """
    buffer = io.BytesIO()
    with matplotlib.rc_context(), warnings.catch_warnings():
        # The browser has the glyphs that matplotlib's font, used to measure, lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        canvas = Canvas(figsize=(width / 72, height / 72))
        paint(canvas)
        canvas.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return _inline(buffer.getvalue())


def plot_axes(canvas: Canvas, x_label: str, y_label: str) -> Axes:
    """Axes in the report's style; the vertical axis' label stands level, on top."""
    axes = canvas.add_subplot()
    axes.set_xlabel(x_label)
    axes.set_title(y_label)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(PlainTicks())
    return axes


def set_log_scale(axes: Axes, name: Literal["x", "y"] = "y") -> None:
    """Make an axis logarithmic, with labels at powers of ten and no minor ticks."""
    axes.set(**{f"{name}scale": "log"})
    axis = axes.xaxis if name == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(numticks=8))
    axis.set_major_formatter(PowerTicks())
    axes.minorticks_off()


def legend(axes: Axes, columns: int | None = None) -> None:
    """A legend above the axes and their title, where it hides nothing.

    Args:
        axes: with labelled lines or areas.
        columns: entries side by side. Default value: `None`, all of them.
    """
    handles, labels = axes.get_legend_handles_labels()
    upwards = ScaledTranslation(0, 26 / 72, axes.figure.dpi_scale_trans)
    axes.legend(
        handles[::-1],  # what is drawn last, on top, comes first
        labels[::-1],
        loc="lower left",
        bbox_to_anchor=(0, 1),
        bbox_transform=axes.transAxes + upwards,
        ncols=columns or len(labels),
        markerscale=1.4,
    )


class PlainTicks(Formatter):
    """Tick labels as the page's numbers are written, as many decimals as they need."""

    def __call__(self, value: float, position: int | None = None) -> str:
        """The label of a single tick."""
        return number(float(value))

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """The labels of an axis, all to the same decimal place."""
        ticks = np.asarray(values, dtype=np.float64)
        largest = np.abs(ticks).max(initial=0.0)
        if ticks.size < 2 or not 1e-3 <= largest < 1e6:
            return [scientific(float(tick)) for tick in ticks]
        near = np.abs(np.diff(ticks)).min() * 1e-3
        decimals = 0
        while decimals < 6 and np.any(np.abs(ticks.round(decimals) - ticks) > near):
            decimals += 1
        # Adding 0 turns -0 to 0.
        plain = [f"{tick + 0.0:,.{decimals}f}" for tick in ticks.round(decimals)]
        return [label.replace("-", "\N{MINUS SIGN}") for label in plain]


class PowerTicks(Formatter):
    """Tick labels of a logarithmic axis: 10⁻³."""

    def __call__(self, value: float, position: int | None = None) -> str:
        """The label of a tick at a power of ten; none elsewhere."""
        if not 0 < value < math.inf:  # a tick beyond what float64 can hold
            return ""
        exponent = math.log10(value)
        whole = round(exponent)
        return power_of_ten(whole) if abs(exponent - whole) < 1e-6 else ""


def sample(size: int, limit: int = MAX_POINTS) -> npt.NDArray[np.intp]:
    """At most `limit` of `size` rows, at random but always the same, in order."""
    if size <= limit:
        return np.arange(size)
    return np.sort(np.random.default_rng(0).choice(size, limit, replace=False))


def _inline(xml: bytes) -> str:
    """Turns matplotlib's SVG file into a small element of the page."""
    root = ElementTree.fromstring(xml)
    for parent in list(root.iter()):
        for child in list(parent):
            # The file's own style sheet would hold for the whole page.
            if child.tag.endswith(("}metadata", "}style")):
                parent.remove(child)
    for element in root.iter():
        _simplify(element)
    for element in root.iter("g"):
        _share_style(element)
    root.attrib = {
        "viewBox": root.attrib["viewBox"],
        "stroke-linejoin": "round",
        "aria-hidden": "true",  # the page says in words what the figure shows
    }
    _rename_ids(root)
    return ElementTree.tostring(root, encoding="unicode")


_COLORS = {light: f"var(--{name})" for name, (light, _) in PALETTE.items()}
_GEOMETRY = {"d", "x", "y", "width", "height", "transform"}


def _simplify(element: Any) -> None:
    """Plain names, coordinates to 0.01 px, the page's colours and the page's font."""
    element.tag = _local(element.tag)
    element.attrib = {_local(key): text for key, text in element.attrib.items()}
    for key, text in element.attrib.items():
        if key in _GEOMETRY and element.tag != "image":
            text = re.sub(r"-?\d+\.\d{3,}", lambda m: f"{float(m[0]):.2f}", text)
            element.attrib[key] = " ".join(text.split())
        elif key == "style":
            text = re.sub("#[0-9a-f]{6}", lambda m: _COLORS.get(m[0], m[0]), text)
            element.attrib[key] = re.sub(r"font-family: [^;]*;? ?", "", text)
    if element.tag not in ("text", "tspan"):
        element.text = None
    element.tail = None


def _share_style(group: Any) -> None:
    """Puts the one style of a group's markers, thousands perhaps, on the group."""
    styles = {child.get("style") for child in group}
    if len(group) > 1 and len(styles) == 1 and all(c.tag == "use" for c in group):
        for child in group:
            del child.attrib["style"]
        group.set("style", styles.pop())


def _rename_ids(root: Any) -> None:
    """Keeps the ids that are referred to, renamed after the figure's own content."""
    used = re.compile(r"url\(#([^)]*)\)|^#(.*)$")
    drawing = ElementTree.tostring(root)
    prefix = f"f{hashlib.sha256(drawing).hexdigest()[:8]}-"
    names: dict[str, str] = {}
    for element in root.iter():
        for key in ("href", "clip-path", "fill", "style"):
            for match in used.finditer(element.get(key, "")):
                old = match[1] or match[2]
                names.setdefault(old, f"{prefix}{len(names)}")
                element.set(key, element.get(key).replace(f"#{old}", f"#{names[old]}"))
    for element in root.iter():
        name = element.attrib.pop("id", None)
        if name in names:
            element.set("id", names[name])


def _local(name: str) -> str:
    """`{namespace}name` without the namespace."""
    return name.rpartition("}")[2]

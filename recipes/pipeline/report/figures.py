"""Figures, drawn by matplotlib as inline SVG that follows the page's colours.

Draw with the light colours of `PALETTE` (`color("accent")`): in the SVG each becomes
the CSS custom property of the same name, which the page defines for its light and its
dark theme. For a shade, give a palette colour an `alpha`. Figures are 440 px wide, so
that their text is readable on a phone; wide pages show two side by side.
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

# CSS name: (light, dark). The contrast of text colours to paper and panel is at least
# 4.5, that of the colours of series to paper at least 3.
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
Canvas = Figure  # matplotlib's figure, not the report's block of that name
MAX_POINTS = 2000  # of one series; more make a blot and a large file
DASHES = (0, (4, 3))
# For lines that show no data, but what to compare the data with.
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
    "figure.dpi": 72,  # so that a point is a pixel
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
    "svg.hashsalt": "report",  # otherwise ids change from run to run
    "text.color": PALETTE["ink"][0],
    "text.parse_math": False,  # a column may be called "price in $ or £, not $"
    "xtick.color": PALETTE["muted"][0],
    "xtick.bottom": False,
    "ytick.color": PALETTE["muted"][0],
    "ytick.left": False,
}


def color(name: str) -> str:
    """Return the colour to draw with for the page's colour of that name."""
    return PALETTE[name][0]


def draw(
    paint: Callable[[Canvas], None], *, width: int = 440, height: int = 340
) -> str:
    """Draw a figure and return it as SVG for the page.

    pyplot is not used: the user's own settings are neither followed nor changed.

    Args:
        paint: draws on the empty matplotlib figure that it is passed.
        width: in pixels.
        height: in pixels.

    Returns:
        An `<svg>` element whose ids no other figure has; the same drawing gives the
        same text.
    """
    buffer = io.BytesIO()
    with matplotlib.rc_context(), warnings.catch_warnings():
        # matplotlib measures with a font that lacks them; the browser has them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        canvas = Canvas(figsize=(width / 72, height / 72))
        paint(canvas)
        canvas.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return _inline(buffer.getvalue())


def plot_axes(canvas: Canvas, x_label: str, y_label: str) -> Axes:
    """Add axes in the report's style, with a horizontal y label on top."""
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
    """Add a legend above the axes and their title, where it hides nothing.

    Args:
        axes: with labelled lines or areas.
        columns: how many entries stand side by side. Default value: `None`, all.
    """
    handles, labels = axes.get_legend_handles_labels()
    upwards = ScaledTranslation(0, 26 / 72, axes.figure.dpi_scale_trans)
    axes.legend(
        handles[::-1],  # first the one that was drawn last, on top
        labels[::-1],
        loc="lower left",
        bbox_to_anchor=(0, 1),
        bbox_transform=axes.transAxes + upwards,
        ncols=columns or len(labels),
        markerscale=1.4,
    )


class PlainTicks(Formatter):
    """Tick labels in the page's number format, with as many decimals as they need."""

    def __call__(self, value: float, position: int | None = None) -> str:
        """Return the label of a single tick."""
        return number(float(value))

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """Return the labels of an axis, all with the same number of decimals."""
        ticks = np.asarray(values, dtype=np.float64)
        largest = np.abs(ticks).max(initial=0.0)
        if ticks.size < 2 or not 1e-3 <= largest < 1e6:
            return [scientific(float(tick)) for tick in ticks]
        near = np.abs(np.diff(ticks)).min() * 1e-3
        decimals = 0
        while decimals < 6 and np.any(np.abs(ticks.round(decimals) - ticks) > near):
            decimals += 1
        # Adding 0 turns -0 into 0.
        plain = [f"{tick + 0.0:,.{decimals}f}" for tick in ticks.round(decimals)]
        return [label.replace("-", "\N{MINUS SIGN}") for label in plain]


class PowerTicks(Formatter):
    """Tick labels of a logarithmic axis: 10⁻³."""

    def __call__(self, value: float, position: int | None = None) -> str:
        """Return the label of a tick at a power of ten, else an empty string."""
        if not 0 < value < math.inf:  # a tick outside float64's range
            return ""
        exponent = math.log10(value)
        whole = round(exponent)
        return power_of_ten(whole) if abs(exponent - whole) < 1e-6 else ""


def sample(size: int, limit: int = MAX_POINTS) -> npt.NDArray[np.intp]:
    """Choose at most `limit` of `size` rows at random, always the same, in order."""
    if size <= limit:
        return np.arange(size)
    return np.sort(np.random.default_rng(0).choice(size, limit, replace=False))


def _inline(xml: bytes) -> str:
    """Turn matplotlib's SVG file into a small element of the page."""
    root = ElementTree.fromstring(xml)
    for parent in list(root.iter()):
        for child in list(parent):
            # The file's own style sheet would apply to the whole page.
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
    """Use plain names, coordinates to 0.01 px, and the page's colours and font."""
    element.tag = _strip_namespace(element.tag)
    element.attrib = {
        _strip_namespace(key): text for key, text in element.attrib.items()
    }
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
    """Move the style that all of a group's markers share to the group."""
    styles = {child.get("style") for child in group}
    if len(group) > 1 and len(styles) == 1 and all(c.tag == "use" for c in group):
        for child in group:
            del child.attrib["style"]
        group.set("style", styles.pop())


def _rename_ids(root: Any) -> None:
    """Keep only referenced ids, renamed after a hash of the figure's content."""
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


def _strip_namespace(name: str) -> str:
    """Return `name` for `{namespace}name`."""
    return name.rpartition("}")[2]

"""The blocks that a report consists of.

Each is plain data; the template `templates/blocks/KIND.html` defines its look. All text
is escaped on rendering, so it may contain anything.
"""

import base64
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

Tone = Literal["", "good", "bad"]
_SHRINKING = 520  # pixels; figures up to this width shrink with the page


class Block:
    """An element of a section's body; `kind` names the block's template."""

    kind: ClassVar[str]


@dataclass(frozen=True)
class Paragraph(Block):
    """Running text."""

    text: str
    kind: ClassVar[str] = "paragraph"


@dataclass(frozen=True)
class Notice(Block):
    """A sentence that must not be overlooked; the tone `bad` makes it stand out."""

    title: str
    text: str
    tone: Tone = ""
    kind: ClassVar[str] = "notice"


@dataclass(frozen=True)
class Cell:
    """A table's cell: its text, a note in small print, and its tone."""

    text: str
    note: str = ""
    tone: Tone = ""

    @property
    def overlong(self) -> bool:
        """Whether a word is so long that it must be broken on a narrow page."""
        return any(len(word) > 20 for word in self.text.split())


@dataclass(frozen=True)
class Table(Block):
    """A table; the first cell of a row is its heading.

    A table of more than 30 rows is collapsed behind its caption.

    Attributes:
        caption: what the table shows.
        header: a title for each column.
        rows: cells, one for each column; a plain string is a cell without a note.
        align: a letter for each column: `l` for words, `r` for numbers.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str | Cell]]
    align: str
    kind: ClassVar[str] = "table"

    def __post_init__(self) -> None:
        widths = {len(self.header), len(self.align), *map(len, self.rows)}
        if len(widths) > 1:
            raise ValueError(
                f"rows, header and align of {self.caption!r} should have the same "
                f"length. Received: {sorted(widths)}"
            )

    @property
    def folded(self) -> bool:
        """Whether the rows are collapsed until the reader asks for them."""
        return len(self.rows) > 30

    @property
    def cells(self) -> list[list[Cell]]:
        """The rows, with every cell a `Cell`."""
        return [
            [cell if isinstance(cell, Cell) else Cell(cell) for cell in row]
            for row in self.rows
        ]


@dataclass(frozen=True)
class Terms(Block):
    """Terms, each with its meaning or how to read it."""

    items: Mapping[str, str]
    kind: ClassVar[str] = "terms"


@dataclass(frozen=True)
class Figure(Block):
    """A figure; one too wide for a phone keeps its size and scrolls sideways.

    Attributes:
        svg: the drawing, from `figures.draw`.
        caption: how to read it.
        alt: what it shows, for readers who cannot see it.
    """

    svg: str
    caption: str
    alt: str
    kind: ClassVar[str] = "figure"

    @property
    def scrolled_width(self) -> int:
        """The figure's width in pixels if it must not shrink, else 0."""
        box = re.search(r'viewBox="0 0 ([\d.]+)', self.svg)
        width = round(float(box[1])) if box else 0
        return width if width > _SHRINKING else 0


@dataclass(frozen=True)
class Picture:
    """A small picture with a line or two below it.

    Attributes:
        png: the file's content.
        text: the line below it.
        note: another line, in small print.
    """

    png: bytes
    text: str
    note: str = ""

    @property
    def source(self) -> str:
        """The picture as a data URL."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"


@dataclass(frozen=True)
class Pictures(Block):
    """Small pictures side by side, wrapped to the width of the page.

    Attributes:
        caption: what they show.
        items: the pictures.
        pixelated: whether to show each pixel as a square, for pictures of few pixels.
    """

    caption: str
    items: Sequence[Picture]
    pixelated: bool
    kind: ClassVar[str] = "pictures"


@dataclass(frozen=True)
class Grid(Block):
    """Blocks side by side if the page is wide enough, else one below the other."""

    blocks: Sequence[Block]
    kind: ClassVar[str] = "grid"


@dataclass(frozen=True)
class Command(Block):
    """A shell command, ready to copy, with each argument on a line of its own."""

    arguments: Sequence[str]
    kind: ClassVar[str] = "command"

    @property
    def text(self) -> str:
        """The command, quoted for a shell; the first three words share a line."""
        words = [shlex.quote(argument) for argument in self.arguments]
        return " \\\n  ".join([" ".join(words[:3]), *words[3:]])


@dataclass(frozen=True)
class KeyNumber:
    """One number in large type, with its label and what to compare it with."""

    label: str
    value: str
    note: str = ""
    tone: Tone = ""


@dataclass(frozen=True)
class KeyNumbers(Block):
    """The few numbers that matter, in large type."""

    items: Sequence[KeyNumber]
    kind: ClassVar[str] = "key_numbers"


@dataclass(frozen=True)
class Section:
    """A titled part of the page."""

    title: str
    body: Sequence[Block]


@dataclass(frozen=True)
class Page:
    """A whole report.

    Attributes:
        title: what was done, such as `Linear regression on diabetes`.
        outcome: what came of it, in one sentence.
        opening: blocks between the outcome and the first section.
        sections: the sections, in order.
        footer: small print at the end.
        warning: what must be read before anything else, if there is such a thing.
    """

    title: str
    outcome: str
    opening: Sequence[Block]
    sections: Sequence[Section]
    footer: str = ""
    warning: Notice | None = None

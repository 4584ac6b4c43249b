"""The report: building blocks for one self-contained HTML page about a run.

A recipe assembles a `Page` from these sections and its own; `render` turns it into
HTML. A new kind of block is a dataclass in `blocks` and a template of the same name; a
new figure is a function passed to `draw`.
"""

from recipes.pipeline.report import classification
from recipes.pipeline.report.blocks import (
    Block,
    Cell,
    Command,
    Figure,
    Grid,
    KeyNumber,
    KeyNumbers,
    Notice,
    Page,
    Paragraph,
    Picture,
    Pictures,
    Section,
    Table,
    Terms,
)
from recipes.pipeline.report.certificate_table import certificate_table
from recipes.pipeline.report.data_section import (
    MAX_VALUES,
    data_summary,
    describe_row,
    summarise,
)
from recipes.pipeline.report.descent_curve import draw_descent
from recipes.pipeline.report.figures import (
    DASHES,
    MAX_POINTS,
    PALETTE,
    REFERENCE_LINE,
    PlainTicks,
    PowerTicks,
    color,
    draw,
    legend,
    plot_axes,
    sample,
    set_log_scale,
)
from recipes.pipeline.report.number_format import (
    MISSING,
    count,
    number,
    one_part_in,
    percent,
    quantity,
    quoted,
    shorten,
)
from recipes.pipeline.report.page import render
from recipes.pipeline.report.regression import (
    Pairs,
    highlights,
    outcome,
    pair,
    predicted_against_actual,
    residuals,
    scores,
)
from recipes.pipeline.report.reproduce import reproduce_section
from recipes.pipeline.report.run_page import (
    build_page,
    class_sections,
    headline,
    pair_predictions,
)

__all__ = [
    "DASHES",
    "MAX_POINTS",
    "MAX_VALUES",
    "MISSING",
    "PALETTE",
    "REFERENCE_LINE",
    "Block",
    "Cell",
    "Command",
    "Figure",
    "Grid",
    "KeyNumber",
    "KeyNumbers",
    "Notice",
    "Page",
    "Pairs",
    "Paragraph",
    "Picture",
    "Pictures",
    "PlainTicks",
    "PowerTicks",
    "Section",
    "Table",
    "Terms",
    "build_page",
    "certificate_table",
    "class_sections",
    "classification",
    "color",
    "count",
    "data_summary",
    "describe_row",
    "draw",
    "draw_descent",
    "headline",
    "highlights",
    "legend",
    "number",
    "one_part_in",
    "outcome",
    "pair",
    "pair_predictions",
    "percent",
    "plot_axes",
    "predicted_against_actual",
    "quantity",
    "quoted",
    "render",
    "reproduce_section",
    "residuals",
    "sample",
    "scores",
    "set_log_scale",
    "shorten",
    "summarise",
]

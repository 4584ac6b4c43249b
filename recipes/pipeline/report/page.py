"""Renders a `Page` as one self-contained HTML file, without network or script."""

import re

import jinja2
from markupsafe import Markup, escape

from recipes.pipeline.report.blocks import Page
from recipes.pipeline.report.figures import PALETTE


def _flags_as_code(text: str) -> Markup:
    """Escape a text, and mark its `--flags` so that they stand out and do not wrap."""
    return Markup(
        re.sub(r"--\w+(=[\w.,-]*\w)?", r"<code>\g<0></code>", str(escape(text)))
    )


_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("recipes.pipeline.report"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters["flags_as_code"] = _flags_as_code


def render(page: Page) -> str:
    """Return the page as HTML; the same page gives the same text, to the byte."""
    return _TEMPLATES.get_template("page.html").render(page=page, palette=PALETTE)

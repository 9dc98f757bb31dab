"""A month's statement: every format is a rendering of one ``Statement``, so the amounts agree everywhere."""

from __future__ import annotations

from detector.boundary.plugins import load_plug_in
from detector.chargeback.statement import Statement

FORMATS = {
    "text": "detector.reports.statement.text:render",
    "html": "detector.reports.statement.page:render",
    "csv": "detector.reports.statement.csv:render",
    "focus": "detector.reports.statement.focus:render",
    "json": "detector.reports.statement.json:render",
}
"""Format name to ``module:function``; imported only when asked for."""
FILES = {"html": "statement.html", "csv": "statement.csv", "focus": "focus.csv", "json": "statement.json"}
"""Format to the name of its file, in the order in which they are written."""


def render(statement: Statement, form: str) -> str:
    """A statement in a format; ``KeyError`` for a name that ``FORMATS`` does not have."""
    text: str = load_plug_in(FORMATS, form)(statement)
    return text

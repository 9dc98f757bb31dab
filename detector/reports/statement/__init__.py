"""The formats of a month's statement. All formats render the same ``Statement``, so their amounts agree."""

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
"""Format name to ``module:function``. A module is imported only when its format is needed."""
FILES = {"html": "statement.html", "csv": "statement.csv", "focus": "focus.csv", "json": "statement.json"}
"""Format name to file name, in the order in which the files are written."""


def render(statement: Statement, format_name: str) -> str:
    """Render a statement in a format. A name that ``FORMATS`` does not have raises KeyError."""
    text: str = load_plug_in(FORMATS, format_name)(statement)
    return text

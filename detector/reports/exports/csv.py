r"""The day's findings as ``report.csv``: a row a finding, for spreadsheets and for pandas.

A spreadsheet runs a cell that begins like a formula, and some split fields where they should not
(https://owasp.org/www-community/attacks/CSV_Injection). So text follows three rules, each of which
``text_of`` takes back:

1. What would break the line or cannot be seen is escaped as in JSON: ``\n``, ``\r``, ``\t``, ``\u202e``. A
   backslash is written twice, and a semicolon before the start of a formula as ``\u003b``.
2. A text that would begin with ``= + - @ | %``, or their full-width forms, gets an apostrophe in front; so does
   one that begins so after apostrophes or spaces, which makes it possible to tell whose apostrophe it is.
3. A text whose cell would be longer than 32,000 characters is cut after 2,500 and ends in an ellipsis: a
   spreadsheet would carry the rest into cells of its own. ``report.json`` has all of it.

Lists and maps are JSON in their cell, numbers are plain, and no value is an empty cell.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from detector.model.report import RunReport
from detector.reports import Reporter
from detector.reports.exports.json import escaped, finding_record

COLUMNS = (
    "finding_id", "episode", "type", "title", "status", "severity", "confidence", "key_id", "name", "environment",
    "team", "application", "day", "score", "observed", "expected", "low", "high", "reason", "first_seen",
    "last_seen", "days", "changes", "actions", "prevalence", "severity_reasons", "endpoints_usual",
    "endpoints_observed", "terms", "techniques", "acknowledged", "muted", "verdict",
)  # fmt: skip
LONGEST_CELL = 32_000
CUT_AT = 2_500
"""Characters kept of a text that is too long; written as escapes, up to twelve characters each, they still fit."""

_FORMULA = re.compile("['\\s]*[=+\\-@|%\uff1d\uff0b\uff0d\uff20]")
_SPLIT = re.compile(f';(?=["]*{_FORMULA.pattern})')


class CsvReporter(Reporter):
    """Writes ``report.csv``: the fields of a finding in ``report.json``, in the order of ``COLUMNS``."""

    filename = "report.csv"
    media_type = "text/csv; charset=utf-8"
    description = "for spreadsheets and pandas: one finding per row"

    def render(self, report: RunReport) -> str:
        """A line of names and one line a finding, resolved and muted ones included."""
        return table(COLUMNS, (finding_record(finding) for finding in report.findings))


def table(columns: Sequence[str], records: Iterable[Mapping[str, Any]]) -> str:
    """Records of plain JSON types as CSV; a column that a record lacks is a ``KeyError``."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for record in records:
        writer.writerow([cell(record[name]) for name in columns])
    return buffer.getvalue()


def cell(value: Any) -> Any:
    """A value as a cell: text by the rules above, a list or map as JSON, a number as it is, exact ones in full."""
    if isinstance(value, str):
        written = _text_cell(value)
        return written if len(written) <= LONGEST_CELL else _text_cell(value[:CUT_AT] + "…")
    if isinstance(value, list | dict):
        return _json_cell(value)
    return f"{value:f}" if isinstance(value, Decimal) else value


def text_of(cell: str) -> str:
    """The text that a cell was written from, cut or whole."""
    bare = cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
    text: str = json.loads('"' + bare.replace('"', '\\"') + '"')
    return text


def _text_cell(text: str) -> str:
    written = _unsplit(escaped(json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"')))
    return f"'{written}" if _FORMULA.match(written) else written


def _json_cell(value: Any) -> str:
    written = _unsplit(escaped(json.dumps(value, ensure_ascii=False, allow_nan=False)))
    if len(written) <= LONGEST_CELL:
        return written
    return json.dumps(f"{len(written)} characters, too long for a cell; report.json has them")


def _unsplit(text: str) -> str:
    """Where semicolons part fields, one before a formula must not stand: JSON can write it otherwise."""
    return _SPLIT.sub("\\\\u003b", text)

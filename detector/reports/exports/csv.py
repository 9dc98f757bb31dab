r"""The day's findings as ``report.csv``: one row per finding, for spreadsheets and for pandas.

A spreadsheet runs a cell that begins like a formula, and some spreadsheets split fields at semicolons
(https://owasp.org/www-community/attacks/CSV_Injection). So texts follow three rules. ``text_of`` reverses the
first two:

1. Line breaks and invisible characters are escaped as in JSON: ``\n``, ``\r``, ``\t``, ``\u202e``. A backslash is
   written twice. A semicolon before the start of a formula is written as ``\u003b``.
2. A text that begins with ``= + - @ | %``, or with their full-width forms, gets an apostrophe in front. The same
   holds for a text that begins with apostrophes or spaces and then one of these characters; otherwise a reader
   could not distinguish the added apostrophe from an apostrophe of the text.
3. A text whose cell is longer than 32,000 characters is cut after 2,500 characters and ends in an ellipsis,
   because a spreadsheet moves the rest of a longer cell to other cells. ``report.json`` has the whole text.

Lists and maps are JSON in their cell, numbers are plain, and a missing value is an empty cell.
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
"""The length of a text that is cut. An escape has up to twelve characters, so the cell still fits."""

_FORMULA = re.compile("['\\s]*[=+\\-@|%\uff1d\uff0b\uff0d\uff20]")
_SPLIT = re.compile(f';(?=["]*{_FORMULA.pattern})')


class CsvReporter(Reporter):
    """Writes ``report.csv``: the fields of a finding in ``report.json``, in the order of ``COLUMNS``."""

    filename = "report.csv"
    media_type = "text/csv; charset=utf-8"
    description = "for spreadsheets and pandas: one finding per row"

    def render(self, report: RunReport) -> str:
        """Write the column names and one row per finding, including resolved and muted findings."""
        return table(COLUMNS, (finding_record(finding) for finding in report.findings))


def table(columns: Sequence[str], records: Iterable[Mapping[str, Any]]) -> str:
    """Write records of plain JSON types as CSV. A record without one of the columns raises KeyError."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for record in records:
        writer.writerow([cell(record[name]) for name in columns])
    return buffer.getvalue()


def cell(value: Any) -> Any:
    """Convert a value to a cell: a text by the rules above, a list or map as JSON, a Decimal without exponent."""
    if isinstance(value, str):
        whole = _text_cell(value)
        return whole if len(whole) <= LONGEST_CELL else _text_cell(value[:CUT_AT] + "…")
    if isinstance(value, list | dict):
        return _json_cell(value)
    return f"{value:f}" if isinstance(value, Decimal) else value


def text_of(cell: str) -> str:
    """The original text of a cell; a text that was cut stays cut."""
    bare = cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
    text: str = json.loads('"' + bare.replace('"', '\\"') + '"')
    return text


def _text_cell(text: str) -> str:
    without_quotes = json.dumps(text, ensure_ascii=False)[1:-1]
    # CSV has its own rule for quotation marks, so the text needs no JSON escape for them.
    protected = _escape_semicolons(escaped(without_quotes.replace('\\"', '"')))
    return f"'{protected}" if _FORMULA.match(protected) else protected


def _json_cell(value: Any) -> str:
    text = _escape_semicolons(escaped(json.dumps(value, ensure_ascii=False, allow_nan=False)))
    if len(text) <= LONGEST_CELL:
        return text
    return json.dumps(f"{len(text)} characters, too long for a cell; report.json has them")


def _escape_semicolons(text: str) -> str:
    """Escape a semicolon before a formula, because some spreadsheets start a new cell at a semicolon."""
    return _SPLIT.sub("\\\\u003b", text)

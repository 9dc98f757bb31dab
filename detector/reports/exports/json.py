"""The day as ``report.json``: for a SIEM, for scripts, and for people who check a number.

The document follows ``schema/report-2.json``. Two runs on the same data differ only in ``report_id``,
``generated_at`` and ``run``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from functools import singledispatch
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from detector.boundary.instants import rfc_3339
from detector.boundary.text import UNSEEN
from detector.model.day import Day
from detector.model.finding import Finding
from detector.model.report import RunReport
from detector.model.usage import Accounting
from detector.reports import Reporter
from detector.usage.aggregation import by_key_answer

SCHEMA_ID = "urn:detector:report:2"
SCHEMA_VERSION = 2
SCHEMA_PATH = Path(__file__).parents[1] / "schema" / "report-2.json"


class JsonReporter(Reporter):
    """Writes ``report.json`` with one line per finding and key, so that ``diff`` and ``grep`` are useful."""

    filename = "report.json"
    media_type = "application/json"
    description = "everything, described by a published JSON Schema"

    def render(self, report: RunReport) -> str:
        """Render the document as strict JSON that is safe to print.

        Characters that control a terminal or change the direction of text are written as ``\\u`` escapes, which
        keeps the value. Half a surrogate pair has no valid JSON form and becomes U+FFFD.
        """
        return escaped(_spread(document(report), depth=2)) + "\n"


def document(report: RunReport) -> dict[str, Any]:
    """The report as plain JSON types, in the order of the schema."""
    return {
        "$schema": SCHEMA_ID,
        "schema_version": SCHEMA_VERSION,
        "report_id": plain(report.run.get("run_id")),
        "generated_at": plain(report.generated_at),
        "tool": {"name": "detector", "version": tool_version()},
        "run": plain(report.run),
        "window": _window(report.day),
        "sources": plain(report.sources),
        "coverage": plain(report.coverage),
        "summary": plain(report.summary),
        "findings": [finding_record(finding) for finding in report.findings],
        "mutes": plain(report.mutes),
        "usage": by_key_answer(report.usage),
    }


def finding_record(finding: Finding) -> dict[str, Any]:
    """One finding as plain JSON types, as in ``report.json`` and in a backtest's ``findings.ndjson``."""
    return _fields(finding)


def line(record: Mapping[str, Any]) -> str:
    """Write plain JSON types as strict JSON on one line; line breaks in texts are escaped."""
    return escaped(_compact(record))


def escaped(text: str) -> str:
    """Escape the invisible characters of JSON text as ``\\u``; half a surrogate pair becomes U+FFFD."""
    return UNSEEN.sub(_escape, text)


def tool_version() -> str:
    """The installed version; ``unknown`` if the package is not installed."""
    try:
        return metadata.version("key-usage-detector")
    except metadata.PackageNotFoundError:
        return "unknown"


@singledispatch
def plain(value: object) -> Any:
    """Convert a value of the model to plain JSON types. An unknown type raises TypeError.

    Instants become RFC 3339 in UTC, numbers that are not finite become null, and mappings are sorted by key.
    """
    if value is None or value is pd.NA:
        return None
    if is_dataclass(value):
        return _fields(value)
    raise TypeError(f"a report cannot hold the type {type(value).__name__}")


plain.register(bool, bool)
plain.register(int, int)
plain.register(np.bool_, bool)
plain.register(np.integer, int)


@plain.register(str)
def _text(value: str) -> str:
    return str(value)


@plain.register(float)
@plain.register(np.floating)
def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


@plain.register(datetime)
def _instant(value: datetime) -> str | None:
    return None if pd.isna(value) else rfc_3339(value)


@plain.register(date)
def _day(value: date) -> str:
    return value.isoformat()


@plain.register(Mapping)
def _mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): plain(value[name]) for name in sorted(value, key=str)}


@plain.register(Accounting)
def _accounting(value: Accounting) -> dict[str, Any]:
    return {"read": value.read, **_fields(value)}


@plain.register(list)
@plain.register(tuple)
def _list(value: list[Any] | tuple[Any, ...]) -> list[Any]:
    return [plain(item) for item in value]


def _fields(record: Any) -> dict[str, Any]:
    return {field.name: plain(getattr(record, field.name)) for field in fields(record)}


def _window(day: Day) -> dict[str, Any]:
    return {
        "day": plain(day.date),
        "start": plain(day.start),
        "end": plain(day.end),
        "timezone": day.timezone.key,
    }


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(", ", ": "))


def _spread(value: Any, depth: int, pad: str = "") -> str:
    """Write JSON with ``depth`` levels of objects over several lines, and each list item on one line.

    ``json.dumps(indent=2)`` uses the slow pure-Python encoder and writes each number on a line.
    """
    if not value or depth == 0 or not isinstance(value, dict | list):
        return _compact(value)
    inner = pad + "  "
    if isinstance(value, list):
        return "[\n" + ",\n".join(inner + _compact(item) for item in value) + f"\n{pad}]"
    lines = [f"{inner}{_compact(name)}: {_spread(item, depth - 1, inner)}" for name, item in value.items()]
    return "{\n" + ",\n".join(lines) + f"\n{pad}}}"


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if 0xD800 <= ord(character) <= 0xDFFF:  # half of a surrogate pair
        return "\ufffd"
    return json.dumps(character)[1:-1]

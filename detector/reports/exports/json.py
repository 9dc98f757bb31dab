"""The day as ``report.json``: for a SIEM, a script, or whoever wants to check a number.

The document follows ``schema/report-2.json``. Two runs on the same data differ in ``report_id``,
``generated_at`` and ``run`` alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from functools import singledispatch
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from detector.boundary.text import UNSEEN
from detector.model.day import Day
from detector.model.finding import Finding
from detector.model.report import RunReport
from detector.reports import Reporter
from detector.usage.aggregation import by_key_answer

SCHEMA_ID = "urn:detector:report:2"
SCHEMA_VERSION = 2
SCHEMA_PATH = Path(__file__).parents[1] / "schema" / "report-2.json"


class JsonReporter(Reporter):
    """Writes ``report.json``, one finding and one key a line, so that ``diff`` and ``grep`` serve too."""

    filename = "report.json"
    media_type = "application/json"
    description = "everything, described by a published JSON Schema"

    def render(self, report: RunReport) -> str:
        """The document as strict JSON text that can be printed anywhere.

        Characters that steer a terminal or turn text around are written as ``\\u`` escapes: the value
        stays, the effect is gone. Half a surrogate pair has no JSON form and becomes U+FFFD.
        """
        return escaped(_spread(document(report), depth=2)) + "\n"


def document(report: RunReport) -> dict[str, Any]:
    """The report as plain JSON types, in the order a reader wants them."""
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
    """One finding, flat: the shape it has in ``report.json`` and in a backtest's ``findings.ndjson``."""
    return _fields(finding)


def line(record: Mapping[str, Any]) -> str:
    """Plain JSON types as strict JSON on one line, whatever its texts hold."""
    return escaped(_compact(record))


def escaped(text: str) -> str:
    """JSON text with what cannot be seen written as ``\\u`` escapes; half a surrogate pair becomes U+FFFD."""
    return UNSEEN.sub(_escape, text)


def tool_version() -> str:
    """The installed version, or ``unknown`` where the program runs from a bare folder."""
    try:
        return metadata.version("key-usage-detector")
    except metadata.PackageNotFoundError:
        return "unknown"


@singledispatch
def plain(value: object) -> Any:
    """A value of the model as JSON has it; a type that was not thought of is a ``TypeError``.

    Instants become RFC 3339 in UTC, numbers that are not finite become null, mappings are sorted.
    """
    if value is None or value is pd.NA:
        return None
    if is_dataclass(value):
        return _fields(value)
    raise TypeError(f"{type(value).__name__} has no place in a report")


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
    """RFC 3339 with ``Z``; a time without a zone is UTC."""
    if pd.isna(value):
        return None
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


@plain.register(date)
def _day(value: date) -> str:
    return value.isoformat()


@plain.register(Mapping)
def _mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): plain(value[name]) for name in sorted(value, key=str)}


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
    """JSON text with ``depth`` levels of objects spread over lines and every list item on one line.

    ``json.dumps(indent=2)`` would be the slow pure-Python encoder and a line for every number.
    """
    if not value or depth == 0 or not isinstance(value, dict | list):
        return _compact(value)
    inner = pad + "  "
    if isinstance(value, list):
        return "[\n" + ",\n".join(inner + _compact(item) for item in value) + f"\n{pad}]"
    lines = (f"{inner}{_compact(name)}: {_spread(item, depth - 1, inner)}" for name, item in value.items())
    return "{\n" + ",\n".join(lines) + f"\n{pad}}}"


def _escape(found: Any) -> str:
    code = ord(found[0])
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return json.dumps(found[0])[1:-1]

"""``index.html``: the days of the report folder on one page, newest first, with a trend.

It is made from ``days.ndjson`` beside it, a short record of each day, so that a year of days is read in a
moment. A day without a record, from before there were any, is taken from its ``report.json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

from detector.boundary.disk import write_atomically
from detector.config.plugins import REPORTERS
from detector.model.finding import Severity, Status
from detector.model.report import RunReport
from detector.reports import reporter
from detector.reports.exports.json import line, plain
from detector.reports.page import trend
from detector.reports.page.assets import assets, environment
from detector.reports.statement import statement_format

RECORDS = "days.ndjson"
FORMER_RECORDS = "nights.ndjson"
"""What version 1 called them, with ``night`` in the place of ``day``."""
MOST_DAYS = 400
"""Days that the page lists; those before are counted, and stay in their folders."""
VISIBLE_DAYS = 31


@dataclass(frozen=True)
class DayRecord:
    """What the page says of one day. ``outcome`` is findings, clear or not_judged."""

    day: date
    organization: str | None
    outcome: str
    verdict: str
    complete: bool
    keys_judged: int
    keys_active: int
    by_severity: Mapping[str, int]
    muted: int
    resolved: int


@dataclass(frozen=True)
class Listed:
    """A day in the list: its record, its findings worst first, and the files that there are."""

    record: DayRecord
    counts: list[tuple[str, int]]
    page: str | None
    files: list[tuple[str, str]]


def update(directory: Path, report: RunReport) -> Path:
    """Put a day's record among the others and write the page anew; both whole or not at all."""
    return refresh(directory, record_of(report))


def refresh(directory: Path, *new: DayRecord) -> Path:
    """Write the page anew from what lies in the folder, and new records of days."""
    known = {record.day: record for record in (*_stored(directory), *new)}
    records = [record for day in _folders(directory) if (record := known.get(day) or _from_report(directory, day))]
    write_atomically(directory / RECORDS, "".join(f"{line(plain(record))}\n" for record in records).encode())
    (directory / FORMER_RECORDS).unlink(missing_ok=True)
    path = directory / "index.html"
    write_atomically(path, render(records, directory).encode())
    return path


def record_of(report: RunReport) -> DayRecord:
    """What the page needs to know of a report."""
    summary, coverage = report.summary, report.coverage
    return DayRecord(
        day=report.day.date,
        organization=report.organization,
        outcome=summary.outcome,
        verdict=summary.verdict,
        complete=coverage.complete,
        keys_judged=coverage.keys_judged,
        keys_active=coverage.keys_active,
        by_severity=summary.by_severity,
        muted=summary.by_status.get(Status.MUTED, 0),
        resolved=summary.resolved,
    )


def render(records: Sequence[DayRecord], directory: Path) -> str:
    """The page over days in ascending order; links are made to the files that the folder holds."""
    latest = records[-MOST_DAYS:]
    days = [_listed(record, directory) for record in reversed(latest)]
    context = {
        **assets(),
        "organization": records[-1].organization if records else None,
        "days": days,
        "visible": VISIBLE_DAYS,
        "older": len(records) - len(latest),
        "statements": list(_statements(directory)),
        "trend": trend.chart([(each.day, each.outcome, each.by_severity) for each in latest]),
    }
    return environment().get_template("index.html.j2").render(page=context)


def _listed(record: DayRecord, directory: Path) -> Listed:
    counts = [
        (word.value, record.by_severity[word]) for word in reversed(Severity) if record.by_severity.get(word)
    ]
    page = None
    files = []
    for name in REPORTERS:
        made = reporter(name)
        path = Path(record.day.isoformat()) / made.filename
        if not (directory / path).is_file():
            continue
        if page is None and made.is_page:
            page = path.as_posix()
        else:
            files.append((name, path.as_posix()))
    return Listed(record, counts, page, files)


def _statements(directory: Path) -> Iterator[tuple[str, str]]:
    """The months that have a statement, newest first: what each is called, and its path."""
    for path in sorted(directory.glob(f"chargeback/????-??/{statement_format('html').filename}"), reverse=True):
        yield path.parent.name, path.relative_to(directory).as_posix()


def _folders(directory: Path) -> list[date]:
    """The days that have a folder, in order."""
    days = []
    for folder in directory.glob("????-??-??"):
        try:
            days.append(date.fromisoformat(folder.name))
        except ValueError:
            continue  # somebody else's folder
    return sorted(days)


def _stored(directory: Path) -> list[DayRecord]:
    path = directory / RECORDS
    if not path.exists():
        path = directory / FORMER_RECORDS
    if not path.exists():
        return []
    return [record for text in path.read_bytes().splitlines() if (record := _readable(text))]


def _readable(text: bytes) -> DayRecord | None:
    """The record of a line; none of a damaged one, whose day is then taken from its report."""
    try:
        values = json.loads(text)
        return _record({"day": values.get("night"), **values})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _from_report(directory: Path, day: date) -> DayRecord | None:
    """A day's record from its ``report.json``; none where that format was not written."""
    path = directory / day.isoformat() / reporter("json").filename
    if not path.is_file():
        return None
    document = json.loads(path.read_text(encoding="utf-8"))
    coverage, summary = document["coverage"], document["summary"]
    both = {**coverage, **summary, "day": day.isoformat(), "organization": None}
    return _record({**both, "muted": summary["by_status"].get(Status.MUTED, 0)})


def _record(values: Mapping[str, Any]) -> DayRecord:
    """A record from plain JSON types."""
    own = {field.name: values[field.name] for field in fields(DayRecord)}
    return DayRecord(**{**own, "day": date.fromisoformat(own["day"])})

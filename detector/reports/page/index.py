"""``index.html``: the days of the report folder on one page, newest first, with a trend.

The page is built from ``days.ndjson`` in the same folder, which has one short record per day, so that a year of
days is read quickly. If a day has no record, its record is built from its ``report.json``.
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
from detector.model.report import Outcome, RunReport
from detector.reports import reporter
from detector.reports.exports.json import line, plain
from detector.reports.folders import day_folders
from detector.reports.page import trend
from detector.reports.page.assets import assets, environment
from detector.reports.statement import statement_format

RECORDS = "days.ndjson"
FORMER_RECORDS = "nights.ndjson"
"""The file name in version 1, whose records have the field ``night`` in place of ``day``."""
FORMER_OUTCOMES = {"not_judged": Outcome.COULD_NOT_JUDGE}
"""The words for outcomes in reports of version 1, and their words since."""
MOST_DAYS = 400
"""The page lists this many days. It only counts the older days, which stay in their folders."""
VISIBLE_DAYS = 31


@dataclass(frozen=True)
class DayRecord:
    """The facts of one day on the page."""

    day: date
    organization: str | None
    outcome: Outcome
    verdict: str
    complete: bool
    keys_judged: int
    keys_active: int
    by_severity: Mapping[str, int]
    muted: int
    resolved: int


@dataclass(frozen=True)
class DayEntry:
    """A day in the list: its record, its findings by severity (most severe first), and its existing files."""

    record: DayRecord
    counts: list[tuple[str, int]]
    page: str | None
    files: list[tuple[str, str]]


def update(directory: Path, report: RunReport, *, shared: bool = False) -> Path:
    """Add or replace the record of the report's day and rewrite the page. Return the path of the page."""
    return refresh(directory, record_of(report), shared=shared)


def refresh(directory: Path, *new: DayRecord, shared: bool = False) -> Path:
    """Rewrite the records and the page from the files in the folder and from new records.

    Both files are replaced atomically. Other users may read them if they are ``shared``. Return the path of the
    page.
    """
    known = {record.day: record for record in (*_stored_records(directory), *new)}
    records = []
    for day in day_folders(directory):
        record = known.get(day) or _record_from_report(directory, day)
        if record is not None:
            records.append(record)
    lines = "".join(f"{line(plain(record))}\n" for record in records)
    write_atomically(directory / RECORDS, lines.encode(), shared=shared)
    (directory / FORMER_RECORDS).unlink(missing_ok=True)
    path = directory / "index.html"
    write_atomically(path, render(records, directory).encode(), shared=shared)
    return path


def record_of(report: RunReport) -> DayRecord:
    """The record of a report's day."""
    summary = report.summary
    coverage = report.coverage
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
    """Render the page of days in ascending order, with links to the files in the folder."""
    latest = records[-MOST_DAYS:]
    days = [_day_entry(record, directory) for record in reversed(latest)]
    context = {
        **assets(),
        "organization": records[-1].organization if records else None,
        "days": days,
        "visible": VISIBLE_DAYS,
        "older": len(records) - len(latest),
        "statements": list(_statements(directory)),
        "trend": trend.chart([(record.day, record.outcome, record.by_severity) for record in latest]),
    }
    return environment().get_template("index.html.j2").render(page=context)


def _day_entry(record: DayRecord, directory: Path) -> DayEntry:
    by_severity = record.by_severity
    counts = [(word.value, by_severity[word]) for word in reversed(Severity) if by_severity.get(word)]
    page = None
    files = []
    for name in REPORTERS:
        report_format = reporter(name)
        path = Path(record.day.isoformat()) / report_format.filename
        if not (directory / path).is_file():
            continue
        if page is None and report_format.is_page:
            page = path.as_posix()
        else:
            files.append((name, path.as_posix()))
    return DayEntry(record, counts, page, files)


def _statements(directory: Path) -> Iterator[tuple[str, str]]:
    """The months that have a statement, newest first: the month and the path from the index."""
    for path in sorted(directory.glob(f"chargeback/????-??/{statement_format('html').filename}"), reverse=True):
        yield path.parent.name, path.relative_to(directory).as_posix()


def _stored_records(directory: Path) -> list[DayRecord]:
    path = directory / RECORDS
    if not path.exists():
        path = directory / FORMER_RECORDS
    if not path.exists():
        return []
    records = [_parse_record(text) for text in path.read_bytes().splitlines()]
    return [record for record in records if record is not None]


def _parse_record(text: bytes) -> DayRecord | None:
    """Parse a line; None if the line is damaged, and then the record is built from the day's report."""
    try:
        values = json.loads(text)
        return _record({"day": values.get("night"), **values})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _record_from_report(directory: Path, day: date) -> DayRecord | None:
    """Build a day's record from its ``report.json``; None if that file does not exist."""
    path = directory / day.isoformat() / reporter("json").filename
    if not path.is_file():
        return None
    document = json.loads(path.read_text(encoding="utf-8"))
    summary = document["summary"]
    values = {**document["coverage"], **summary, "day": day.isoformat(), "organization": None}
    return _record({**values, "muted": summary["by_status"].get(Status.MUTED, 0)})


def _record(values: Mapping[str, Any]) -> DayRecord:
    """Build a record from plain JSON types; fields that a record does not have are ignored."""
    selected = {field.name: values[field.name] for field in fields(DayRecord)}
    outcome = Outcome(FORMER_OUTCOMES.get(selected["outcome"], selected["outcome"]))
    return DayRecord(**{**selected, "day": date.fromisoformat(selected["day"]), "outcome": outcome})

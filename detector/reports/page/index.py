"""``index.html``: the nights of the report folder on one page, newest first, with a trend.

It is made from ``nights.ndjson`` beside it, a short record of each night, so that a year of nights is read in a
moment. A night without a record, from before there were any, is taken from its ``report.json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

from detector.boundary.disk import write_atomically
from detector.model.finding import Severity, Status
from detector.model.report import RunReport
from detector.reports import REPORTERS, reporter
from detector.reports.exports.json import line, plain
from detector.reports.page import trend
from detector.reports.page.assets import assets, environment

RECORDS = "nights.ndjson"
MOST_NIGHTS = 400
"""Nights that the page lists; those before are counted, and stay in their folders."""
VISIBLE_NIGHTS = 31


@dataclass(frozen=True)
class NightRecord:
    """What the page says of one night. ``outcome`` is findings, clear or not_judged."""

    night: date
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
    """A night in the list: its record, its findings worst first, and the files that there are."""

    record: NightRecord
    counts: list[tuple[str, int]]
    page: str | None
    files: list[tuple[str, str]]


def update(directory: Path, report: RunReport) -> Path:
    """Put a night's record among the others and write the page anew; both whole or not at all."""
    return refresh(directory, record_of(report))


def refresh(directory: Path, *new: NightRecord) -> Path:
    """Write the page anew from what lies in the folder, and new records of nights."""
    known = {record.night: record for record in (*_stored(directory), *new)}
    records = [
        record for night in _folders(directory) if (record := known.get(night) or _from_report(directory, night))
    ]
    write_atomically(directory / RECORDS, "".join(f"{line(plain(record))}\n" for record in records).encode())
    path = directory / "index.html"
    write_atomically(path, render(records, directory).encode())
    return path


def record_of(report: RunReport) -> NightRecord:
    """What the page needs to know of a report."""
    summary, coverage = report.summary, report.coverage
    return NightRecord(
        night=report.night.day,
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


def render(records: Sequence[NightRecord], directory: Path) -> str:
    """The page over nights in ascending order; links are made to the files that the folder holds."""
    latest = records[-MOST_NIGHTS:]
    nights = [_listed(record, directory) for record in reversed(latest)]
    context = {
        **assets(),
        "organization": records[-1].organization if records else None,
        "nights": nights,
        "visible": VISIBLE_NIGHTS,
        "older": len(records) - len(latest),
        "statements": list(_statements(directory)),
        "trend": trend.chart([(each.night, each.outcome, each.by_severity) for each in latest]),
    }
    return environment().get_template("index.html.j2").render(page=context)


def _listed(record: NightRecord, directory: Path) -> Listed:
    counts = [
        (word.value, record.by_severity[word]) for word in reversed(Severity) if record.by_severity.get(word)
    ]
    files = list(_files(directory, record.night))
    page = next((path for name, path in files if name == "html"), None)
    return Listed(record, counts, page, [file for file in files if file[0] != "html"])


def _files(directory: Path, night: date) -> Iterator[tuple[str, str]]:
    """The formats that a night was written in, each with its path from the index."""
    for name in REPORTERS:
        path = Path(night.isoformat()) / reporter(name).filename
        if (directory / path).is_file():
            yield name, path.as_posix()


def _statements(directory: Path) -> Iterator[tuple[str, str]]:
    """The months that have a statement, newest first: what each is called, and its path."""
    for path in sorted(directory.glob("chargeback/????-??/statement.html"), reverse=True):
        yield path.parent.name, path.relative_to(directory).as_posix()


def _folders(directory: Path) -> list[date]:
    """The nights that have a folder, in order."""
    nights = []
    for folder in directory.glob("????-??-??"):
        try:
            nights.append(date.fromisoformat(folder.name))
        except ValueError:
            continue  # somebody else's folder
    return sorted(nights)


def _stored(directory: Path) -> list[NightRecord]:
    path = directory / RECORDS
    if not path.exists():
        return []
    return [record for text in path.read_bytes().splitlines() if (record := _readable(text))]


def _readable(text: bytes) -> NightRecord | None:
    """The record of a line; none of a damaged one, whose night is then taken from its report."""
    try:
        return _record(json.loads(text))
    except (ValueError, KeyError, TypeError):
        return None


def _from_report(directory: Path, night: date) -> NightRecord | None:
    """A night's record from its ``report.json``; none where that format was not written."""
    path = directory / night.isoformat() / reporter("json").filename
    if not path.is_file():
        return None
    document = json.loads(path.read_text(encoding="utf-8"))
    coverage, summary = document["coverage"], document["summary"]
    both = {**coverage, **summary, "night": document["window"]["night"], "organization": None}
    return _record({**both, "muted": summary["by_status"].get(Status.MUTED, 0)})


def _record(values: Mapping[str, Any]) -> NightRecord:
    """A record from plain JSON types."""
    own = {field.name: values[field.name] for field in fields(NightRecord)}
    return NightRecord(**{**own, "night": date.fromisoformat(own["night"])})

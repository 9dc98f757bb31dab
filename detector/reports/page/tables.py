"""The tables of the page: usage by key, unused keys, and requests by deployment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from detector.boundary.text import visible
from detector.boundary.words import long_day
from detector.judging.finding_types import finding_type
from detector.model.day import Day
from detector.model.finding import Finding, Severity, Status
from detector.model.report import Outcome, RunReport
from detector.reports.page import charts
from detector.reports.page.cards import data_block
from detector.reports.page.formatting import instant_in, local_time, silence, text_in
from detector.reports.page.series import key_series
from detector.usage.aggregation import local_days, map_of

TABLE_ROWS = 300
"""This many rows of the by-key table are markup, and all rows of keys with a finding."""
LISTED_ROWS = 10_000
"""The script can show this many rows. The page counts the others, and ``report.json`` has them."""
VISIBLE_ROWS = 25
DRAWN_ROWS = 200
"""This many rows have a drawing of their days."""
UNUSED_ROWS = 100
DEPLOYMENTS = 20


@dataclass(frozen=True)
class Tag:
    """A word in the table that links to a finding."""

    word: str
    severity: str
    finding_id: str


@dataclass(frozen=True)
class Row:
    """One key of the by-key table. ``used`` sorts by the last use, ``last`` is the text of the last use."""

    key_id: str
    name: str
    environment: str
    team: str
    requests: int
    errors: str
    error_share: float
    last: str
    used: int
    silent: str
    tags: list[Tag]
    spark: Markup
    severity: str


def usage_table(report: RunReport) -> dict[str, Any]:
    """The rows to show first, the rows to show on demand, the rows for the script, and the numbers of rows."""
    tags = _tags(report.findings)
    has_finding = report.usage["key_id"].isin(list(tags)).to_numpy()
    # A finding links to the row of its key, so these keys have a row at any rank.
    chosen = has_finding | (np.arange(len(report.usage)) < TABLE_ROWS)
    positions = {key_id: position for position, key_id in enumerate(report.trends.key_ids)}
    rows: list[Row] = []
    for record in report.usage[chosen].to_dict("records"):
        key_id = record["key_id"]
        position = positions.get(key_id) if len(rows) < DRAWN_ROWS else None
        rows.append(_row(report, record, tags.get(key_id, []), position))
    rest = report.usage[~chosen].iloc[: LISTED_ROWS - len(rows)]
    return {
        "first": rows[:VISIBLE_ROWS],
        "more": rows[VISIBLE_ROWS:],
        "rest": _script_rows(report, rest),
        "rest_rows": len(rest),
        "days": len(report.trends.days),
        "left_out": len(report.usage) - len(rows) - len(rest),
        "total": len(report.usage),
        "silent": int((report.usage["request_count"] == 0).sum()),
    }


def has_data(report: RunReport) -> bool:
    """Whether the evaluated day has data. Without data, zero requests do not mean that a key is silent."""
    return report.summary.outcome is not Outcome.COULD_NOT_JUDGE and not report.trends.missing[-1:].any()


def unused_keys(report: RunReport) -> dict[str, Any]:
    """The active keys without requests on the evaluated day: never used keys, then by length of silence."""
    unused = report.usage[report.usage["request_count"] == 0]
    unused = unused.sort_values(["last_activity", "key_id"], na_position="first")
    rows = [_unused_row(record, report.day) for record in unused.head(UNUSED_ROWS).to_dict("records")]
    never = int(unused["last_activity"].isna().sum())
    ages = _silence_counts(unused["last_activity"], report.day)
    return {"rows": rows, "total": len(unused), "never": never, "ages": ages}


def deployments(report: RunReport) -> list[tuple[str, list[int]]]:
    """Requests by deployment, from live, test and other keys; the deployments with most requests."""
    requests: dict[str, list[int]] = {}
    columns = {"live": 0, "test": 1}
    for environment, cell in zip(report.usage["environment"], report.usage["deployments"], strict=True):
        column = columns.get(text_in(environment), 2)
        for deployment, count in map_of(cell).items():
            requests.setdefault(deployment, [0, 0, 0])[column] += count
    return sorted(requests.items(), key=lambda item: (-sum(item[1]), item[0]))[:DEPLOYMENTS]


def _tags(findings: Iterable[Finding]) -> dict[str, list[Tag]]:
    tags: dict[str, list[Tag]] = {}
    for finding in findings:
        if finding.key_id is not None and finding.status not in (Status.RESOLVED, Status.MUTED):
            new = Tag(finding_type(finding.type).tag, str(finding.severity), finding.finding_id)
            tags.setdefault(finding.key_id, []).append(new)
    return tags


def _row(report: RunReport, record: Mapping[Any, Any], tags: list[Tag], position: int | None) -> Row:
    """Build a row. ``position`` is the key's position in the trends; None leaves out the drawing of its days."""
    requests = int(record["request_count"])
    used = instant_in(record["last_activity"])
    share = int(record["error_count"]) / requests if requests else 0.0
    spark = Markup("")
    if position is not None:
        spark = charts.sparkline(key_series(report, position))
    return Row(
        key_id=str(record["key_id"]),
        name=text_in(record["name"]) or str(record["key_id"]),
        environment=text_in(record["environment"]) or "unknown",
        team=text_in(record["team"]),
        requests=requests,
        errors=f"{share:.1%}" if requests else "–",
        error_share=round(share, 4),
        last=local_time(used, report.day) if used else "never",
        used=_sortable(used, report.day),
        silent="" if requests or not has_data(report) else silence(used, report.day),
        tags=tags,
        spark=spark,
        severity=_worst(tags),
    )


def _worst(tags: Sequence[Tag]) -> str:
    return max((tag.severity for tag in tags), key=lambda word: Severity(word).rank, default="")


def _script_rows(report: RunReport, usage: pd.DataFrame) -> Markup:
    """The rows for the script: name, id, team, environment, requests, errors, last use and the text of a silence.

    Team and environment are positions in a list of words, because thousands of keys share a few words. The last
    use is a number as in ``_sortable``. Only silent keys have the text of a silence.
    """
    words: dict[str, int] = {}
    rows = [list(_cells(report, record, words)) for record in usage.to_dict("records")]
    return data_block({"words": list(words), "rows": rows})


def _cells(report: RunReport, record: Mapping[Any, Any], words: dict[str, int]) -> Iterator[str | int]:
    row = _row(report, record, [], None)
    yield visible(row.name)
    yield visible(row.key_id)
    yield words.setdefault(visible(row.team), len(words))
    yield words.setdefault(visible(row.environment), len(words))
    yield row.requests
    yield int(record["error_count"])
    yield row.used
    if row.silent:
        yield row.silent


def _sortable(used: datetime | None, day: Day) -> int:
    """Local time as the number YYYYMMDDHHMM; 0 if the key was never used."""
    return int(f"{used.astimezone(day.timezone):%Y%m%d%H%M}") if used else 0


def _unused_row(record: Mapping[Any, Any], day: Day) -> dict[str, str]:
    used = instant_in(record["last_activity"])
    created = instant_in(record["created_at"])
    return {
        "key_id": str(record["key_id"]),
        "name": text_in(record["name"]) or str(record["key_id"]),
        "environment": text_in(record["environment"]) or "unknown",
        "team": text_in(record["team"]),
        "silent": silence(used, day),
        "last": _day(used, day),
        "created": _day(created, day),
    }


def _day(instant: datetime | None, day: Day) -> str:
    return long_day(instant.astimezone(day.timezone).date()) if instant else "–"


def _silence_counts(instants: pd.Series, day: Day) -> list[tuple[str, int]]:
    """The number of keys by the length of their silence.

    The steps only help the reader; the detector of dormant keys has its own limit.
    """
    days = local_days(instants.dropna(), day)
    silent = (np.datetime64(day.date) - days).astype(int)
    steps = [
        ("a week or less", int((silent <= 7).sum())),
        ("8 to 30 days", int(((silent > 7) & (silent <= 30)).sum())),
        ("more than 30 days", int((silent > 30).sum())),
    ]
    return [(words, count) for words, count in steps if count]

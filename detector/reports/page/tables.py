"""The tables of the page: usage by key, unused keys, and where requests were seen."""

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
from detector.model.day import Day
from detector.model.finding import Finding, Severity, Status
from detector.model.report import RunReport
from detector.reports.kinds import tag
from detector.reports.page import charts
from detector.reports.page.cards import data_block
from detector.reports.page.moments import instant_in, moment, silence, text_in
from detector.reports.page.series import key_series
from detector.usage.aggregation import local_days, map_of

TABLE_ROWS = 300
"""Rows of the by-key table that are markup, beside those with a finding."""
LISTED_ROWS = 10_000
"""Rows that the script can show; what is beyond is counted on the page and stands in ``report.json``."""
VISIBLE_ROWS = 25
DRAWN_ROWS = 200
"""Rows with a drawing of their days."""
UNUSED_ROWS = 100
DEPLOYMENTS = 20


@dataclass(frozen=True)
class Tag:
    """A word in the table that leads to the finding it stands for."""

    word: str
    severity: str
    finding_id: str


@dataclass(frozen=True)
class Row:
    """One key of the by-key table. ``used`` is the last use to sort by, ``last`` the words for it."""

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
    """The rows to show, those to disclose, those for the script, and the number of those only counted."""
    tags = _tags(report.findings)
    owns, order = report.usage["key_id"].isin(list(tags)).to_numpy(), np.arange(len(report.usage))
    chosen = owns | (order < TABLE_ROWS)
    positions = {key_id: i for i, key_id in enumerate(report.trends.key_ids)}
    rows = [
        _row(
            report,
            record,
            tags.get(record["key_id"], []),
            positions.get(record["key_id"]) if i < DRAWN_ROWS else None,
        )
        for i, record in enumerate(report.usage[chosen].to_dict("records"))
    ]
    rest = report.usage[~chosen].iloc[: LISTED_ROWS - len(rows)]
    return {
        "first": rows[:VISIBLE_ROWS],
        "more": rows[VISIBLE_ROWS:],
        "rest": _listed(report, rest),
        "rest_rows": len(rest),
        "days": len(report.trends.days),
        "left_out": len(report.usage) - len(rows) - len(rest),
        "total": len(report.usage),
        "silent": int((report.usage["request_count"] == 0).sum()),
    }


def day_was_seen(report: RunReport) -> bool:
    """Whether the day was seen at all: if not, no requests means no knowledge, not silence."""
    return report.summary.outcome != "not_judged" and not report.trends.missing[-1:].any()


def unused_keys(report: RunReport) -> dict[str, Any]:
    """The active keys without a request that day, the longest silence first, never seen ones before all."""
    quiet = report.usage[report.usage["request_count"] == 0]
    quiet = quiet.sort_values(["last_activity", "key_id"], na_position="first")
    rows = [_unused_row(record, report.day) for record in quiet.head(UNUSED_ROWS).to_dict("records")]
    never = int(quiet["last_activity"].isna().sum())
    ages = _ages(quiet["last_activity"], report.day)
    return {"rows": rows, "total": len(quiet), "never": never, "ages": ages}


def deployments(report: RunReport) -> list[tuple[str, list[int]]]:
    """Requests by deployment from live, test and other keys: what the policy was held against."""
    seen: dict[str, list[int]] = {}
    columns = {"live": 0, "test": 1}
    for environment, cell in zip(report.usage["environment"], report.usage["deployments"], strict=True):
        for deployment, count in map_of(cell).items():
            seen.setdefault(deployment, [0, 0, 0])[columns.get(text_in(environment), 2)] += count
    return sorted(seen.items(), key=lambda item: (-sum(item[1]), item[0]))[:DEPLOYMENTS]


def _tags(findings: Iterable[Finding]) -> dict[str, list[Tag]]:
    tags: dict[str, list[Tag]] = {}
    for finding in findings:
        if finding.key_id is not None and finding.status not in (Status.RESOLVED, Status.MUTED):
            own = Tag(tag(finding.type), str(finding.severity), finding.finding_id)
            tags.setdefault(finding.key_id, []).append(own)
    return tags


def _row(report: RunReport, record: Mapping[Any, Any], own: list[Tag], drawn_at: int | None) -> Row:
    """A row; the key's days are drawn where its position in the trends is given."""
    requests, used = int(record["request_count"]), instant_in(record["last_activity"])
    share = int(record["error_count"]) / requests if requests else 0.0
    return Row(
        key_id=str(record["key_id"]),
        name=text_in(record["name"]) or str(record["key_id"]),
        environment=text_in(record["environment"]) or "unknown",
        team=text_in(record["team"]),
        requests=requests,
        errors=f"{share:.1%}" if requests else "–",
        error_share=round(share, 4),
        last=moment(used, report.day) if used else "never",
        used=_sortable(used, report.day),
        silent="" if requests or not day_was_seen(report) else silence(used, report.day),
        tags=own,
        spark=Markup("") if drawn_at is None else charts.sparkline(key_series(report, drawn_at)),
        severity=_worst(own),
    )


def _worst(tags: Sequence[Tag]) -> str:
    return max((tag.severity for tag in tags), key=lambda word: Severity(word).rank, default="")


def _listed(report: RunReport, usage: pd.DataFrame) -> Markup:
    """Rows for the script: name, id, team, environment, requests, errors, last use and, where silent, how long.

    Team and environment are numbers into a list of words, as thousands of keys share a few; the last use is
    local time as the number YYYYMMDDHHMM, 0 where there is none.
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
    """Local time as the number YYYYMMDDHHMM; 0 for never."""
    return int(f"{used.astimezone(day.timezone):%Y%m%d%H%M}") if used else 0


def _unused_row(record: Mapping[Any, Any], day: Day) -> dict[str, str]:
    used, created = instant_in(record["last_activity"]), instant_in(record["created_at"])
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


def _ages(instants: pd.Series, day: Day) -> list[tuple[str, int]]:
    """How many keys have been silent for how long; the steps are for reading, not the rule's."""
    days = local_days(instants.dropna(), day)
    silent = (np.datetime64(day.date) - days).astype(int)
    steps = [
        ("a week or less", int((silent <= 7).sum())),
        ("8 to 30 days", int(((silent > 7) & (silent <= 30)).sum())),
        ("more than 30 days", int((silent > 30).sum())),
    ]
    return [(words, count) for words, count in steps if count]

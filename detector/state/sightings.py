"""The evaluated days, and the findings of each day.

The status of a finding is not stored. It follows from the sightings of earlier days, so that an old day can be
evaluated again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from itertools import takewhile
from typing import Any

from sqlalchemy import func

from detector.model.extent import Extent
from detector.model.finding import Finding, Severity, Sighting
from detector.state import outbox
from detector.state.database import State
from detector.state.messages import Outgoing
from detector.state.rows import OwnRows
from detector.state.tables import judged_days, sightings, unjudged_types

STORED_FIELDS = (
    "day",
    "finding_id",
    "type",
    "title",
    "key_id",
    "severity",
    "score",
    "episode",
    "first_seen",
    "days",
)


def record_day(
    state: State,
    day: date,
    extent: Extent,
    findings: Iterable[Finding],
    outgoing: Outgoing | None = None,
    *,
    keys_judged: int | None = None,
) -> None:
    """Store what was found on a day, replacing what an earlier judgement of it found.

    The messages that report it are queued in the same transaction, so that neither is there without the other.
    Without ``outgoing`` nothing is queued, and what waits already is left alone. ``keys_judged`` is the number of
    keys that the day's judgement covers; the verdict of later days is compared with it.
    """
    judged = {"day": day, "complete": extent.complete, "keys_judged": keys_judged}
    seen = [_row(finding) for finding in findings]
    with state.transaction() as rows:
        for table in (sightings, judged_days, unjudged_types):
            rows.delete(table, table.c.day == day)
        rows.insert(judged_days, [judged])
        rows.insert(unjudged_types, [{"day": day, "type": kind} for kind in extent.unjudged])
        rows.insert(sightings, seen)
        if outgoing is not None:
            outbox.store(rows, [day], outgoing)


def earlier_sightings(state: State, day: date) -> dict[str, Sighting]:
    """The latest sighting of every finding before a day, by finding id."""
    with state.reading() as rows:
        latest = rows.query(sightings, sightings.c.finding_id, func.max(sightings.c.day).label("day"))
        newest = latest.where(sightings.c.day < day).group_by(sightings.c.finding_id).subquery()
        is_newest = (sightings.c.finding_id == newest.c.finding_id) & (sightings.c.day == newest.c.day)
        found = rows.execute(rows.query(sightings).join(newest, is_newest)).mappings().all()
        extents = _extents(rows, day)
    return {row["finding_id"]: _sighting(row, extents) for row in found}


def days_judged(state: State) -> dict[date, bool]:
    """Every evaluated day, and whether its data were complete."""
    with state.reading() as rows:
        found = rows.execute(rows.query(judged_days, judged_days.c.day, judged_days.c.complete)).all()
    return {day: bool(complete) for day, complete in found}


def keys_judged_before(state: State, day: date, count: int = 28) -> list[tuple[date, int]]:
    """The last ``count`` complete days before a day, oldest first, each with the number of keys judged on it.

    The verdict compares the day with them. Days on which the number was not stored are left out: earlier versions
    did not store it.
    """
    known = judged_days.c.complete & judged_days.c.keys_judged.is_not(None)
    with state.reading() as rows:
        days = rows.query(judged_days, judged_days.c.day, judged_days.c.keys_judged)
        chosen = days.where(judged_days.c.day < day, known).order_by(judged_days.c.day.desc()).limit(count)
        newest_first = rows.execute(chosen).all()
    return [(judged_on, number) for judged_on, number in reversed(newest_first)]


def _row(finding: Finding) -> dict[str, Any]:
    return {name: getattr(finding, name) for name in STORED_FIELDS} | {"severity": finding.severity.value}


def _extents(rows: OwnRows, before: date) -> dict[date, Extent]:
    """The extent of each evaluated day before a day, the latest day first."""
    unjudged: dict[date, set[str]] = {}
    for day, kind in rows.execute(rows.query(unjudged_types).where(unjudged_types.c.day < before)):
        unjudged.setdefault(day, set()).add(kind)
    days = rows.query(judged_days, judged_days.c.day, judged_days.c.complete).where(judged_days.c.day < before)
    newest_first = rows.execute(days.order_by(judged_days.c.day.desc()))
    return {day: Extent(bool(complete), frozenset(unjudged.get(day, ()))) for day, complete in newest_first}


def _sighting(row: Any, extents: Mapping[date, Extent]) -> Sighting:
    fields = {name: row[name] for name in Sighting.__dataclass_fields__ if name != "open"}
    since = takewhile(lambda day: day > row["day"], extents)
    is_open = not any(extents[day].ends(row["type"]) for day in since)
    return Sighting(**{**fields, "severity": Severity(row["severity"]), "open": is_open})

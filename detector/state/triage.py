"""The log of triage entries. An entry is never deleted, but it can be ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from detector.boundary.instants import in_utc
from detector.model.triage import TriageEntry
from detector.state.database import State
from detector.state.rows import OwnRows
from detector.state.tables import triage_entries


def triage_log(state: State) -> list[TriageEntry]:
    """Every entry, ended ones included, in the order in which they were made."""
    with state.reading() as rows:
        found = rows.execute(rows.query(triage_entries).order_by(triage_entries.c.id)).mappings().all()
    return [_entry(row) for row in found]


def add_entry(state: State, entry: TriageEntry, replaces: Iterable[int] = ()) -> TriageEntry:
    """Log an entry and end the entries that it replaces in one transaction. Returns the entry with its number."""
    entry = replace(entry, created_at=in_utc(entry.created_at))
    row = {name: getattr(entry, name) for name in TriageEntry.__dataclass_fields__ if name != "id"}
    with state.transaction() as rows:
        _end(rows, replaces, entry.created_at)
        number = rows.insert_numbered(triage_entries, row)
    return replace(entry, id=number)


def end_entries(state: State, ids: Iterable[int], ended_at: datetime) -> None:
    """End entries. They stay in the log, and an entry that ended earlier keeps its instant."""
    with state.transaction() as rows:
        _end(rows, ids, ended_at)


def _entry(row: Any) -> TriageEntry:
    ended_at = row["ended_at"] and in_utc(row["ended_at"])
    return TriageEntry(**{**row, "created_at": in_utc(row["created_at"]), "ended_at": ended_at})


def _end(rows: OwnRows, ids: Iterable[int], ended_at: datetime) -> None:
    chosen = triage_entries.c.id.in_(list(ids)) & triage_entries.c.ended_at.is_(None)
    rows.update(triage_entries, chosen, {"ended_at": in_utc(ended_at)})

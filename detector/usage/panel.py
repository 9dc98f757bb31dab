"""Reads a panel from the history: the evaluated day and the days before it, as arrays of keys x days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_array

from detector.model.day import Day, each_day
from detector.model.errors import HistoryError, NewerHistoryError
from detector.model.panel import DailyCounts, LostKeys, Panel
from detector.model.usage import MEASURED, RECORD_COLUMNS, REGISTER, TEXT, Accounting, Fault, Revision, Strangers
from detector.usage.aggregation import complete_day, empty, known_after
from detector.usage.gaps import missing_days
from detector.usage.history import History, Notes
from detector.usage.strangers import OTHER_KEYS

REGISTER_DAYS = 7
"""The register is compared with that of so many days ago."""
EMPTY_REGISTER_DAYS = 28
"""An empty register is compared with those of so many days."""


@dataclass(frozen=True)
class _Window:
    """The days of a panel, oldest first, and whether each is stored; ``key_ids`` are the panel's keys as text.

    ``unreadable`` collects the stored days that cannot be read, each with the reason.
    """

    history: History
    days: list[date]
    stored: NDArray[np.bool_]
    key_ids: pa.Array
    unreadable: dict[date, str]


@dataclass(frozen=True)
class _Counts:
    """Keys x days; ``last_uses`` by day, in UTC without a zone."""

    requests: NDArray[np.int64]
    errors: NDArray[np.int64]
    known: NDArray[np.bool_]
    last_uses: NDArray[np.datetime64]


def load_panel(history: History, day: date, depth: int) -> Panel:
    """The evaluated day and the ``depth`` days before it, for the keys that are active or have requests.

    A stored day that cannot be read costs that day alone: the panel has it as missing, and tells it.
    """
    unreadable: dict[date, str] = {}
    records, notes = _judged(history, day, unreadable)
    registered = frozenset(records.loc[records["registered"], "key_id"])
    together = records[records["key_id"] == OTHER_KEYS]
    records = records[records["active"] | (records["request_count"] > 0)]
    records = records[records["key_id"] != OTHER_KEYS].reset_index(drop=True)
    days = list(each_day(day - timedelta(days=depth), day))
    available = _readable(history, days, unreadable)
    stored = np.array([past in available for past in days], dtype=np.bool_)
    window = _Window(history, days, stored, _as_text(records["key_id"]), unreadable)
    counts = _counts(window)
    keys = pd.Index(records["key_id"].to_numpy(dtype=object), name="key_id")
    panel = Panel(
        keys=keys,
        days=np.array(days, dtype="datetime64[D]"),
        requests=counts.requests,
        errors=counts.errors,
        known=counts.known,
        missing=missing_days(counts.requests.sum(axis=0), stored),
        records=records.set_index(keys),
        last_uses=counts.last_uses,
        timezone=history.timezone,
        revisions=_revisions(window),
        accountings=_accountings(window),
        earlier_faults=_earlier_faults(window),
        maps=lambda column, wanted: _maps(window, column, wanted),
        endpoint_counts=lambda count: _daily_counts(window, count, "endpoint_distribution"),
        deployment_counts=lambda count: _daily_counts(window, count, "deployments"),
        lost_keys=_lost_keys(window, registered),
        unreadable=lambda: dict(sorted(unreadable.items())),
        trusted_before=lambda past: _trusted_keys(history, past),
    )
    if notes is None:
        return panel
    return replace(
        panel,
        watermark=notes.watermark,
        pulled_at=notes.pulled_at,
        faults=notes.faults,
        strangers=Strangers(notes.strangers, int(together["request_count"].sum())),
    )


def _judged(history: History, day: date, unreadable: dict[date, str]) -> tuple[pd.DataFrame, Notes | None]:
    """The records of a day and its notes. A day that is not stored, or that cannot be read, has the keys known
    before, without use."""
    for past in reversed([stored for stored in history.days() if stored <= day]):
        try:
            records = history.read(past)
            notes = history.notes(past)
        except NewerHistoryError:
            raise
        except HistoryError as error:
            unreadable[past] = str(error)
            continue
        if past == day:
            return records, notes
        known = known_after(records, Day(past, history.timezone))
        register = records.loc[records["registered"], [*REGISTER]]
        return complete_day(empty(MEASURED), register, known, Day(day, history.timezone)), None
    return empty(RECORD_COLUMNS), None


def _readable(history: History, days: Sequence[date], unreadable: dict[date, str]) -> set[date]:
    """Those of the days whose notes and counts can be read. The reasons of the others go into ``unreadable``."""
    readable = set()
    for day in sorted(set(history.days()) & set(days) - unreadable.keys()):
        try:
            history.notes(day)
            for name in ("key_id", "registered", "request_count", "error_count"):
                history.column(day, name)
        except NewerHistoryError:
            raise
        except HistoryError as error:
            unreadable[day] = str(error)
        else:
            readable.add(day)
    return readable


def _lost_keys(window: _Window, registered: frozenset[str]) -> LostKeys:
    """The keys that left the register within a week; where it is empty now, within the last four weeks."""
    past = [day for day, stored in zip(window.days[:-1], window.stored[:-1], strict=True) if stored]
    week = [day for day in past if day <= window.days[-1] - timedelta(days=REGISTER_DAYS)]
    compared = week[-1:] if registered else past[-EMPTY_REGISTER_DAYS:]
    lost = LostKeys(0, 0)
    for day in compared:
        before = frozenset(_flagged(window.history, day, "registered"))
        if len(before - registered) > lost.keys:
            lost = LostKeys(len(before - registered), len(before))
    return lost


def _flagged(history: History, day: date, column: str) -> list[str]:
    """The ids of the keys of a stored day with a flag."""
    ids: list[str] = history.column(day, "key_id").filter(history.column(day, column)).to_pylist()
    return ids


def _trusted_keys(history: History, day: date) -> frozenset[str]:
    """The ids of the trusted keys of a stored day; none for a day that cannot be read."""
    try:
        active = frozenset(_flagged(history, day, "active"))
        registered = frozenset(_flagged(history, day, "registered"))
    except HistoryError:
        return frozenset()
    return active & registered if registered else active


def _counts(window: _Window) -> _Counts:
    """The counts of the stored days. On the other days every count is zero and no key is known."""
    shape = (len(window.key_ids), len(window.days))
    counts = _Counts(
        requests=np.zeros(shape, np.int64),
        errors=np.zeros(shape, np.int64),
        known=np.zeros(shape, np.bool_),
        last_uses=np.full(len(window.days), np.datetime64("NaT"), dtype="datetime64[us]"),
    )
    for column in np.flatnonzero(window.stored).tolist():
        day = window.days[column]
        positions = _positions(window, day)
        rows = positions >= 0
        positions = positions[rows]
        counts.requests[positions, column] = window.history.column(day, "request_count").to_numpy()[rows]
        counts.errors[positions, column] = window.history.column(day, "error_count").to_numpy()[rows]
        counts.known[positions, column] = True
        counts.last_uses[column] = _utc(window.history.notes(day).last_use)
    return counts


def _revisions(window: _Window) -> tuple[Revision, ...]:
    """The changes that the pull of the evaluated day made to the days of the panel."""
    changed = []
    for day, stored in zip(window.days, window.stored, strict=True):
        if not stored:
            continue
        for revision in window.history.notes(day).revisions:
            if revision.pulled_with == window.days[-1]:
                changed.append(revision)
    return tuple(changed)


def _accountings(window: _Window) -> tuple[Accounting | None, ...]:
    """What became of the records of each day; None for a day that is not stored or whose accounting is unknown."""
    days = zip(window.days, window.stored, strict=True)
    return tuple(window.history.notes(day).accounting if stored else None for day, stored in days)


def _earlier_faults(window: _Window) -> tuple[tuple[Fault, ...] | None, ...]:
    """The faults of each day before the evaluated one; None for a day whose accounting is unknown."""
    faults = []
    for day, stored in zip(window.days[:-1], window.stored[:-1], strict=True):
        notes = window.history.notes(day) if stored else None
        is_known = notes is not None and notes.accounting is not None
        faults.append(notes.faults if notes is not None and is_known else None)
    return tuple(faults)


def _maps(window: _Window, column: str, wanted: Sequence[str]) -> list[dict[str, dict[str, int]]]:
    """The maps of some keys on each day before the evaluated one; empty for a day that is not stored."""
    keys = pa.array(list(wanted), type=pa.string())
    answers: list[dict[str, dict[str, int]]] = []
    for day, stored in zip(window.days[:-1], window.stored[:-1], strict=True):
        read = _column(window, day, column) if stored else None
        if read is None:
            answers.append({})
            continue
        owners = window.history.column(day, "key_id")
        rows = pc.indices_nonzero(pc.is_in(owners, keys))
        maps = read.take(rows)
        by_key = zip(owners.take(rows).to_pylist(), maps.to_pylist(), strict=True)
        answers.append({key: dict(pairs) for key, pairs in by_key if pairs})
    return answers


def _daily_counts(window: _Window, count: int, column: str) -> DailyCounts:
    """The entries of a map column on the last ``count`` days, as matrices with the same columns."""
    by_day = [
        _entries(window, day, column) if stored else None
        for day, stored in zip(window.days[-count:], window.stored[-count:], strict=True)
    ]
    names = [entries.names for entries in by_day if entries is not None]
    vocabulary = pa.chunked_array(names or [pa.array([], pa.string())]).unique()
    shape = (len(window.key_ids), len(vocabulary))
    matrices = []
    for entries in by_day:
        if entries is None:
            matrices.append(csr_array(shape, dtype=np.int64))
            continue
        columns = pc.index_in(entries.names, value_set=vocabulary).to_numpy(zero_copy_only=False)
        matrices.append(csr_array((entries.requests, (entries.owners, columns)), shape=shape))
    return DailyCounts(pd.Index(vocabulary.to_pylist(), dtype=object), matrices)


@dataclass(frozen=True)
class _Entries:
    """The entries of a day's maps: the position of the key in the panel, the name of the entry, its requests."""

    owners: NDArray[np.int64]
    names: pa.Array
    requests: NDArray[np.int64]


def _entries(window: _Window, day: date, column: str) -> _Entries | None:
    """The entries of a day; None where the day cannot be read."""
    maps = _column(window, day, column)
    if maps is None:
        return None
    offsets = maps.offsets.to_numpy()
    owners = np.repeat(_positions(window, day), np.diff(offsets))
    inside = slice(offsets[0], offsets[-1])
    in_panel = owners >= 0
    return _Entries(
        owners=owners[in_panel],
        names=maps.keys[inside].filter(pa.array(in_panel)),
        requests=maps.items[inside].to_numpy()[in_panel],
    )


def _column(window: _Window, day: date, name: str) -> pa.Array | None:
    """A column of a stored day; None where it cannot be read, which the panel tells."""
    try:
        return window.history.column(day, name)
    except HistoryError as error:
        window.unreadable[day] = str(error)
        return None


def _positions(window: _Window, day: date) -> NDArray[np.int64]:
    """For each row of a stored day the position of its key in the panel, -1 for a key outside the panel."""
    owners = window.history.column(day, "key_id")
    positions: NDArray[np.int64] = pc.index_in(owners, value_set=window.key_ids).fill_null(-1).to_numpy()
    return positions


def _as_text(keys: pd.Series[str]) -> pa.Array:
    return pa.array(keys.astype(TEXT), type=pa.string())


def _utc(instant: datetime | None) -> np.datetime64:
    return np.datetime64(instant.replace(tzinfo=None) if instant else "NaT", "us")

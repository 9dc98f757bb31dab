"""The reading of raw groups: what an engine counted becomes the groups of a day, and observations of what could
not be used.

An engine groups records by their texts as they stand in the source. So each distinct text is read once, by the
same rules for every engine, and no cast in a database can fail. The columns of a raw frame, one row for all
records that are alike:

- ``key_id``, ``endpoint``, ``deployment``: texts as they stand in the source, null where they are missing.
- ``lines``: the number of records; ``repeats``: how many of them repeat an event of the same key.
- ``failed``: whether an HTTP code of three digits says that the requests failed.
- ``status``: the text of any other status; ``error``: the text of the error column.
- ``last_used``: the latest instant.
- ``request_count``, ``error_count``, ``last_activity``: texts of daily rows; ``lines`` is the number of rows.
- ``problem``: why the engine could not read the records, or null; ``detail``: the text that this is about;
  ``bytes``: its size. ``note``: what to tell of records that count, or null.
- ``origin``: where a sample of the records stands.

A column that the source does not have may be missing in the frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from detector.model.day import Day
from detector.model.usage import INSTANT, TEXT, FaultKind
from detector.sources.faults import (
    BAD_ACTIVITY,
    BAD_ERRORS,
    BAD_REQUESTS,
    BAD_STATUS,
    NO_KEY,
    REPEATED,
    SAMPLES,
    TOO_MANY_ERRORS,
    Observation,
)
from detector.sources.instants import from_micros, micros_of
from detector.sources.values import Outcome, ValueRules, count_of, deployment_of, endpoint_of, text_of
from detector.sources.windows import clamp_last_use
from detector.usage.aggregation import require_64_bits

LONG_ERROR = "(long text)"
"""Stands for every text of an error column that is too long to mean no error. Messages of errors hold ids, and
each would be a group of its own."""

_NEVER = frozenset({"infinity", "-infinity", "inf", "never"})
"""Times of a register that mean that something has not happened."""

_END_OF_TIME = "9999-"
"""The last year that most databases know. Tables of versions write it where a row has no end."""

MakeSample = Callable[[str, str], str]
"""Makes the line of a sample from a text and its origin (file, or file and line)."""


@dataclass(frozen=True)
class Reading:
    """The usable groups of a day in ``GROUP_COLUMNS``, the number of their records, and what could not be used."""

    groups: pd.DataFrame
    counted: int
    observations: tuple[Observation, ...]


def read_groups(
    raw: pd.DataFrame, rules: ValueRules, day: Day, deployment: str | None, make_sample: MakeSample
) -> Reading:
    """Read the raw groups of a day. ``deployment`` is that of records that name none."""
    # A text that could not be read at all has no values.
    unread = raw[_column(raw, "problem").notna()]
    raw = raw[_column(raw, "problem").isna()].reset_index(drop=True)
    keys = each_text(_column(raw, "key_id"), rules.key_of)
    repeats = _column(raw, "repeats").fillna(0).astype("int64").where(keys.notna(), 0)
    records = raw["lines"].astype("int64") - repeats
    is_daily = any(name in raw for name in ("request_count", "error_count", "last_activity"))
    read = _daily(raw, rules) if is_daily else _events(raw, rules)
    usable = keys.notna() & read.requests.notna()
    default = deployment_of(deployment)
    require_64_bits(read.requests.fillna(0).astype("float64") * records)
    groups = pd.DataFrame(
        {
            "key_id": keys,
            "endpoint": each_text(_column(raw, "endpoint"), endpoint_of),
            "deployment": each_text(_column(raw, "deployment"), lambda text: deployment_of(text) or default),
            "request_count": (read.requests.fillna(0) * records).astype("int64"),
            "error_count": (read.errors * records).astype("int64"),
            "last_used": read.last_used,
        }
    )
    sampled = _Sampled(raw, day, make_sample)
    observations = [
        *problems(unread, day.date, make_sample),
        *sampled.observe(keys.isna(), NO_KEY, "keyless", "endpoint", raw["lines"]),
        *sampled.observe(keys.notna() & (repeats > 0), REPEATED, "repeated", "endpoint", repeats),
    ]
    for reason, kind, wrong, column in read.defects:
        observations += sampled.observe(wrong & keys.notna(), reason, kind, column, records)
    notes = _column(raw, "note")
    for note in sorted(notes[keys.notna()].dropna().unique()):
        observations += sampled.observe(
            (notes == note).fillna(False) & keys.notna(), note, "note", "endpoint", records
        )
    with_requests = usable & (groups["request_count"] > 0)
    return Reading(
        groups=clamp_last_use(groups[with_requests], day),
        counted=int(records[usable].sum()),
        observations=tuple(observations),
    )


def read_register(raw: pd.DataFrame, rules: ValueRules) -> pd.DataFrame:
    """The texts of a register, read by the rules of all sources. A time that cannot be read stays as it is."""
    columns = {}
    for name in raw.columns:
        if name == "key_id":
            columns[name] = each(raw[name], rules.key_of)
        elif name in ("created_at", "revoked_at"):
            columns[name] = each(raw[name], lambda value: _time_text(value, rules))
        else:
            columns[name] = each(raw[name], text_of)
    return pd.DataFrame(columns, index=raw.index)


def _time_text(value: Any, rules: ValueRules) -> str | None:
    text = text_of(value)
    if text is None or text.lower() in _NEVER or text.startswith(_END_OF_TIME):
        return None
    micros = micros_of(text, rules.date_order)
    return text if micros is None else from_micros(micros).isoformat()


def problems(raw: pd.DataFrame, day: date | None, make_sample: MakeSample) -> Iterator[Observation]:
    """The observations of raw groups that an engine could not read; ``day`` is None where it is not known."""
    if raw.empty:
        return
    rows = pd.DataFrame(
        {
            "problem": _column(raw, "problem"),
            "lines": raw["lines"],
            "detail": _column(raw, "detail").astype(TEXT),
            "origin": _column(raw, "origin").astype(TEXT),
            "bytes": _column(raw, "bytes").fillna(0),
        }
    )
    for reason, lines, detail, origin, size in rows.itertuples(index=False, name=None):
        place = "" if pd.isna(origin) else str(origin)
        text = None if pd.isna(detail) else make_sample(str(detail), place)
        yield Observation(day, reason, int(lines), text or place or None, bytes=int(size))


def each(values: pd.Series, change: Callable[[Any], Any]) -> pd.Series:
    """The changed texts. Each distinct text is changed once; a missing one is changed too."""
    codes, distinct = pd.factorize(values, use_na_sentinel=True)
    changed = np.empty(len(distinct) + 1, dtype=object)
    for position, value in enumerate(distinct):
        changed[position] = change(value)
    # The code of a missing value is -1, which takes the last.
    changed[-1] = change(None)
    return pd.Series(changed[codes], index=values.index, dtype=object)


def each_text(values: pd.Series, change: Callable[[Any], str | None]) -> pd.Series:
    """The same for changes to texts, as ``TEXT``."""
    codes, distinct = pd.factorize(values, use_na_sentinel=True)
    changed = pa.array([*map(change, distinct), change(None)], pa.string())
    # A missing text has the code -1; take counts from the start.
    positions = pa.array(np.where(codes < 0, len(distinct), codes))
    return pd.Series(changed.take(positions), index=values.index, dtype=TEXT)


@dataclass(frozen=True)
class _Read:
    """The values of the raw groups: requests (null where unreadable) and errors of one record, the latest use, and
    the defects as reason, kind, the rows that have it and the column to show."""

    requests: pd.Series
    errors: pd.Series
    last_used: pd.Series
    defects: tuple[tuple[str, FaultKind, pd.Series, str], ...]


def _events(raw: pd.DataFrame, rules: ValueRules) -> _Read:
    outcomes = each(_column(raw, "status"), rules.outcome_of)
    unreadable = outcomes == Outcome.UNREADABLE
    failed = _column(raw, "failed").fillna(False).astype(bool)
    # What is not known to be a success must not pass for one.
    failed |= unreadable | (outcomes == Outcome.ERROR)
    failed |= each(_column(raw, "error"), rules.is_error).astype(bool)
    return _Read(
        requests=pd.Series(1, index=raw.index, dtype="Int64"),
        errors=failed.astype("int64"),
        last_used=_column(raw, "last_used").astype(INSTANT),
        defects=((BAD_STATUS, "note", unreadable, "status"),),
    )


def _daily(raw: pd.DataFrame, rules: ValueRules) -> _Read:
    if "request_count" in raw:
        requests = each(raw["request_count"], count_of).astype("Int64")
    else:
        # A row of a rollup without counts says that the key was used.
        requests = pd.Series(1, index=raw.index, dtype="Int64")
    written_errors = _column(raw, "error_count")
    errors = each(written_errors, count_of).astype("Int64")
    written_use = _column(raw, "last_activity")
    micros = each(written_use, lambda value: micros_of(value, rules.date_order))
    used = micros.map(lambda value: None if value is None else from_micros(value))
    is_readable = requests.notna()
    return _Read(
        requests=requests,
        errors=errors.fillna(0).clip(upper=requests.fillna(0)).astype("int64"),
        last_used=pd.Series(used, index=raw.index).astype(INSTANT),
        defects=(
            (BAD_REQUESTS, "unusable", ~is_readable, "request_count"),
            (BAD_ERRORS, "note", is_readable & _is_stated(written_errors) & errors.isna(), "error_count"),
            (TOO_MANY_ERRORS, "note", (errors > requests).fillna(False).astype(bool), "error_count"),
            (BAD_ACTIVITY, "note", is_readable & _is_stated(written_use) & micros.isna(), "last_activity"),
        ),
    )


def _is_stated(values: pd.Series) -> pd.Series:
    return each(values, text_of).notna()


def _column(raw: pd.DataFrame, name: str) -> pd.Series:
    return raw[name] if name in raw else pd.Series(None, index=raw.index, dtype=object)


@dataclass(frozen=True)
class _Sampled:
    """Raw groups of which some are shown as samples."""

    raw: pd.DataFrame
    day: Day
    make_sample: MakeSample

    def observe(
        self, chosen: pd.Series, reason: str, kind: FaultKind, column: str, counts: pd.Series
    ) -> list[Observation]:
        """The observation of the chosen groups, with the texts of a column as samples."""
        if not chosen.any():
            return []
        total = int(counts[chosen].sum())
        samples = self._samples(chosen, column) or [None]
        first, *others = samples
        observed = [Observation(self.day.date, reason, total, first, kind)]
        # Another sample of the same records, which are counted already.
        return observed + [Observation(self.day.date, reason, 0, text, kind) for text in others]

    def _samples(self, chosen: pd.Series, column: str) -> list[str | None]:
        texts = _column(self.raw, column)[chosen]
        if column == "endpoint":
            # A preset may describe a record better than its endpoint does.
            described = _column(self.raw, "detail")[chosen].astype(object)
            texts = described.where(described.notna(), texts.astype(object))
        texts = texts.astype(object).fillna("is empty").astype(str)
        keys = each(_column(self.raw, "key_id")[chosen], text_of)
        origins = _column(self.raw, "origin")[chosen].fillna(str(self.day.date)).astype(str)
        rows = pd.DataFrame({"origin": origins, "text": texts, "key": keys.fillna("")}).drop_duplicates()
        # In order, so that a day that is pulled again has the same samples.
        first_rows = rows.sort_values(["text", "origin", "key"]).head(SAMPLES)
        shown: list[str | None] = []
        for origin, text, key in first_rows.itertuples(index=False, name=None):
            words = text if column == "endpoint" else f"{column} {text}, key {key}"
            shown.append(self.make_sample(words, origin))
        return shown

"""The pull: it reads days from the source and stores each one whole in the history.

- The pull asks the source once for the first and last use of every key before the first stored day
  (``Source.activity_before``). A key that was silent for a year is therefore known as dormant on the first
  day of a new installation.
- A source may leave a day out that it cannot give. Such a day stays missing. Before the next day is stored,
  the pull asks the source what happened in between. Only the last day must not be left out: that is a
  MissingDayError.
- Late rows are found by a second look. Each run pulls the days that have not settled again and compares
  them. A change is stored with the day as a revision that names the day of the pull, so the report of that
  day tells the change again in the same words whenever it is rendered.
- With an organization configured, keys outside the register are left out and counted, because nobody knows
  to whom they belong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import pandas as pd

from detector.boundary.words import counted
from detector.config.config import Config
from detector.model.day import Day, each_day
from detector.model.errors import ConfigError, MissingDayError, SourceError
from detector.model.usage import MEASURED, Fault, Revision
from detector.sources import DailyRegister, Source
from detector.sources.accounts import Accounts, day_accounting, grown_days, with_undated_of
from detector.usage.aggregation import complete_day, gather_strangers, known_after, limit_map, period_records
from detector.usage.history import History, Notes, as_known

UNKNOWN_ORGANIZATION = "key not in the register, so its organization is unknown"

LARGEST_DAY = (2**63 - 1) // 400
"""The most requests of a day. 64 bits hold the sum of 400 such days, and no sum over the days of a year wraps."""

MOST_DEPLOYMENTS = 60
"""Deployments that are kept per key and day; the others count as (other)."""

Progress = Callable[[date, int, int], None]
"""Called after each stored day with the day, the number of days that are done, and the number of all."""


def no_progress(day: date, done: int, total: int) -> None:
    """The progress that is shown to nobody."""


def pull(
    config: Config,
    source: Source,
    history: History,
    first: date,
    last: date,
    *,
    now: datetime,
    progress: Progress = no_progress,
    incomplete: bool = False,
) -> list[date]:
    """Store the days from first to last that the history lacks; the days that the source gave.

    The last day and the ``settle_days`` before it are pulled again while late rows may come. The last day is
    also pulled again later where it was judged as ``incomplete``. A changed day is stored anew, with a
    revision. Raises SourceError, and MissingDayError where the source does not give the last day. Days that are
    already stored then stay.
    """
    wanted = days_to_pull(config, history, first, last, now, incomplete=incomplete)
    if not wanted:
        return []
    missing = set(history.missing(first, last))
    present = _scope(config, source.keys())
    timeline = source.timeline(wanted[0], last)
    watermark = source.watermark() if timeline is None else timeline.latest
    wanted = sorted({*wanted, *grown_days(history, timeline, min(_unsettled(config, last)))})
    accounts = Accounts.of(history, timeline, wanted[0], last)
    pulled: list[date] = []
    for start, end in _ranges(wanted):
        known = _known_before(history, source, present, start)
        expected = start
        for day, measured in source.usage(start, end):
            if day != expected:
                # The source left days out, but it may know of activity on them.
                known = _known_before(history, source, present, day)
            _require_plausible(config.source.name, day, measured)
            # A register of the day itself is better: it holds the keys that are revoked today.
            scope = _scope(config, source.keys_of(day)) if isinstance(source, DailyRegister) else present
            own, left_out = scope.own(measured)
            whole_day = Day(day, config.zone)
            gathered, strangers = gather_strangers(own, scope.register, known, whole_day)
            records = complete_day(_limited(config, gathered), scope.register, known, whole_day)
            notes = Notes(
                pulled_at=now,
                watermark=watermark,
                faults=(*source.faults(day), *left_out),
                accounting=day_accounting(source, whole_day, timeline, scope.unknown_records(config, measured)),
                strangers=strangers,
            )
            notes = accounts.settle(notes, day)
            if day in missing:
                history.write(day, records, notes)
            else:
                _rewrite(history, whole_day, records, notes, last)
            known = known_after(records, whole_day)
            expected = day + timedelta(days=1)
            pulled.append(day)
            progress(day, len(pulled), len(wanted))
        if pulled and pulled[-1] >= start:
            # Later days hold what was known before them, which these days may have changed.
            history.refreeze(end)
    if last not in pulled and history.missing(last, last):
        reasons = "; ".join(fault.reason for fault in source.faults(last)) or "it left the day out"
        raise MissingDayError(f"source {config.source.name} has no data for the day {last}: {reasons}")
    return pulled


def _require_plausible(source: str, day: date, measured: pd.DataFrame) -> None:
    """Raise SourceError where a day has more requests than can be added up with those of other days."""
    requests = int(measured["request_count"].sum())
    if requests > LARGEST_DAY:
        raise SourceError(
            f"source {source}: the day {day} has {counted(requests, 'request')}; "
            f"at most {LARGEST_DAY:,} can be counted; correct the counts in the source"
        )


def days_to_pull(
    config: Config, history: History, first: date, last: date, now: datetime, *, incomplete: bool = False
) -> list[date]:
    """The days from first to last that the history lacks, that have not settled, or that are ``incomplete``."""
    missing = history.missing(first, last)
    wanted = set(missing)
    for day in _unsettled(config, last):
        is_stored = day >= first and day not in missing
        if is_stored and _may_have_changed(config, history, day, now):
            wanted.add(day)
    if incomplete:
        wanted.add(last)
    return sorted(wanted)


def usage_between(history: History, first: date, last: date) -> pd.DataFrame:
    """The records of a period whose days are all stored."""
    end = Day(last, history.timezone).end
    return period_records([history.read(day) for day in each_day(first, last)], end)


@dataclass(frozen=True)
class _Scope:
    """The keys that are visible: with a configured organization, only its own keys."""

    organization: str | None
    register: pd.DataFrame
    registered: frozenset[str]
    """The ids of the keys of all organizations."""

    def own(self, measured: pd.DataFrame) -> tuple[pd.DataFrame, tuple[Fault, ...]]:
        """The records of the visible keys, and the fault of requests whose organization is unknown."""
        if self.organization is None:
            return measured, ()
        is_own = measured["key_id"].isin(self.register["key_id"])
        requests = int(self._unknown(measured)["request_count"].sum())
        faults = (Fault(UNKNOWN_ORGANIZATION, requests),) if requests else ()
        return measured[is_own], faults

    def unknown_records(self, config: Config, measured: pd.DataFrame) -> dict[str, int]:
        """The number of records of keys whose organization is unknown, by reason.

        A rollup does not tell how many rows a key has. It has one at least.
        """
        if self.organization is None:
            return {}
        unknown = self._unknown(measured)
        is_events = config.source.shape == "events"
        records = int(unknown["request_count"].sum()) if is_events else len(unknown)
        return {UNKNOWN_ORGANIZATION: records} if records else {}

    def _unknown(self, measured: pd.DataFrame) -> pd.DataFrame:
        return measured[~measured["key_id"].isin(self.registered)]


def _scope(config: Config, register: pd.DataFrame) -> _Scope:
    organization = config.organization
    registered = frozenset(register["key_id"])
    if organization is None:
        return _Scope(None, register, registered)
    if register["organization"].isna().all():
        advice = "map its column with source.columns.organization"
        if config.source.kind == "http":
            advice = "the endpoint must state it with every key"
        raise ConfigError(
            f"organization is {organization!r}, but the key register names no organization; "
            f"{advice}, or remove organization from the configuration"
        )
    return _Scope(organization, register[register["organization"] == organization], registered)


def _limited(config: Config, records: pd.DataFrame) -> pd.DataFrame:
    """The usage of a day with maps of bounded size."""
    detection = config.detection
    records = limit_map(records, "endpoint_distribution", detection.endpoints_per_key)
    # The policy decides on deployments by their names. A caller who invents busy ones must not hide another.
    return limit_map(records, "deployments", MOST_DEPLOYMENTS, detection.environment_of)


def _unsettled(config: Config, last: date) -> list[date]:
    """The last day, and the days before it for which late rows may still come."""
    return [last - timedelta(days=ago) for ago in range(config.history.settle_days, -1, -1)]


def _may_have_changed(config: Config, history: History, day: date, now: datetime) -> bool:
    """Whether the source may hold more of a stored day than the history."""
    notes = history.notes(day)
    settled = Day(day, history.timezone).end + timedelta(days=config.history.settle_days)
    was_empty = notes.last_use is None
    # A clock that ran ahead has written a time of the pull that proves nothing.
    is_time_wrong = notes.pulled_at > now
    return notes.pulled_at < settled or was_empty or is_time_wrong


def _rewrite(history: History, day: Day, records: pd.DataFrame, notes: Notes, last: date) -> None:
    """Store a day anew where it changed."""
    before = history.read(day.date)
    earlier_notes = history.notes(day.date)
    revision = _revision(before, records, day.date, last)
    # A source deletes old data. A day that it no longer holds stays in the history.
    is_gone = revision.requests_before > 0 and revision.requests_after == 0
    # What came without a day belongs to the day on which it came first.
    notes = with_undated_of(notes, earlier_notes)
    is_same = (
        before.equals(records)
        and earlier_notes.pulled_at >= day.end
        and _dated(earlier_notes) == _dated(notes)
        and earlier_notes.accounting == notes.accounting
    )
    if is_gone or is_same:
        return
    revisions = earlier_notes.revisions
    if revision.keys:
        revisions = (*revisions, revision)
    history.write(day.date, records, replace(notes, revisions=revisions))


def _revision(before: pd.DataFrame, after: pd.DataFrame, day: date, last: date) -> Revision:
    """The requests of a day before and after, and the number of keys whose usage changed."""
    old = _measured(before)
    new = _measured(after)
    keys = old.index.union(new.index)
    changed = old.reindex(keys).fillna("") != new.reindex(keys).fillna("")
    requests_before = int(before["request_count"].sum())
    requests_after = int(after["request_count"].sum())
    return Revision(day, last, requests_before, requests_after, int(changed.sum()))


def _measured(records: pd.DataFrame) -> pd.Series[str]:
    """The usage of every key with requests as text, by key."""
    used = records.loc[records["request_count"] > 0, list(MEASURED)]
    # Text, because maps of endpoints in two frames cannot be compared column by column.
    texts = [repr(row) for row in used.itertuples(index=False, name=None)]
    return pd.Series(texts, index=pd.Index(used["key_id"], dtype=object), dtype=object)


def _dated(notes: Notes) -> list[Fault]:
    # A fault without a day is repeated with every pull and says nothing about a change of this day.
    return [fault for fault in notes.faults if fault.dated]


def _ranges(days: Iterable[date]) -> list[tuple[date, date]]:
    """Runs of consecutive days as (first, last)."""
    ranges: list[tuple[date, date]] = []
    for day in days:
        if ranges and day - ranges[-1][1] == timedelta(days=1):
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    return ranges


def _known_before(history: History, source: Source, scope: _Scope, start: date) -> pd.DataFrame:
    """The first and last use of every key before a day. The source is asked where the history has a gap."""
    known = history.known_before(start)
    previous = start - timedelta(days=1)
    if known is not None and not history.missing(previous, previous):
        return known
    activity, _ = scope.own(source.activity_before(start).assign(request_count=0))
    reported = as_known(activity)
    if known is None:
        return reported
    both = pd.concat([known, reported], ignore_index=True).groupby("key_id", sort=True)
    latest = {"last_seen": "max", "longest_silence": "max", "last_registered": "max"}
    return both.agg({"first_seen": "min", **latest}).reset_index()

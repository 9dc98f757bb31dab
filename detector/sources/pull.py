"""The pull: it reads days from the source and stores each one whole in the history.

- The pull asks the source once for the first and last use of every key before the first stored day
  (``Source.activity_before``). A key that was silent for a year is therefore known as dormant on the first
  day of a new installation.
- A source may leave a day out that it cannot give. Such a day stays missing. Before the next day is stored,
  the pull asks the source what happened in between. Only the last day must not be left out: that is a
  SourceError.
- Late rows are found by a second look. Each run pulls the days that have not settled again and compares
  them. A change is stored with the day as a revision that names the day of the pull, so the report of that
  day tells the change again in the same words whenever it is rendered.
- With an organization configured, keys outside the register are left out and counted, because nobody knows
  to whom they belong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import pandas as pd

from detector.config.config import Config
from detector.model.day import Day, each_day
from detector.model.errors import ConfigError, SourceError
from detector.model.usage import MEASURED, Accounting, Amount, Fault, Revision
from detector.sources import DailyRegister, Source
from detector.sources.faults import BEFORE_ALL, FUTURE, STRAY, amounts_without_day
from detector.sources.timeline import Timeline
from detector.usage.aggregation import complete_day, known_after, limit_endpoints, period_records
from detector.usage.history import History, Notes, as_known

FEWEST_LATE_RECORDS = 20
LATE_SHARE = 0.01
"""A settled day is pulled again where it has grown by more than this share, and by more records than these."""
MOST_GROWN_DAYS = 7
FEW_UNDATED = 0.01
"""The largest share of records without a usable day that a first pull takes for ordinary."""

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
    revision. Raises SourceError, also where the source does not give the last day. Days that are already
    stored then stay.
    """
    wanted = days_to_pull(config, history, first, last, now, incomplete=incomplete)
    if not wanted:
        return []
    missing = set(history.missing(first, last))
    is_first_pull = not history.days()
    present = _scope(config, source.keys())
    timeline = source.timeline(wanted[0], last)
    watermark = source.watermark() if timeline is None else timeline.latest
    wanted = sorted({*wanted, *_grown_days(config, history, timeline, last)})
    pulled: list[date] = []
    for start, end in _ranges(wanted):
        known = _known_before(history, source, present, start)
        expected = start
        for day, measured in source.usage(start, end):
            if day != expected:
                # The source left days out, but it may know of activity on them.
                known = _known_before(history, source, present, day)
            # A register of the day itself is better: it holds the keys that are revoked today.
            scope = _scope(config, source.keys_of(day)) if isinstance(source, DailyRegister) else present
            own, left_out = scope.own(measured)
            limited = limit_endpoints(own, config.detection.endpoints_per_key)
            whole_day = Day(day, config.zone)
            records = complete_day(limited, scope.register, known, whole_day)
            notes = Notes(
                pulled_at=now,
                watermark=watermark,
                faults=(*source.faults(day), *left_out),
                accounting=_accounting(source, whole_day, timeline, left_out),
            )
            if is_first_pull:
                first_day = Day(wanted[0], config.zone)
                number = len(pulled) + 1
                notes = _with_share_of_undated(
                    notes, timeline, first_day, len(wanted), number, is_last=day == last
                )
            elif day == last and not any(stored > day for stored in history.days()):
                notes = _with_undated(notes, history, whole_day, timeline)
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
        raise SourceError(f"source {config.source.name} has no data for the day {last}: {reasons}")
    return pulled


def _accounting(source: Source, day: Day, timeline: Timeline | None, left_out: tuple[Fault, ...]) -> Accounting:
    """What became of the records of a day, its strays among them. ``left_out`` are requests of unknown keys."""
    accounting = source.accounting(day.date)
    unusable = dict(accounting.unusable)
    for fault in left_out:
        unusable[fault.reason] = Amount(fault.count)
    counted = accounting.counted - sum(fault.count for fault in left_out)
    hours = None
    if timeline is not None:
        hours = timeline.hours(day)
        strays = timeline.strays.get(day.date, 0)
        if strays:
            unusable[STRAY] = Amount(strays)
    return replace(accounting, counted=max(counted, 0), unusable=unusable, hours=hours)


def _with_undated(notes: Notes, history: History, day: Day, timeline: Timeline | None) -> Notes:
    """The notes of the last day, with the records that came without a usable day since the day before.

    They belong to no day. But a record that a source got since the last pull is most likely of the day, and one
    that nobody assigns to a day is missing from every accounting.
    """
    stored = history.days()
    undated = _undated(notes.faults, timeline)
    if timeline is not None and timeline.covers_all:
        oldest = min(stored[0], day.date) if stored else day.date
        undated[BEFORE_ALL] = Amount(timeline.before(Day(oldest, day.timezone)))
    pulls = (history.notes(past).undated for past in reversed(stored) if past < day.date)
    before = next((amounts for amounts in pulls if amounts), {})
    grown = {}
    for reason, amount in undated.items():
        # Data older than the history are no news when it begins.
        known = before.get(reason, amount if reason == BEFORE_ALL else Amount(0))
        grown[reason] = _growth(known, amount)
    return replace(_with_unusable(notes, grown), undated=undated)


def _with_share_of_undated(
    notes: Notes, timeline: Timeline | None, first: Day, days: int, number: int, *, is_last: bool
) -> Notes:
    """The notes of a day of the first pull, with its share of the records without a usable day.

    The day has this ``number`` among the ``days``. Nobody knows of which of them the records are. A few are spread
    over all days, so that as many on the days to come are no jump. Where they are many, somebody has to look: the
    last day gets them all.
    """
    whole = _undated(notes.faults, timeline)
    total = sum(amount.records for amount in whole.values())
    dated = 0 if timeline is None else sum(timeline.quarters.values())
    are_few = total <= FEW_UNDATED * (dated + total)
    # As if the records had come day by day, so that a day that is pulled again gets the same share.
    so_far: dict[str, Amount] = {}
    shares: dict[str, Amount] = {}
    for reason, amount in whole.items():
        share = Amount(amount.records // days, amount.bytes // days) if are_few else Amount(0)
        before = Amount((number - 1) * share.records, (number - 1) * share.bytes)
        so_far[reason] = amount if is_last else before + share
        shares[reason] = _growth(before, so_far[reason])
    if timeline is not None and timeline.covers_all:
        so_far[BEFORE_ALL] = Amount(timeline.before(first))
    return replace(_with_unusable(notes, shares), undated=so_far)


def _growth(before: Amount, after: Amount) -> Amount:
    return Amount(max(after.records - before.records, 0), max(after.bytes - before.bytes, 0))


def _with_unusable(notes: Notes, amounts: Mapping[str, Amount]) -> Notes:
    """The notes with more unusable records."""
    assert notes.accounting is not None  # every pull accounts
    unusable = dict(notes.accounting.unusable)
    for reason, amount in amounts.items():
        if amount.records or amount.bytes:
            unusable[reason] = unusable.get(reason, Amount(0)) + amount
    return replace(notes, accounting=replace(notes.accounting, unusable=unusable))


def _undated(faults: Iterable[Fault], timeline: Timeline | None) -> dict[str, Amount]:
    """The records without a usable day by reason, those of the future among them."""
    amounts = amounts_without_day(faults)
    if timeline is not None:
        amounts[FUTURE] = Amount(timeline.later)
    return amounts


def _grown_days(config: Config, history: History, timeline: Timeline | None, last: date) -> list[date]:
    """The settled days for which the source has got notably more records since they were pulled.

    The days that have grown most come first, and they are few, so that a source whose past is written anew does
    not stop the run.
    """
    if timeline is None:
        return []
    settled = [day for day in history.days() if day < min(_unsettled(config, last))]
    growth: dict[date, int] = {}
    for day in settled:
        accounting = history.notes(day).accounting
        hours = timeline.hours(Day(day, history.timezone))
        if accounting is None or accounting.hours is None or hours is None:
            continue
        before = sum(accounting.hours)
        grown = sum(hours) - before
        if grown > max(FEWEST_LATE_RECORDS, before * LATE_SHARE):
            growth[day] = grown
    return sorted(growth, key=lambda day: (-growth[day], day))[:MOST_GROWN_DAYS]


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
        unregistered = measured[~is_own & ~measured["key_id"].isin(self.registered)]
        requests = int(unregistered["request_count"].sum())
        if requests == 0:
            return measured[is_own], ()
        reason = "key not in the register, so its organization is unknown"
        return measured[is_own], (Fault(reason, requests),)


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
    if earlier_notes.undated and not notes.undated:
        # What came without a day belongs to the day on which it came first.
        notes = _keep_undated(notes, earlier_notes)
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


def _keep_undated(notes: Notes, earlier: Notes) -> Notes:
    """The notes with the records without a usable day that the earlier notes assigned to the day."""
    if notes.accounting is None or earlier.accounting is None:
        return replace(notes, undated=earlier.undated)
    unusable = dict(notes.accounting.unusable)
    for reason in earlier.undated:
        if reason in earlier.accounting.unusable and reason not in unusable:
            unusable[reason] = earlier.accounting.unusable[reason]
    return replace(notes, undated=earlier.undated, accounting=replace(notes.accounting, unusable=unusable))


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
    return both.agg({"first_seen": "min", "last_seen": "max", "longest_silence": "max"}).reset_index()

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

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import pandas as pd

from detector.config.config import Config
from detector.model.day import Day, each_day
from detector.model.errors import ConfigError, SourceError
from detector.model.usage import MEASURED, Fault, Revision
from detector.sources import NightlyRegister, Source
from detector.usage.aggregation import complete_day, known_after, limit_endpoints, period_records
from detector.usage.history import History, Notes, as_known

Progress = Callable[[date, int, int], None]
"""Called after each stored day: the day, how many are done, how many there are."""


def unwatched(day: date, done: int, total: int) -> None:
    """The progress of work that nobody watches."""


def pull(
    config: Config,
    source: Source,
    history: History,
    first: date,
    last: date,
    *,
    now: datetime,
    progress: Progress = unwatched,
    doubtful: bool = False,
) -> list[date]:
    """Store the days from first to last that the history lacks, and say which the source told.

    The last one and the ``settle_days`` before it are pulled again while late rows may still come, the last
    one also later where it is ``doubtful``. What changed is rewritten and noted as a revision. Raises
    SourceError, also where the source cannot tell about the last day; days already stored stay, and others
    that it cannot tell about are left out.
    """
    wanted = to_pull(config, history, first, last, now, doubtful=doubtful)
    missing = set(history.missing(first, last))
    if not wanted:
        return []
    present, watermark = _scope(config, source.keys()), source.watermark()
    told: list[date] = []
    for start, end in _stretches(wanted):
        known, due = _known(history, source, present, start), start
        for day, measured in source.usage(start, end):
            if day != due:  # the source left days out, and knows what happened on them
                known = _known(history, source, present, day)
            scope = _scope(config, source.keys_of(day)) if isinstance(source, NightlyRegister) else present
            own, left_out = scope.own(measured)
            limited = limit_endpoints(own, config.detection.endpoints_per_key)
            whole_day = Day(day, config.zone)
            records = complete_day(limited, scope.register, known, whole_day)
            notes = Notes(pulled_at=now, watermark=watermark, faults=(*source.faults(day), *left_out))
            if day not in missing:
                _rewrite(history, whole_day, records, notes, last)
            else:
                history.write(day, records, notes)
            known, due = known_after(records, whole_day), day + timedelta(days=1)
            told.append(day)
            progress(day, len(told), len(wanted))
        if told and told[-1] >= start:
            history.refreeze(end)
    if last not in told and history.missing(last, last):
        reasons = "; ".join(fault.reason for fault in source.faults(last)) or "it left the day out"
        raise SourceError(f"source {config.source.name} cannot tell about the day {last}: {reasons}")
    return told


def to_pull(
    config: Config, history: History, first: date, last: date, now: datetime, *, doubtful: bool = False
) -> list[date]:
    """The days from first to last that the history lacks, that have not settled, or that are doubtful."""
    missing = history.missing(first, last)
    stored = [day for day in _unsettled(config, last) if day >= first and day not in missing]
    again = {day for day in stored if _deserves_another_look(config, history, day, now)}
    return sorted({*missing, *again, *([last] if doubtful else [])})


def usage_between(history: History, first: date, last: date) -> pd.DataFrame:
    """The records of a period whose days are all stored."""
    end = Day(last, history.timezone).end
    return period_records([history.read(day) for day in each_day(first, last)], end)


@dataclass(frozen=True)
class _Scope:
    """The keys that may be seen. With an organization, only those the register gives to it."""

    organization: str | None
    register: pd.DataFrame
    everyone: frozenset[str]

    def own(self, measured: pd.DataFrame) -> tuple[pd.DataFrame, tuple[Fault, ...]]:
        """The records within the scope, and how many requests nobody can be shown."""
        if self.organization is None:
            return measured, ()
        mine = measured["key_id"].isin(self.register["key_id"])
        homeless = measured[~mine & ~measured["key_id"].isin(self.everyone)]
        requests = int(homeless["request_count"].sum())
        reason = "key not in the register, so its organization is unknown: requests left out"
        return measured[mine], ((Fault(reason, requests),) if requests else ())


def _scope(config: Config, register: pd.DataFrame) -> _Scope:
    organization = config.organization
    everyone = frozenset(register["key_id"])
    if organization is None:
        return _Scope(None, register, everyone)
    if register["organization"].isna().all():
        advice = (
            "the endpoint must state it with every key"
            if config.source.kind == "http"
            else "map its column with source.columns.organization"
        )
        raise ConfigError(
            f"organization is {organization!r}, but the key register names no organization; "
            f"{advice}, or remove organization from the configuration"
        )
    return _Scope(organization, register[register["organization"] == organization], everyone)


def _unsettled(config: Config, last: date) -> list[date]:
    """The last day, and those before it to which late rows may still come."""
    return [last - timedelta(days=ago) for ago in range(config.history.settle_days, -1, -1)]


def _deserves_another_look(config: Config, history: History, day: date, now: datetime) -> bool:
    """Whether a stored day was pulled before all its rows can have come, without any, or by a clock that ran
    ahead, so that nobody knows when."""
    notes = history.notes(day)
    settled = Day(day, history.timezone).end + timedelta(days=config.history.settle_days)
    return notes.pulled_at < settled or notes.last_use is None or notes.pulled_at > now


def _rewrite(history: History, day: Day, records: pd.DataFrame, notes: Notes, last: date) -> None:
    """Store a day anew where it changed. A source that no longer holds it takes nothing away."""
    before, noted = history.read(day.date), history.notes(day.date)
    revision = _revision(before, records, day.date, last)
    gone = revision.requests_before > 0 and revision.requests_after == 0
    same = before.equals(records) and noted.pulled_at >= day.end and _dated(noted) == _dated(notes)
    if gone or same:
        return
    revisions = (*noted.revisions, revision) if revision.keys else noted.revisions
    history.write(day.date, records, replace(notes, revisions=revisions))


def _revision(before: pd.DataFrame, after: pd.DataFrame, day: date, last: date) -> Revision:
    """How many requests there were and are, and of how many keys what was measured changed."""
    old, new = (_measured(frame) for frame in (before, after))
    keys = old.index.union(new.index)
    changed = old.reindex(keys).fillna("") != new.reindex(keys).fillna("")
    totals = [int(frame["request_count"].sum()) for frame in (before, after)]
    return Revision(day, last, totals[0], totals[1], int(changed.sum()))


def _measured(records: pd.DataFrame) -> pd.Series[str]:
    """What was measured of every key that has requests, by key, as text, so that maps compare too."""
    used = records.loc[records["request_count"] > 0, list(MEASURED)]
    texts = [repr(row) for row in used.itertuples(index=False, name=None)]
    return pd.Series(texts, index=pd.Index(used["key_id"], dtype=object), dtype=object)


def _dated(notes: Notes) -> list[Fault]:
    return [fault for fault in notes.faults if fault.dated]


def _stretches(wanted: Iterable[date]) -> list[tuple[date, date]]:
    """Runs of consecutive days as (first, last)."""
    stretches: list[tuple[date, date]] = []
    for day in wanted:
        if stretches and day - stretches[-1][1] == timedelta(days=1):
            stretches[-1] = (stretches[-1][0], day)
        else:
            stretches.append((day, day))
    return stretches


def _known(history: History, source: Source, scope: _Scope, start: date) -> pd.DataFrame:
    """What is known of every key before a day; the source is asked where the history has a gap."""
    known = history.known_before(start)
    if known is not None and not history.missing(start - timedelta(days=1), start - timedelta(days=1)):
        return known
    activity, _ = scope.own(source.activity_before(start).assign(request_count=0))
    reported = as_known(activity)
    if known is None:
        return reported
    both = pd.concat([known, reported], ignore_index=True).groupby("key_id", sort=True)
    return both.agg({"first_seen": "min", "last_seen": "max", "longest_silence": "max"}).reset_index()

"""From the source into the history: what is missing, each night whole, only the organization's own keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pandas as pd

from detector.aggregation import complete_night, known_after, limit_endpoints, period_records
from detector.config import Config
from detector.errors import ConfigError, SourceError
from detector.history import History, Notes, as_known, days
from detector.model import Fault, Night
from detector.sources import NightlyRegister, Source

Progress = Callable[[date, int, int], None]
"""Called after each stored night: the night, how many are done, how many there are."""


def unwatched(night: date, done: int, total: int) -> None:
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
) -> list[date]:
    """Store the nights from first to last that the history lacks, and say which.

    The last one is pulled again where it was stored before it was over, or empty: its data may have
    come since. Raises SourceError, also where the source cannot tell about the last night; nights already
    stored stay, and others that it cannot tell about are left out.
    """
    wanted = history.missing(first, last)
    if last not in wanted and _deserves_another_look(history, last):
        wanted.append(last)
    if not wanted:
        return []
    present, watermark = _scope(config, source.keys()), source.watermark()
    stored: list[date] = []
    for start, end in _stretches(wanted):
        known, due = _known(history, source, present, start), start
        for day, measured in source.usage(start, end):
            if day != due:  # the source left nights out, and knows what happened on them
                known = _known(history, source, present, day)
            scope = _scope(config, source.keys_of(day)) if isinstance(source, NightlyRegister) else present
            own, left_out = scope.own(measured)
            limited = limit_endpoints(own, config.detection.endpoints_per_key)
            night = Night(day, config.zone)
            records = complete_night(limited, scope.register, known, night)
            notes = Notes(pulled_at=now, watermark=watermark, faults=(*source.faults(day), *left_out))
            history.write(day, records, notes)
            known, due = known_after(records, night), day + timedelta(days=1)
            stored.append(day)
            progress(day, len(stored), len(wanted))
        if stored and stored[-1] >= start:
            history.refreeze(end)
    if last not in stored and history.missing(last, last):
        reasons = "; ".join(fault.reason for fault in source.faults(last)) or "it left the night out"
        raise SourceError(f"source {config.source.name} cannot tell about the night {last}: {reasons}")
    return stored


def usage_between(history: History, first: date, last: date) -> pd.DataFrame:
    """The records of a period whose nights are all stored."""
    end = Night(last, history.timezone).end
    return period_records([history.read(day) for day in days(first, last)], end)


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


def _deserves_another_look(history: History, night: date) -> bool:
    notes = history.notes(night)
    return notes.pulled_at < Night(night, history.timezone).end or notes.last_use is None


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
    """What is known of every key before a night; the source is asked where the history has a gap."""
    known = history.known_before(start)
    if known is not None and not history.missing(start - timedelta(days=1), start - timedelta(days=1)):
        return known
    activity, _ = scope.own(source.activity_before(start).assign(request_count=0))
    reported = as_known(activity)
    if known is None:
        return reported
    both = pd.concat([known, reported], ignore_index=True).groupby("key_id", sort=True)
    return both.agg({"first_seen": "min", "last_seen": "max", "longest_silence": "max"}).reset_index()

"""Usage from a by-key endpoint, ``GET /v1/analytics/usage/by-key``: day by day, or from running totals.

The keys in the answer for a day are those that existed by its end. So this source gives a register for every day:
a register of today would give keys without a creation date a past of zeros.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import pandas as pd

from detector.boundary.instants import Clock, utc_now
from detector.config.source import HttpSource
from detector.model.day import Day
from detector.model.errors import MissingDayError
from detector.model.usage import REGISTER, Accounting, Fault
from detector.sources.faults import FaultLog, Observation
from detector.sources.http.by_key_answer import ByKeyAnswer, KeyRecord, read_answer
from detector.sources.http.paging import Endpoint, NotHeldError
from detector.sources.http.snapshots import (
    Snapshot,
    Snapshots,
    difference,
    missing_snapshot_reason,
    unusable_reason,
)
from detector.usage.aggregation import empty

ONE_DAY = timedelta(days=1)
NOT_THERE = frozenset({404, 410})
"""Statuses that an answer to a question without a period cannot have where the URL is right."""


class Mode(Protocol):
    """How answers become days, as ``source.mode`` says. Every method may raise SourceError."""

    missing_reason: str
    """Why ``of`` returned None for the last day that it was called with."""

    def latest(self, endpoint: Endpoint) -> ByKeyAnswer:
        """The endpoint's newest answer."""

    def of(self, day: date, endpoint: Endpoint) -> ByKeyAnswer | None:
        """The usage of one day; None where it is not known."""

    def before(self, day: date, endpoint: Endpoint) -> tuple[ByKeyAnswer, Day | None]:
        """An answer with last activities before a day, and the day before it if the answer counts that day."""


class HttpReader:
    """The ``http`` source. A day is read with all its pages or not at all."""

    def __init__(self, config: HttpSource, timezone: ZoneInfo, clock: Clock = utc_now) -> None:
        self._config = config
        self._timezone = timezone
        self._clock = clock
        self._faults = FaultLog()
        self._register = empty(REGISTER)
        mode = PeriodMode if config.mode == "period" else CumulativeMode
        self._mode: Mode = mode(config, timezone, clock)

    def columns(self) -> dict[str, str]:
        """The members of a key that this source reads, by our names, which are the same."""
        return {name: name for name in KeyRecord.model_fields}

    def keys(self) -> pd.DataFrame:
        """The register in the endpoint's newest answer."""
        with self._endpoint() as endpoint:
            register, self._faults.register = self._mode.latest(endpoint).register()
        return register

    def keys_of(self, day: date) -> pd.DataFrame:
        """The keys in the answer for the day that ``usage`` yielded last: those that existed by its end."""
        return self._register

    def usage(self, first: date, last: date) -> Iterator[tuple[date, pd.DataFrame]]:
        """The records of every day that the endpoint holds, over one connection."""
        with self._endpoint() as endpoint:
            for number in range((last - first).days + 1):
                day = Day(first + number * ONE_DAY, self._timezone)
                answer = self._mode.of(day.date, endpoint)
                if answer is None:
                    missing = Observation(day.date, self._mode.missing_reason, 1)
                    self._faults.record(day, 0, [missing])
                    continue
                self._register, self._faults.register = answer.register()
                self._faults.record(day, len(answer.keys), answer.observed(day))
                yield day.date, answer.measured(day, self._config.deployment)

    def faults(self, day: date) -> tuple[Fault, ...]:
        """The faults of the answer for a day, or the reason why the day is missing; and those of the register."""
        return self._faults.of(day)

    def accounting(self, day: date) -> Accounting:
        """What became of the keys in the answer for a day."""
        return self._faults.accounting(day)

    def watermark(self) -> datetime | None:
        """The latest last activity of all keys, at most now; None where no key has one."""
        with self._endpoint() as endpoint:
            used = [key.last_used for key in self._mode.latest(endpoint).keys]
        latest = max((instant for instant in used if instant is not None), default=None)
        # A clock that runs ahead at the endpoint must not make a day look complete.
        return None if latest is None else min(latest, self._clock())

    def timeline(self, first: date, last: date) -> None:
        """An answer tells only the day of a request."""

    def activity_before(self, day: date) -> pd.DataFrame:
        """Last use of every key before a day, so that a long silence is known from the first day on."""
        with self._endpoint() as endpoint:
            answer, covered = self._mode.before(day, endpoint)
        return answer.activity_before(Day(day, self._timezone), covered)

    def _endpoint(self) -> Endpoint:
        return Endpoint(self._config, self._clock)


class PeriodMode:
    """The endpoint is asked for each day."""

    def __init__(self, config: HttpSource, timezone: ZoneInfo, clock: Clock) -> None:
        self.missing_reason = ""
        self._config = config
        self._timezone = timezone
        self._clock = clock
        self._answers: dict[date, ByKeyAnswer] = {}
        self._latest: ByKeyAnswer | None = None

    def latest(self, endpoint: Endpoint) -> ByKeyAnswer:
        """The answer for the last complete day, or the answer without a period where that day is not held."""
        if self._latest is None:
            day = Day.last_complete(self._clock(), self._timezone).date
            answer = self.of(day, endpoint)
            if answer is not None:
                # A run reads this day's keys, watermark and usage, and asks for it once.
                self._answers[day] = answer
            self._latest = answer or _answer_without_period(endpoint)
        return self._latest

    def of(self, day: date, endpoint: Endpoint) -> ByKeyAnswer | None:
        """The endpoint's answer for the day; None where it does not hold the day."""
        if day in self._answers:
            return self._answers[day]
        try:
            return read_answer(endpoint, self._period(Day(day, self._timezone)))
        except NotHeldError as error:
            self.missing_reason = f"the endpoint does not hold the day ({error})"
            return None

    def before(self, day: date, endpoint: Endpoint) -> tuple[ByKeyAnswer, Day | None]:
        """The answer for the day before. Where that day is not held, the answer for the day, or the latest."""
        previous = day - ONE_DAY
        answer = self.of(previous, endpoint)
        if answer is not None:
            return answer, Day(previous, self._timezone)
        return self.of(day, endpoint) or self.latest(endpoint), None

    def _period(self, day: Day) -> dict[str, str]:
        """The parameters that ask for a day."""
        if self._config.range == "instants":
            first = f"{day.start:%Y-%m-%dT%H:%M:%SZ}"
            last = f"{day.end:%Y-%m-%dT%H:%M:%SZ}"
        elif self._config.range == "dates":
            first = day.date.isoformat()
            last = (day.date + ONE_DAY).isoformat()
        else:
            first = day.date.isoformat()
            last = day.date.isoformat()
        return {self._config.from_parameter: first, self._config.to_parameter: last}


class CumulativeMode:
    """The endpoint gives running totals. Every run takes a snapshot, and days are differences of snapshots."""

    def __init__(self, config: HttpSource, timezone: ZoneInfo, clock: Clock) -> None:
        self.missing_reason = ""
        self._timezone = timezone
        self._clock = clock
        self._snapshots = Snapshots(config)
        self._latest: ByKeyAnswer | None = None

    def latest(self, endpoint: Endpoint) -> ByKeyAnswer:
        """The present totals. They are stored if no snapshot closes the last complete day yet."""
        if self._latest is None:
            taken_at = self._clock()
            self._latest = _answer_without_period(endpoint)
            day = Day.last_complete(taken_at, self._timezone).date
            self._snapshots.store(day, Snapshot(taken_at, self._latest))
        return self._latest

    def of(self, day: date, endpoint: Endpoint) -> ByKeyAnswer | None:
        """The difference of the snapshots that close the day and the day before it."""
        self.latest(endpoint)
        earlier = self._snapshots.read(day - ONE_DAY)
        later = self._snapshots.read(day)
        if earlier is None or later is None:
            self.missing_reason = missing_snapshot_reason(self._snapshots.days(), day)
            return None
        whole_day = Day(day, self._timezone)
        self.missing_reason = unusable_reason(earlier, later, whole_day) or ""
        if self.missing_reason:
            return None
        return difference(earlier, later, whole_day, lambda: self._snapshots.keys_before(day - ONE_DAY))

    def before(self, day: date, endpoint: Endpoint) -> tuple[ByKeyAnswer, Day | None]:
        """The totals that close the day before, or the present totals."""
        stored = self._snapshots.read(day - ONE_DAY)
        if stored is not None:
            return stored.answer, None
        # The present totals have the last activities of all keys that were silent since.
        return self.latest(endpoint), None


def _answer_without_period(endpoint: Endpoint) -> ByKeyAnswer:
    try:
        return read_answer(endpoint, {})
    except NotHeldError as error:
        problem = f"the endpoint holds no usage ({error})"
        advice = "check source.url, and that the endpoint has usage by now"
        if error.status in NOT_THERE:
            raise endpoint.wrong(problem, advice) from None
        raise MissingDayError(str(endpoint.error(problem, advice))) from None

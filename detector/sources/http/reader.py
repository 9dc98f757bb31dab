"""Usage from a by-key endpoint: ``GET /v1/analytics/usage/by-key``, day by day or from running totals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import pandas as pd

from detector.config.source import HttpSource
from detector.model.day import Day
from detector.model.usage import REGISTER, Fault
from detector.sources.faults import FaultLog, Observation
from detector.sources.http.by_key_answer import Answer, KeyRecord, read_answer
from detector.sources.http.paging import Endpoint, NotHeldError
from detector.sources.http.snapshots import Snapshot, Snapshots, difference, gap, too_far
from detector.sources.windows import Window
from detector.usage.aggregation import empty

ONE_DAY = timedelta(days=1)
Clock = Callable[[], datetime]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Reading(Protocol):
    """How answers become days. Every method may raise SourceError."""

    excuse: str
    """Why ``of`` told nothing about the day it was asked for last."""

    def latest(self, endpoint: Endpoint) -> Answer:
        """What the endpoint says of the present."""

    def of(self, day: date, endpoint: Endpoint) -> Answer | None:
        """The usage of one day; None where it cannot be told."""

    def before(self, day: date, endpoint: Endpoint) -> tuple[Answer, Day | None]:
        """An answer that tells when keys were used before a day, and the day its counts are of, if one."""


class HttpReader:
    """The ``http`` source. A day is read whole, all pages, or not at all."""

    def __init__(self, config: HttpSource, timezone: ZoneInfo, clock: Clock = _utc_now) -> None:
        self._config = config
        self._timezone = timezone
        self._clock = clock
        self._faults = FaultLog()
        self._register = empty(REGISTER)
        reading = PeriodReading if config.mode == "period" else SnapshotReading
        self._reading: Reading = reading(config, timezone, clock)

    def columns(self) -> dict[str, str]:
        """The members of a key that are used where it has them."""
        return {name: name for name in KeyRecord.model_fields}

    def keys(self) -> pd.DataFrame:
        """The keys as of now, with what the endpoint says of them."""
        with self._endpoint() as endpoint:
            register, self._faults.register = self._reading.latest(endpoint).register()
        return register

    def keys_of(self, day: date) -> pd.DataFrame:
        """The keys that came with the day yielded last: those that existed by its end."""
        return self._register

    def usage(self, first: date, last: date) -> Iterator[tuple[date, pd.DataFrame]]:
        """Records of every day that the endpoint can tell about, over one connection."""
        with self._endpoint() as endpoint:
            for number in range((last - first).days + 1):
                day = Day(first + number * ONE_DAY, self._timezone)
                answer = self._reading.of(day.date, endpoint)
                if answer is None:
                    self._faults.record(Window((day,)), [Observation(day.date, self._reading.excuse, 1)])
                    continue
                self._register, self._faults.register = answer.register()
                self._faults.record(Window((day,)), answer.observed(day))
                yield day.date, answer.measured(day, self._config.deployment)

    def faults(self, day: date) -> tuple[Fault, ...]:
        """What was wrong with the answer for a day, or why there was none."""
        return self._faults.of(day)

    def watermark(self) -> datetime | None:
        """The last activity of any key, as far as the endpoint has got by now."""
        with self._endpoint() as endpoint:
            used = [key.last_used for key in self._reading.latest(endpoint).keys]
        return max((min(instant, self._clock()) for instant in used if instant is not None), default=None)

    def activity_before(self, day: date) -> pd.DataFrame:
        """Last use of every key before a day, so that a key asleep for long is known from the first day."""
        with self._endpoint() as endpoint:
            answer, covered = self._reading.before(day, endpoint)
        return answer.activity_before(Day(day, self._timezone), covered)

    def _endpoint(self) -> Endpoint:
        return Endpoint(self._config, self._clock)


class PeriodReading:
    """The endpoint is asked for each day. The answer for the day that ended last is kept for the run."""

    def __init__(self, config: HttpSource, timezone: ZoneInfo, clock: Clock) -> None:
        self.excuse = ""
        self._config = config
        self._timezone = timezone
        self._clock = clock
        self._kept: dict[date, Answer] = {}
        self._present: Answer | None = None

    def latest(self, endpoint: Endpoint) -> Answer:
        """The day that ended last or, where the endpoint does not hold it, what it answers unasked."""
        if self._present is None:
            day = Day.last_complete(self._clock(), self._timezone).date
            answer = self.of(day, endpoint)
            if answer is not None:
                self._kept[day] = answer
            self._present = answer or _unasked(endpoint)
        return self._present

    def of(self, day: date, endpoint: Endpoint) -> Answer | None:
        """The endpoint's answer for the day; None where it holds none."""
        if day in self._kept:
            return self._kept[day]
        try:
            return read_answer(endpoint, self._range(Day(day, self._timezone)))
        except NotHeldError as error:
            self.excuse = f"the endpoint does not hold the day ({error})"
            return None

    def before(self, day: date, endpoint: Endpoint) -> tuple[Answer, Day | None]:
        """The answer for the day before or, where that is not held, for the day itself, or the latest."""
        day = day - ONE_DAY
        answer = self.of(day, endpoint)
        if answer is not None:
            return answer, Day(day, self._timezone)
        return self.of(day, endpoint) or self.latest(endpoint), None

    def _range(self, day: Day) -> dict[str, str]:
        if self._config.range == "instants":
            bounds = [f"{bound:%Y-%m-%dT%H:%M:%SZ}" for bound in (day.start, day.end)]
        else:
            last = day.date + ONE_DAY if self._config.range == "dates" else day.date
            bounds = [day.date.isoformat(), last.isoformat()]
        return dict(zip((self._config.from_parameter, self._config.to_parameter), bounds, strict=True))


class SnapshotReading:
    """The endpoint tells running totals; every run takes a snapshot, and days are the differences."""

    def __init__(self, config: HttpSource, timezone: ZoneInfo, clock: Clock) -> None:
        self.excuse = ""
        self._timezone = timezone
        self._clock = clock
        self._snapshots = Snapshots(config)
        self._present: Answer | None = None

    def latest(self, endpoint: Endpoint) -> Answer:
        """The totals of now; they are stored where no snapshot closes the day that ended last."""
        if self._present is None:
            taken_at = self._clock()
            self._present = _unasked(endpoint)
            day = Day.last_complete(taken_at, self._timezone).date
            self._snapshots.keep(day, Snapshot(taken_at, self._present))
        return self._present

    def of(self, day: date, endpoint: Endpoint) -> Answer | None:
        """The difference of the snapshots that close the day and the one before."""
        self.latest(endpoint)
        earlier, later = self._snapshots.read(day - ONE_DAY), self._snapshots.read(day)
        if earlier is None or later is None:
            self.excuse = gap(self._snapshots.days(), day)
            return None
        span = Day(day, self._timezone)
        self.excuse = too_far(earlier, later, span) or ""
        if self.excuse:
            return None
        return difference(earlier, later, span, lambda: self._snapshots.seen_before(day - ONE_DAY))

    def before(self, day: date, endpoint: Endpoint) -> tuple[Answer, Day | None]:
        """The totals as of the day before, or of now: old last activities are in both."""
        stored = self._snapshots.read(day - ONE_DAY)
        return (stored.answer if stored else self.latest(endpoint)), None


def _unasked(endpoint: Endpoint) -> Answer:
    """What the endpoint answers without being asked for a period."""
    try:
        return read_answer(endpoint, {})
    except NotHeldError as error:
        raise endpoint.error(
            f"nothing there ({error})", "check source.url, and that the endpoint holds usage already"
        ) from None

"""Faults: input that could not be used, counted by reason and day, with samples that hold no secret.

There are two kinds of faults. A bad row whose day is known belongs to that day. A row without a usable time
belongs to the source as a whole and is repeated with every day that is pulled from it; otherwise its count
would depend on how the pull was divided into windows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date

from detector.model.usage import MISSING_FILE, Fault
from detector.sources.windows import Window

SAMPLES = 3
SAMPLE_LENGTH = 80
PLACE_LENGTH = 28

NO_FILE = MISSING_FILE
NO_KEY = "no key id: not attributable to a key"
NO_TIME = "missing or unreadable timestamp"
NO_DAY = "missing or unreadable day"
BAD_REQUESTS = "request_count is not a count"
BAD_ERRORS = "error_count is not a count, taken as 0"
TOO_MANY_ERRORS = "error_count above request_count, taken as request_count"
BAD_STATUS = "status is not a number, taken as no error"
BAD_ACTIVITY = "last_activity is not a time, taken as unknown"

_TOKEN = re.compile(r"[A-Za-z0-9_+=-]{20,}")
_WORDS = re.compile(r"(?:[A-Z]{0,4}[a-z]{3,}){1,6}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")


@dataclass(frozen=True)
class Observation:
    """Some rows with one fault, as an engine reports them; ``day`` is None where it is not known."""

    day: date | None
    reason: str
    count: int
    sample: str | None = None


def mask(text: str) -> str:
    """The text with everything that looks like a secret cut to its first four characters.

    Operation names such as ``DescribeLoadBalancers`` are words and stay.
    """
    return _TOKEN.sub(lambda match: _shortened(match.group()), _CONTROL.sub(" ", text).strip())


def sample(text: str, place: str = "") -> str:
    """One line of at most 80 characters: the place, then the masked text."""
    shown = f"{tail(place, PLACE_LENGTH)}: {mask(text)}" if place else mask(text)
    return shown if len(shown) <= SAMPLE_LENGTH else shown[: SAMPLE_LENGTH - 1] + "…"


def tail(place: str, length: int = SAMPLE_LENGTH) -> str:
    """The end of a long place, where file names differ."""
    return place if len(place) <= length else "…" + place[1 - length :]


@dataclass
class FaultLog:
    """The faults of the days pulled so far, and of the register."""

    register: tuple[Fault, ...] = ()
    _days: dict[date, tuple[Fault, ...]] = field(default_factory=dict)

    def record(self, window: Window, observations: Iterable[Observation]) -> None:
        """Keep what was observed in a window; what belongs to no day is repeated for each."""
        seen = list(observations)
        everywhere = tuple(undated(seen))
        for day in window.days:
            self._days[day.date] = tuple(_faults(seen, day.date)) + everywhere

    def of(self, day: date) -> tuple[Fault, ...]:
        """The faults of a day, of the source as a whole, and of the register."""
        return self._days.get(day, ()) + self.register


def undated(observations: Iterable[Observation], origin: str = "") -> Iterator[Fault]:
    """The faults that belong to no day; ``origin`` stands before their reasons."""
    for fault in _faults(observations, None):
        yield replace(fault, reason=origin + fault.reason)


def _faults(observations: Iterable[Observation], day: date | None) -> Iterator[Fault]:
    reasons: dict[str, list[Observation]] = {}
    for seen in observations:
        if seen.day == day:
            reasons.setdefault(seen.reason, []).append(seen)
    for reason, group in sorted(reasons.items()):
        samples = sorted({seen.sample for seen in group if seen.sample})[:SAMPLES]
        yield Fault(reason, sum(seen.count for seen in group), tuple(samples), dated=day is not None)


def _shortened(token: str) -> str:
    return token if _WORDS.fullmatch(token) else token[:4] + "…"

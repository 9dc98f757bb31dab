"""Faults: input that could not be used, counted by reason and day, with samples that hold no secret.

There are two kinds of faults. A bad row whose day is known belongs to that day. A row without a usable time
belongs to the source as a whole and is repeated with every day that is pulled from it; otherwise its count
would depend on how the pull was divided into windows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date

from detector.boundary.masking import mask_tokens
from detector.boundary.text import shortened
from detector.model.usage import MISSING_FILE, Fault
from detector.sources.windows import Window

SAMPLES = 3
SAMPLE_LENGTH = 80
ORIGIN_LENGTH = 28

NO_FILE = MISSING_FILE
NO_KEY = "no key id: not attributable to a key"
NO_TIME = "missing or unreadable timestamp"
NO_DAY = "missing or unreadable day"
BAD_REQUESTS = "request_count is not a count"
BAD_ERRORS = "error_count is not a count, taken as 0"
TOO_MANY_ERRORS = "error_count above request_count, taken as request_count"
BAD_STATUS = "status is not a number, taken as no error"
BAD_ACTIVITY = "last_activity is not a time, taken as unknown"


@dataclass(frozen=True)
class Observation:
    """Some rows with the same fault, as an engine counts them; ``day`` is None where it is not known."""

    day: date | None
    reason: str
    count: int
    sample: str | None = None


def sample(text: str, origin: str = "") -> str:
    """One line of at most 80 characters: the origin (file, page or day) of a text, and the masked text."""
    line = mask_tokens(text)
    if origin:
        line = f"{tail(origin, ORIGIN_LENGTH)}: {line}"
    return shortened(line, SAMPLE_LENGTH)


def tail(path: str, length: int = SAMPLE_LENGTH) -> str:
    """The last characters of a path: its end names the file."""
    return path if len(path) <= length else "…" + path[1 - length :]


@dataclass
class FaultLog:
    """The faults of the days pulled so far, and of the register."""

    register: tuple[Fault, ...] = ()
    _days: dict[date, tuple[Fault, ...]] = field(default_factory=dict)

    def record(self, window: Window, observations: Iterable[Observation]) -> None:
        """Store the faults of a window. A fault without a day is stored with each of its days."""
        observed = list(observations)
        without_day = tuple(undated(observed))
        for day in window.days:
            self._days[day.date] = tuple(_faults(observed, day.date)) + without_day

    def of(self, day: date) -> tuple[Fault, ...]:
        """The faults of a day, of the source as a whole, and of the register."""
        return self._days.get(day, ()) + self.register


def undated(observations: Iterable[Observation], prefix: str = "") -> Iterator[Fault]:
    """The faults without a day, with the prefix before their reasons."""
    for fault in _faults(observations, None):
        yield replace(fault, reason=prefix + fault.reason)


def _faults(observations: Iterable[Observation], day: date | None) -> Iterator[Fault]:
    groups: dict[str, list[Observation]] = {}
    for observation in observations:
        if observation.day == day:
            groups.setdefault(observation.reason, []).append(observation)
    for reason, group in sorted(groups.items()):
        count = sum(observation.count for observation in group)
        # In order, so that a day that is pulled again has the same samples.
        samples = sorted({observation.sample for observation in group if observation.sample})
        yield Fault(reason, count, tuple(samples[:SAMPLES]), dated=day is not None)

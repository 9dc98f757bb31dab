"""Faults and accounting: what became of every record, by reason and day, with samples that hold no secret.

A bad record whose day is known belongs to that day. A record without a usable time belongs to the source as a
whole and is repeated with every day that is pulled from it; otherwise its count would depend on how the pull was
divided into windows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date

from detector.boundary.masking import mask_tokens
from detector.boundary.text import shortened
from detector.model.day import Day
from detector.model.usage import MISSING_FILE, Accounting, Amount, Fault, FaultKind

SAMPLES = 3
SAMPLE_LENGTH = 80
ORIGIN_LENGTH = 28

REGISTER_PREFIX = "register: "

NO_FILE = MISSING_FILE
NO_KEY = "no key id, not attributable to a key"
NO_TIME = "missing or unreadable timestamp"
NO_DAY = "missing or unreadable day"
REPEATED = "event id repeated, counted once for its key"
BAD_REQUESTS = "request_count is not a count"
BAD_ERRORS = "error_count is not a count, taken as 0"
FUTURE = "timestamp in the future"
BEFORE_ALL = "timestamp before the first stored day"
STRAY = "timestamp more than a day away from the day of its file"
TOO_MANY_ERRORS = "error_count above request_count, taken as request_count"
BAD_STATUS = "status is no HTTP code and no known word, taken as an error"
BAD_ACTIVITY = "last_activity is not a time, taken as unknown"


@dataclass(frozen=True)
class Observation:
    """Some records with the same defect, as an engine counts them; ``day`` is None where it is not known.

    ``bytes`` is the size of text in which records cannot be told apart.
    """

    day: date | None
    reason: str
    count: int
    sample: str | None = None
    kind: FaultKind = "unusable"
    bytes: int = 0


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
    """The faults and the accounting of the days pulled so far, and the faults of the register."""

    register: tuple[Fault, ...] = ()
    _days: dict[date, tuple[Fault, ...]] = field(default_factory=dict)
    _counted: dict[date, int] = field(default_factory=dict)

    def record(self, day: Day, counted: int, observations: Iterable[Observation]) -> None:
        """Store what became of the records of a day; ``counted`` are those in the usage of a key.

        A fault without a day is stored with each day. Observations of other days are left out.
        """
        observed = list(observations)
        self._days[day.date] = (*_faults(observed, day.date), *undated(observed))
        self._counted[day.date] = counted

    def of(self, day: date) -> tuple[Fault, ...]:
        """The faults of a day, of the source as a whole, and of the register."""
        return self._days.get(day, ()) + self.register

    def accounting(self, day: date) -> Accounting:
        """What became of the records of a day. Records without a day are not among them."""
        return accounted(self._counted.get(day, 0), self._days.get(day, ()))


def accounted(counted: int, faults: Iterable[Fault]) -> Accounting:
    """The accounting of a day from the number of its counted records and its faults; faults without a day are
    left out."""
    totals = {"keyless": 0, "repeated": 0, "unusable": 0, "note": 0}
    unusable: dict[str, Amount] = {}
    for fault in faults:
        if not fault.dated:
            continue
        totals[fault.kind] += fault.count
        if fault.kind == "unusable":
            unusable[fault.reason] = unusable.get(fault.reason, Amount(0)) + Amount(fault.count, fault.bytes)
    return Accounting(counted, totals["keyless"], totals["repeated"], unusable)


def undated(observations: Iterable[Observation], prefix: str = "") -> Iterator[Fault]:
    """The faults without a day, with the prefix before their reasons."""
    for fault in _faults(observations, None):
        yield replace(fault, reason=prefix + fault.reason)


def amounts_without_day(faults: Iterable[Fault]) -> dict[str, Amount]:
    """The records of the usage without a usable day, by reason."""
    amounts: dict[str, Amount] = {}
    for fault in faults:
        is_of_records = fault.kind == "unusable" and not fault.reason.startswith(REGISTER_PREFIX)
        if is_of_records and not fault.dated:
            amounts[fault.reason] = amounts.get(fault.reason, Amount(0)) + Amount(fault.count, fault.bytes)
    return amounts


def _chosen(samples: Iterable[str]) -> tuple[str, ...]:
    """A few samples, of as many files as possible: a file of which nothing could be used must be named."""
    # In order, so that a day that is pulled again has the same samples.
    ordered = sorted(samples)
    first_of: dict[str, str] = {}
    for line in ordered:
        first_of.setdefault(line.partition(": ")[0], line)
    of_others = [line for line in ordered if line not in first_of.values()]
    return tuple([*first_of.values(), *of_others][:SAMPLES])


def _faults(observations: Iterable[Observation], day: date | None) -> Iterator[Fault]:
    groups: dict[tuple[str, FaultKind], list[Observation]] = {}
    for observation in observations:
        if observation.day == day:
            groups.setdefault((observation.reason, observation.kind), []).append(observation)
    for (reason, kind), group in sorted(groups.items()):
        yield Fault(
            reason,
            count=sum(observation.count for observation in group),
            samples=_chosen({observed.sample for observed in group if observed.sample}),
            dated=day is not None,
            kind=kind,
            bytes=sum(observation.bytes for observation in group),
        )

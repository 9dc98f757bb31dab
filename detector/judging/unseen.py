"""Records that nobody saw: more than on past days came without a key, repeated, unusable or not at all.

A share of such records is ordinary, and every source has its own. A jump of the share hides requests, by accident
or on purpose. So a day is compared with the past of its own source. The same holds for records with a defect that
count anyway: what the source always has is no news.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from detector.boundary.words import counted, singular_or_plural
from detector.model.panel import Panel
from detector.model.usage import WHOLE_FILE, Accounting, Fault

_HOUR = timedelta(hours=1)

LOOK_BACK = 28
FEWEST_DAYS = 7
FEWEST_RECORDS = 20
"""Fewer records than these hide nothing, where a record is a request."""

REQUESTS_OF_ROLLUP = 2
"""With at least so many requests a record, the records are sums."""

BYTES_A_RECORD = 300
"""The size of a record in text in which records cannot be told apart: about that of a line of an access log."""

USUAL_QUANTILE = 0.75
"""So many of the past shares are usual. A day of an incident is not, and a new level is after a week."""

FACTOR = 1.5
SLACK = 0.001
"""A share is a jump beyond FACTOR times the usual share and SLACK, where the past is steady."""

LARGEST_FACTOR = 3.0
SPREADS = 3.5
"""Where shares vary, so many standard deviations of their logarithms above the median are usual too, up to
LARGEST_FACTOR times the usual share."""

_QUARTILE = 0.6745
"""The upper quartile of a normal distribution, in standard deviations."""

YOUNG_SHARES = {"keyless": 0.2, "repeated": 0.05, "unusable": 0.01}
"""The largest shares of a source without a past."""

HOLE_SHARE = 0.1
"""Hours are a hole where they have less than this share of the lowest comparable day."""

FEWEST_IN_HOLE = 30
"""The fewest records that the lowest comparable day must have in the hours of a hole."""


@dataclass(frozen=True)
class Jump:
    """A share of the records of a day that has jumped; ``usual`` is None while there is too little past."""

    what: str
    records: int
    share: float
    usual: float | None

    @property
    def text(self) -> str:
        """The jump as a sentence."""
        words = _WORDS[self.what]
        amount = f"{counted(self.records, 'record')} ({self.share:.1%}) {words}"
        if self.usual is None:
            return f"{amount}. The source has too little history to call this usual."
        return f"{amount}; at most {self.usual:.1%} are usual."


_WORDS = {
    "keyless": "came without a key",
    "repeated": "repeat records that were counted",
    "unusable": "could not be used",
}


@dataclass(frozen=True)
class Hole:
    """Hours of a day with hardly any record; ``first`` to ``last`` are local hours, both included."""

    first: int
    last: int
    records: int
    usual: int

    @property
    def text(self) -> str:
        """The hole as a sentence."""
        hours = f"From {self.first:02d}:00 to {self.last + 1:02d}:00"
        there_are = f"there {singular_or_plural(self.records, 'is', 'are')} {counted(self.records, 'record')}"
        return f"{hours} {there_are}; the lowest comparable day has {self.usual:,}."


def jumps(panel: Panel) -> list[Jump]:
    """The shares of the evaluated day that have jumped."""
    today = panel.accounting
    if today is None:
        return []
    past = list(panel.accountings[-1 - LOOK_BACK : -1])
    weekdays = panel.weekdays[-1 - len(past) : -1]
    known = []
    for entry, weekday in zip(past, weekdays, strict=True):
        # A day without a record, for example before the first use, has no share.
        if entry is not None and _records(entry):
            known.append((entry, weekday))
    same_weekday = np.array([weekday == panel.weekdays[-1] for _, weekday in known], dtype=np.bool_)
    found = []
    fewest = 1 if _is_rollup(panel, today) else FEWEST_RECORDS
    for what, weight in _WEIGHTS.items():
        records = weight(today)
        share = _share(today, records)
        shares = np.array([_share(entry, weight(entry)) for entry, _ in known])
        usual = _usual(shares, same_weekday)
        limit = YOUNG_SHARES[what] if usual is None else _raised(usual, _factor(shares)) + SLACK
        if records >= fewest and share > limit:
            found.append(Jump(what, records, share, usual))
    return found


def _is_rollup(panel: Panel, today: Accounting) -> bool:
    """Whether a record is a sum of requests, so that one may be the whole day of a key."""
    return int(panel.requests[:, -1].sum()) >= REQUESTS_OF_ROLLUP * max(today.counted, 1)


def is_usual(panel: Panel, fault: Fault) -> bool:
    """Whether the source has always had about as many records, or files, with a fault of the evaluated day.

    False while there is too little past. ``jumps`` compares the records that could not be used.
    """
    past = panel.earlier_faults[-LOOK_BACK:]
    known = [position for position, faults in enumerate(past) if faults is not None]
    is_of_files = fault.reason.startswith(WHOLE_FILE)
    is_compared_by_share = fault.kind != "note" and not is_of_files
    if len(known) < FEWEST_DAYS:
        return False
    if is_compared_by_share or (fault.count < FEWEST_RECORDS and not is_of_files):
        return True
    counts = np.array([_count(past[position] or (), fault) for position in known], dtype=np.float64)
    weekdays = panel.weekdays[-1 - len(past) : -1][known]
    usual = _usual(counts, weekdays == panel.weekdays[-1])
    return usual is not None and fault.count <= usual * _factor(counts)


def _count(faults: Iterable[Fault], alike: Fault) -> int:
    """The records of a past day with the same fault."""
    return sum(fault.count for fault in faults if (fault.reason, fault.kind) == (alike.reason, alike.kind))


def holes(panel: Panel) -> list[Hole]:
    """The runs of hours in which the evaluated day has hardly any record though all comparable days have some."""
    today = panel.accounting
    if today is None or today.hours is None:
        return []
    past = _comparable_hours(panel)
    if len(past) < 3:
        return []
    hours = np.array(today.hours)
    lowest = past.min(axis=0)
    # An hour that the day does not have, because the clocks change, is no hole.
    exists = np.isin(np.arange(24), list(_hours_of(panel)))
    is_low = exists & (lowest > 0) & (hours <= HOLE_SHARE * lowest)
    found = []
    for first, last in _runs(is_low):
        usual = int(past[:, first : last + 1].sum(axis=1).min())
        records = int(hours[first : last + 1].sum())
        if usual >= FEWEST_IN_HOLE and records < HOLE_SHARE * usual:
            found.append(Hole(first, last, records, usual))
    return found


def _unusable(accounting: Accounting) -> int:
    """The unusable records; text in which they cannot be told apart counts by its size."""
    total = 0
    for amount in accounting.unusable.values():
        total += max(amount.records, amount.bytes // BYTES_A_RECORD)
    return total


_WEIGHTS: dict[str, Callable[[Accounting], int]] = {
    "keyless": lambda accounting: accounting.keyless,
    "repeated": lambda accounting: accounting.repeated,
    "unusable": _unusable,
}


def _records(accounting: Accounting) -> int:
    return accounting.counted + accounting.keyless + accounting.repeated + _unusable(accounting)


def _share(accounting: Accounting, records: int) -> float:
    total = _records(accounting)
    return records / total if total else 0.0


def _usual(shares: NDArray[np.float64], same_weekday: NDArray[np.bool_]) -> float | None:
    """The largest usual share, or count; None while there is too little past."""
    if len(shares) < FEWEST_DAYS:
        return None
    usual = float(np.quantile(shares, USUAL_QUANTILE))
    if same_weekday.sum() >= 3:
        # A job that runs on one day of the week is usual on that day.
        usual = max(usual, float(np.median(shares[same_weekday])))
    return usual


def _raised(share: float, factor: float) -> float:
    """The share times the factor; for a large share less, because no day has a share beyond one."""
    # Twice the factor in odds is more than the product for all but large shares.
    odds = 2 * factor * share
    return min(factor * share, odds / (odds + 1 - share))


def _factor(shares: NDArray[np.float64]) -> float:
    """How many times the usual share, or count, is no jump: more where the past varies much from day to day."""
    median, usual = np.quantile(shares, [0.5, USUAL_QUANTILE])
    if median <= 0:
        return FACTOR
    deviation = np.log(usual / median) / _QUARTILE
    above_usual = (SPREADS - _QUARTILE) * deviation
    return float(min(max(np.exp(above_usual), FACTOR), LARGEST_FACTOR))


def _comparable_hours(panel: Panel) -> NDArray[np.int64]:
    """Days x hours: the records of the last days of the same weekday, or of all days where these are few."""
    hours = [entry.hours if entry is not None else None for entry in panel.accountings[:-1]]
    known = [position for position, entry in enumerate(hours) if entry is not None]
    present = [position for position in known if not panel.missing[position]]
    same = [position for position in present if panel.weekdays[position] == panel.weekdays[-1]][-8:]
    chosen: Sequence[int] = same if len(same) >= 3 else present[-LOOK_BACK:]
    return np.array([hours[position] for position in chosen], dtype=np.int64).reshape(-1, 24)


def _hours_of(panel: Panel) -> set[int]:
    """The local hours that the evaluated day has."""
    day = panel.day
    count = int((day.end - day.start).total_seconds() // 3600)
    return {(day.start + number * _HOUR).astimezone(day.timezone).hour for number in range(count)}


def _runs(low: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The runs of True as (first, last)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], low, [False]]).astype(np.int8)))
    return [(int(start), int(end) - 1) for start, end in zip(edges[::2], edges[1::2], strict=True)]

"""The accounts of a pull: what became of every record, assigned to the days.

A record without a usable day belongs to no day. But one that nobody assigns to a day is missing from every
accounting, and hides whatever it was. So its number is stored with every last day that is pulled, and its growth
since the last day before belongs to the accounting of the day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from detector.model.day import Day
from detector.model.usage import Accounting, Amount, Fault
from detector.sources import Source
from detector.sources.faults import BEFORE_ALL, FUTURE, STRAY, amounts_without_day
from detector.sources.timeline import Timeline
from detector.usage.history import History, Notes

FEWEST_LATE_RECORDS = 20
LATE_SHARE = 0.01
"""A settled day is pulled again where it has grown by more than this share, and by more records than these."""
MOST_GROWN_DAYS = 7
FEW_UNDATED = 0.01
"""The largest share of records without a usable day that a first pull takes for ordinary."""


@dataclass(frozen=True)
class Accounts:
    """The accounts of one pull of the days ``first`` to ``last``. ``timeline`` is None where the source has none.

    ``is_first`` says whether no earlier pull has stored its last day. A first pull that was interrupted goes on as
    one, with the same result.
    """

    history: History
    timeline: Timeline | None
    first: date
    last: date
    is_first: bool

    @classmethod
    def of(cls, history: History, timeline: Timeline | None, first: date, last: date) -> Accounts:
        """The accounts of a pull of days from first to last."""
        stored = history.readable_notes().values()
        is_first = all(notes.accounting is not None and notes.oldest is None for notes in stored)
        return cls(history, timeline, min([first, *history.days()]), last, is_first)

    def settle(self, notes: Notes, day: date) -> Notes:
        """The notes of a day with the records without a usable day that belong to it."""
        if self.is_first:
            return self._first(notes, day)
        if day == self.last and not any(stored > day for stored in self.history.days()):
            return self._later(notes, day)
        return notes

    def _later(self, notes: Notes, day: date) -> Notes:
        """The notes of the last day, with the records that came without a usable day since the day before."""
        undated = self._undated(notes.faults)
        stored = self.history.days()
        notes_by_day = self.history.readable_notes()
        earlier = (notes_by_day[past] for past in reversed(notes_by_day) if past < day)
        before = next((found for found in earlier if found.undated), None)
        known = {} if before is None else before.undated
        grown = {reason: _growth(known.get(reason, Amount(0)), amount) for reason, amount in undated.items()}
        oldest = min(stored[0], day) if stored else day
        if before is not None and before.oldest is not None:
            # Days that were removed since then do not make the rest look as if it had grown.
            grown[BEFORE_ALL] = _growth(known.get(BEFORE_ALL, Amount(0)), self._before(before.oldest))
        undated[BEFORE_ALL] = self._before(oldest)
        return replace(_with_unusable(notes, grown), undated=undated, oldest=oldest)

    def _first(self, notes: Notes, day: date) -> Notes:
        """The notes of a day of the first pull, with its share of the records without a usable day.

        Nobody knows of which of the days they are. A few are spread over all days, so that as many on the days to
        come are no jump. Where they are many, somebody has to look: the last day gets them all.
        """
        days = (self.last - self.first).days + 1
        number = (day - self.first).days + 1
        whole = self._undated(notes.faults)
        total = sum(amount.records for amount in whole.values())
        dated = 0 if self.timeline is None else sum(self.timeline.quarters.values())
        are_few = total <= FEW_UNDATED * (dated + total)
        # As if the records had come day by day, so that a day that is pulled again gets the same share.
        so_far: dict[str, Amount] = {}
        shares: dict[str, Amount] = {}
        for reason, amount in whole.items():
            # Records that are fewer than the days stay together, with their bytes.
            is_spread = are_few and amount.records >= days
            share = Amount(amount.records // days, amount.bytes // days) if is_spread else Amount(0)
            before = Amount((number - 1) * share.records, (number - 1) * share.bytes)
            so_far[reason] = amount if day == self.last else before + share
            shares[reason] = _growth(before, so_far[reason])
        # Data older than the history are no news when it begins.
        so_far[BEFORE_ALL] = self._before(self.first)
        oldest = self.first if day == self.last else None
        return replace(_with_unusable(notes, shares), undated=so_far, oldest=oldest)

    def _undated(self, faults: Iterable[Fault]) -> dict[str, Amount]:
        """The records without a usable day by reason, those of the future among them."""
        amounts = amounts_without_day(faults)
        if self.timeline is not None:
            amounts[FUTURE] = Amount(self.timeline.later)
        return amounts

    def _before(self, day: date) -> Amount:
        """The records before a day, where all records of the source were looked at."""
        if self.timeline is None or not self.timeline.covers_all:
            return Amount(0)
        return Amount(self.timeline.before(Day(day, self.history.timezone)))


def day_accounting(source: Source, day: Day, timeline: Timeline | None, left_out: Mapping[str, int]) -> Accounting:
    """What became of the records of a day, its strays among them.

    ``left_out`` are records of keys whose organization is unknown, by reason.
    """
    accounting = source.accounting(day.date)
    unusable = dict(accounting.unusable)
    for reason, records in left_out.items():
        unusable[reason] = Amount(records)
    counted = accounting.counted - sum(left_out.values())
    hours = None
    if timeline is not None:
        hours = timeline.hours(day)
        strays = timeline.strays.get(day.date, 0)
        if strays:
            unusable[STRAY] = Amount(strays)
    return replace(accounting, counted=max(counted, 0), unusable=unusable, hours=hours)


def with_undated_of(notes: Notes, earlier: Notes) -> Notes:
    """The notes of a day that is pulled again, with the records without a usable day that it had before."""
    if notes.undated or not earlier.undated:
        return notes
    kept = replace(notes, undated=earlier.undated, oldest=earlier.oldest)
    if kept.accounting is None or earlier.accounting is None:
        return kept
    unusable = dict(kept.accounting.unusable)
    for reason in earlier.undated:
        if reason in earlier.accounting.unusable and reason not in unusable:
            unusable[reason] = earlier.accounting.unusable[reason]
    return replace(kept, accounting=replace(kept.accounting, unusable=unusable))


def grown_days(history: History, timeline: Timeline | None, before: date) -> list[date]:
    """The stored days before a date for which the source has got notably more records since they were pulled.

    The days that have grown most are taken, and they are few, so that a source whose past is written anew does not
    stop the run.
    """
    if timeline is None:
        return []
    growth: dict[date, int] = {}
    for day, notes in history.readable_notes().items():
        accounting = notes.accounting
        hours = timeline.hours(Day(day, history.timezone))
        if day >= before or accounting is None or accounting.hours is None or hours is None:
            continue
        records = sum(accounting.hours)
        grown = sum(hours) - records
        if grown > max(FEWEST_LATE_RECORDS, records * LATE_SHARE):
            growth[day] = grown
    return sorted(growth, key=lambda day: (-growth[day], day))[:MOST_GROWN_DAYS]


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

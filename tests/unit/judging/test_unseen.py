"""Records that nobody saw are compared with the past of their own source."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detector.judging.completeness import assess, is_complete
from detector.judging.unseen import holes, is_usual, jumps
from detector.model.finding import Severity
from detector.model.panel import Panel
from detector.model.usage import WHOLE_FILE, Accounting, Amount, Fault, FaultKind
from tests.panels import panel

DAYS = 30
COUNTED = 10_000
TWO_KEYS = "two different keys in one request, the first counts"


def day_of(unusable: int = 0, *, keyless: int = 0, hours: tuple[int, ...] | None = None) -> Accounting:
    """What became of the records of a day."""
    amounts = {"not a JSON object": Amount(unusable)} if unusable else {}
    return Accounting(COUNTED, keyless, unusable=amounts, hours=hours)


def judged(past: Accounting, today: Accounting, days: int = DAYS) -> Panel:
    """A panel whose past days are all alike."""
    return replace(panel({"a": [20] * days}), accountings=(*[past] * (days - 1), today))


def with_faults(
    past: int, today: int, *, kind: FaultKind = "note", reason: str = TWO_KEYS, days: int = DAYS
) -> Panel:
    """A panel with so many records with a fault on each past day and on the evaluated one."""
    found = panel({"a": [20] * days}, faults=(Fault(reason, today, kind=kind),))
    earlier = (Fault(reason, past, kind=kind),) if past else ()
    return replace(found, earlier_faults=(earlier,) * (days - 1))


def test_a_share_that_jumps_is_told() -> None:
    """Not the share itself: every source has its own."""
    assert jumps(judged(day_of(200), day_of(250))) == []
    (jump,) = jumps(judged(day_of(200), day_of(900)))
    assert jump.text == "900 records (8.3%) could not be used; at most 2.0% are usual."


def test_a_few_records_hide_nothing() -> None:
    """However clean the past is."""
    assert jumps(judged(day_of(), day_of(19))) == []
    assert len(jumps(judged(day_of(), day_of(30)))) == 1


def test_text_without_records_counts_by_its_size() -> None:
    """One unreadable line may hold many requests."""
    today = replace(day_of(), unusable={"not a JSON object": Amount(1, 3_000_000)})
    (jump,) = jumps(judged(day_of(), today))
    assert jump.records == 10_000


def test_a_young_source_has_conservative_bounds() -> None:
    """A fifth of requests without a key, one in a hundred that cannot be used."""
    assert jumps(judged(day_of(), day_of(keyless=2_000), days=3)) == []
    assert len(jumps(judged(day_of(), day_of(keyless=3_000), days=3))) == 1
    assert len(jumps(judged(day_of(), day_of(150), days=3))) == 1


def test_a_hole_is_told_with_what_is_usual() -> None:
    """Hours without a record, where every comparable day has some."""
    full = (50,) * 24
    broken = (50,) * 8 + (0,) * 3 + (50,) * 13
    assert holes(judged(day_of(hours=full), day_of(hours=full))) == []
    (hole,) = holes(judged(day_of(hours=full), day_of(hours=broken)))
    assert hole.text == "From 08:00 to 11:00 there are 0 records; the lowest comparable day has 150."


def test_hours_that_are_empty_on_some_days_are_no_hole() -> None:
    """A source may sleep at night."""
    sleeping = (0,) * 6 + (50,) * 18
    assert holes(judged(day_of(hours=sleeping), day_of(hours=sleeping))) == []


@pytest.mark.parametrize(
    ("past", "today", "usual"), [(100, 140, True), (100, 160, False), (0, 19, True), (0, 20, False)]
)
def test_a_defect_that_a_source_always_has_is_usual(past: int, today: int, usual: bool) -> None:
    """Up to half as many again as on most days, and a few records are never news."""
    found = with_faults(past, today)
    assert is_usual(found, found.faults[0]) is usual


def test_one_file_more_without_a_record_is_news() -> None:
    """A file may hold any number of requests."""
    reason = f"{WHOLE_FILE}without a record"
    found = with_faults(0, 1, reason=reason)
    assert not is_usual(found, found.faults[0])
    found = with_faults(5, 5, reason=reason)
    assert is_usual(found, found.faults[0])


def test_nothing_is_usual_for_a_source_without_a_past() -> None:
    """Seven days are a past."""
    found = with_faults(100, 100, days=7)
    assert not is_usual(found, found.faults[0])
    found = with_faults(100, 100, days=8)
    assert is_usual(found, found.faults[0])


def test_the_usual_dirt_of_a_source_leaves_a_day_clear() -> None:
    """A few broken lines a day are of info, and what jumps is told by its share."""
    found = with_faults(50, 55, kind="unusable", reason="not a JSON object")
    (problem,) = assess(found, settle_days=2)
    assert (problem.severity, is_complete([problem])) == (Severity.INFO, True)

"""The accounts of a pull assign every record to a day, once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from detector.model.day import Day
from detector.model.usage import MEASURED, Accounting, Amount, Fault
from detector.sources.accounts import Accounts, day_accounting, grown_days, with_undated_of
from detector.sources.timeline import Timeline
from detector.usage.aggregation import complete_day, empty
from detector.usage.history import History, Notes, as_known
from tests.fakes import FakeSource, groups

ZONE = ZoneInfo("UTC")
FIRST = date(2026, 1, 1)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def day(number: int) -> date:
    """A day of the history."""
    return FIRST + timedelta(days=number)


def start_of(number: int) -> datetime:
    """The start of a day."""
    return Day(day(number), ZONE).start


def notes(accounting: Accounting | None, **fields: object) -> Notes:
    """The notes of a pull."""
    return Notes(pulled_at=NOW, watermark=None, faults=(), accounting=accounting, **fields)  # type: ignore[arg-type]


@pytest.fixture
def history(tmp_path: Path) -> History:
    """Ten days with a thousand records each, in their first hour; the last day has no accounting."""
    history = History(tmp_path, ZONE)
    for number in range(10):
        hours = (1_000,) + (0,) * 23
        accounting = None if number == 9 else Accounting(1_000, hours=hours)
        known = as_known(FakeSource({}).activity_before(day(number)))
        records = complete_day(empty(MEASURED), FakeSource({}).keys(), known, Day(day(number), ZONE))
        history.write(day(number), records, notes(accounting))
    return history


def lies(records: dict[int, int], **fields: object) -> Timeline:
    """So many records in the first quarter of an hour of the days."""
    return Timeline({start_of(number): count for number, count in records.items()}, NOW, **fields)  # type: ignore[arg-type]


def test_records_of_unknown_organizations_are_not_counted() -> None:
    """They are left out of the usage of every key, so they cannot be among the counted ones."""
    source = FakeSource({day(0): groups(a=100)})
    found = day_accounting(source, Day(day(0), ZONE), None, {"unknown organization": 30})
    assert (found.counted, found.unusable, found.hours) == (70, {"unknown organization": Amount(30)}, None)
    assert found.read == 100
    assert day_accounting(source, Day(day(0), ZONE), None, {"unknown organization": 101}).counted == 0


def test_a_day_has_its_hours_and_its_strays() -> None:
    """Both come from the timeline."""
    timeline = lies({0: 40, 1: 7}, strays={day(0): 3, day(1): 9})
    found = day_accounting(FakeSource({day(0): groups(a=40)}), Day(day(0), ZONE), timeline, {})
    assert found.hours == (40,) + (0,) * 23
    assert [amount.records for amount in found.unusable.values()] == [3]


def test_a_rollup_has_no_hours() -> None:
    """Its records lie at the start of their day."""
    assert lies({0: 40}, tells_hours=False).hours(Day(day(0), ZONE)) is None


def test_records_before_a_day_end_at_its_start() -> None:
    """Those of its first quarter of an hour are its own."""
    assert lies({0: 1, 1: 10, 2: 100}).before(Day(day(1), ZONE)) == 1


def test_days_that_have_grown_notably_are_found(history: History) -> None:
    """By more than a hundredth and more than twenty records; days without an accounting cannot be compared."""
    records = {0: 1_020, 1: 1_021, 2: 1_500, 3: 900, 8: 5_000, 9: 5_000}
    assert grown_days(history, lies(records), day(8)) == [day(2), day(1)]
    assert grown_days(history, lies(records), day(10)) == [day(8), day(2), day(1)]
    assert grown_days(history, lies(records, tells_hours=False), day(10)) == []
    assert grown_days(history, None, day(10)) == []


def test_only_the_days_that_have_grown_most_are_pulled_again(history: History) -> None:
    """A source whose past is written anew must not stop the run."""
    records = {number: 2_000 + number for number in range(9)}
    assert grown_days(history, lies(records), day(10)) == [day(number) for number in (8, 7, 6, 5, 4, 3, 2)]


def test_a_day_that_is_pulled_again_keeps_what_came_without_a_day() -> None:
    """Another pull of an old day does not know of which day those records are."""
    earlier = notes(
        Accounting(9, unusable={"no time": Amount(5, 50)}), undated={"no time": Amount(7, 70)}, oldest=day(0)
    )
    again = with_undated_of(notes(Accounting(10)), earlier)
    assert again.accounting == Accounting(10, unusable={"no time": Amount(5, 50)})
    assert (again.undated, again.oldest) == (earlier.undated, day(0))


def test_a_day_with_newly_assigned_records_takes_nothing_over() -> None:
    """They are counted anew."""
    earlier = notes(Accounting(9, unusable={"no time": Amount(5)}), undated={"no time": Amount(7)})
    again = notes(Accounting(10), undated={"no time": Amount(8)})
    assert with_undated_of(again, earlier) is again
    assert with_undated_of(again, notes(Accounting(9))) is again


@pytest.mark.parametrize(("now", "before"), [(None, Accounting(9)), (Accounting(10), None)])
def test_a_day_of_an_older_version_has_no_accounting_to_keep(
    now: Accounting | None, before: Accounting | None
) -> None:
    """Only the numbers that the next day compares with are taken over."""
    again = with_undated_of(notes(now), notes(before, undated={"no time": Amount(7)}))
    assert again.accounting == now
    assert again.undated == {"no time": Amount(7)}


def test_fewer_records_than_days_stay_together_with_their_bytes(history: History) -> None:
    """No day has bytes of no record."""
    faults = (Fault("no time", 9, dated=False, bytes=720),)
    accounts = Accounts(history, lies(dict.fromkeys(range(10), 1_000)), day(0), day(9), is_first=True)
    pulled = [accounts.settle(Notes(NOW, None, faults, accounting=Accounting(1_000)), day(n)) for n in (0, 8, 9)]
    amounts = [one.accounting.unusable for one in pulled if one.accounting is not None]
    assert amounts == [{}, {}, {"no time": Amount(9, 720)}]


def test_the_bytes_that_came_without_a_day_are_spread_like_the_records(history: History) -> None:
    """A part of both belongs to each day of the first pull."""
    faults = (Fault("no time", 20, dated=False, bytes=2_000),)
    timeline = lies(dict.fromkeys(range(10), 1_000))
    accounts = Accounts(history, timeline, day(0), day(9), is_first=True)
    pulled = [
        accounts.settle(Notes(NOW, None, faults, accounting=Accounting(1_000)), day(number))
        for number in range(10)
    ]
    amounts = [one.accounting.unusable["no time"] for one in pulled if one.accounting is not None]
    assert amounts == [Amount(2, 200)] * 10
    assert [one.undated["no time"] for one in pulled] == [
        Amount(2 * number, 200 * number) for number in range(1, 11)
    ]

"""Faults: the records with the same defect, with samples."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

from detector.model.day import Day
from detector.model.usage import Accounting, Amount, Fault
from detector.sources.faults import FaultLog, Observation, amounts_without_day, undated

DAY = Day(date(2026, 3, 17), ZoneInfo("UTC"))


def samples(*lines: str) -> tuple[str, ...]:
    """The samples of the fault of records with these samples."""
    (fault,) = undated([Observation(None, "not JSON", 1, line) for line in lines])
    return fault.samples


def test_samples_name_as_many_files_as_possible() -> None:
    """Three samples of one file would hide that nothing of a second one could be used."""
    lines = ("a.log: <1>", "a.log: <2>", "a.log: <3>", "b.log: <1>", "c.log: <1>")
    assert samples(*lines) == ("a.log: <1>", "b.log: <1>", "c.log: <1>")
    assert samples(*lines[:4]) == ("a.log: <1>", "b.log: <1>", "a.log: <2>")


def test_samples_do_not_depend_on_the_order_of_the_records() -> None:
    """A day that is pulled again has the same report."""
    assert samples("b.log", "a.log: <2>", "a.log: <1>") == samples("a.log: <1>", "b.log", "a.log: <2>")


def test_the_accounting_of_a_day_leaves_records_without_a_day_to_the_pull() -> None:
    """And a note is about records that count."""
    log = FaultLog()
    observed = [
        Observation(DAY.date, "no key id", 3, kind="keyless"),
        Observation(DAY.date, "event id repeated", 2, kind="repeated"),
        Observation(DAY.date, "no count", 1, bytes=40),
        Observation(DAY.date, "no count", 4),
        Observation(DAY.date, "status unreadable", 9, kind="note"),
        Observation(None, "no time", 7),
    ]
    log.record(DAY, 90, observed)
    assert log.accounting(DAY.date) == Accounting(90, 3, 2, {"no count": Amount(5, 40)})
    assert amounts_without_day(log.of(DAY.date)) == {"no time": Amount(7)}


def test_faults_of_the_register_are_no_records_of_the_usage() -> None:
    """A register may be as dirty as it likes: no request is missing."""
    assert amounts_without_day([Fault("register: no key id", 5, dated=False)]) == {}

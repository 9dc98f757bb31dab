"""Instants in one form."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from detector.boundary.instants import in_utc, rfc_3339

MORNING = datetime(2026, 3, 18, 7, 30, tzinfo=ZoneInfo("Europe/Berlin"))


def test_an_instant_is_the_same_in_utc() -> None:
    """Whatever zone it came in."""
    assert in_utc(MORNING) == MORNING
    assert in_utc(MORNING).tzinfo is UTC


def test_an_instant_without_a_zone_is_in_utc() -> None:
    """As SQLite gives back what was stored."""
    assert in_utc(datetime(2026, 3, 18, 6, 30)) == MORNING


def test_text_of_an_instant_ends_with_z() -> None:
    """With as many digits as asked for."""
    assert rfc_3339(MORNING) == "2026-03-18T06:30:00Z"
    assert rfc_3339(MORNING, "milliseconds") == "2026-03-18T06:30:00.000Z"

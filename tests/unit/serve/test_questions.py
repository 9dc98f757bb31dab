"""The days of a request."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from detector.serve.problems import ProblemError
from detector.serve.questions import days

BERLIN, UTC = ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")
LATEST = date(2026, 3, 17)


def asked(start: str | None = None, end: str | None = None, zone: ZoneInfo = UTC, most: int = 92) -> list[str]:
    """First and last day of a question, as text."""
    return [day.isoformat() for day in days(start, end, LATEST, zone, most)]


def refusal(start: str | None = None, end: str | None = None, zone: ZoneInfo = UTC, most: int = 92) -> str:
    """What is wrong with a question."""
    with pytest.raises(ProblemError) as error:
        days(start, end, LATEST, zone, most)
    assert error.value.status == 422
    return error.value.detail


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, ["2026-03-17", "2026-03-17"]),
        ("2026-03-01", None, ["2026-03-01", "2026-03-01"]),
        (None, "2026-03-02", ["2026-03-02", "2026-03-02"]),
        ("2026-03-01", "2026-03-07", ["2026-03-01", "2026-03-07"]),
        ("2026-03-01T00:00:00Z", "2026-03-08T00:00:00Z", ["2026-03-01", "2026-03-07"]),
    ],
)
def test_days_include_their_end_and_instants_exclude_it(
    start: str | None, end: str | None, expected: list[str]
) -> None:
    """One day alone is that day; none is the last stored one."""
    assert asked(start, end) == expected


def test_instants_are_the_bounds_of_days_in_the_timezone_of_the_history() -> None:
    """Also on the day on which the clocks change, which has 23 hours."""
    assert asked("2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00", BERLIN) == ["2026-03-29", "2026-03-29"]
    assert "the timezone of this history" in refusal("2026-03-29T00:00:00Z", "2026-03-30T00:00:00Z", BERLIN)


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("2026-03-07", "2026-03-01", "from: lies after to"),
        ("2026-02-30", None, "from: not a day"),
        ("2026-03-01", "2026-03-08T00:00:00Z", "to: not a day"),
        ("2026-03-08T00:00:00Z", "2026-03-08T00:00:00Z", "must lie after from"),
        ("2026-03-01T00:00:00", "2026-03-02T00:00:00", "not the start of a day"),
        ("yesterday", "today", "neither a day"),
    ],
)
def test_what_is_no_period_is_refused_with_its_reason(start: str, end: str | None, words: str) -> None:
    """A misread period would be an answer to another question."""
    assert words in refusal(start, end)


def test_an_answer_spans_a_bounded_number_of_days() -> None:
    """The largest is allowed, one more is not."""
    assert asked("2026-03-11", "2026-03-17", most=7)
    assert refusal("2026-03-10", "2026-03-17", most=7) == "from, to: one answer spans at most 7 days"


def test_an_empty_history_is_a_404() -> None:
    """There is no last day that could be meant."""
    with pytest.raises(ProblemError) as error:
        days(None, None, None, UTC, 92)
    assert (error.value.status, error.value.kind) == (404, "day-not-stored")

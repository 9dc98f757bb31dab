"""The verdict on a day, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detector.judging.completeness import NOT_PULLED
from detector.judging.verdict import headline, outcome_of, subline
from detector.model.finding import Finding, Status
from detector.model.report import Coverage
from tests import fakes

SEEN = Coverage(
    complete=True,
    problems=(),
    keys_active=40,
    keys_judged=38,
    not_judged=(),
    baseline_days=56,
    missing_days=(),
    unregistered_keys=(),
    revoked_keys_in_use=(),
    withheld=(),
)
PARTIAL = replace(SEEN, complete=False, problems=("The data end 9.0 hours before the day does.",))


def finding(key_id: str | None, status: Status = Status.NEW, title: str = "Usage spike") -> Finding:
    """A finding on a key, or on the fleet."""
    return fakes.finding(finding_id=f"{title} of {key_id}", key_id=key_id, status=status, title=title)


@pytest.mark.parametrize(
    ("above_info", "coverage", "expected"),
    [
        ([], SEEN, "clear"),
        ([], PARTIAL, "not_judged"),
        ([], replace(SEEN, keys_judged=0), "not_judged"),
        ([finding(None)], SEEN, "findings"),
        ([finding(None)], PARTIAL, "not_judged"),
        ([finding("k")], PARTIAL, "findings"),
    ],
)
def test_a_day_is_clear_only_if_it_was_evaluated(
    above_info: list[Finding], coverage: Coverage, expected: str
) -> None:
    """A finding on a key is said on incomplete data too."""
    assert outcome_of(above_info, coverage) == expected


@pytest.mark.parametrize(
    ("above_info", "expected"),
    [
        ([finding("a")], "One key needs a look"),
        ([finding("a"), finding("a", title="Error surge")], "One key needs a look"),
        ([finding("a"), finding("b", Status.ONGOING)], "Two keys need a look, one of them new"),
        ([finding("a", Status.ONGOING)], "One key needs a look, not new"),
        ([finding("a", Status.ONGOING), finding("b", Status.ONGOING)], "Two keys need a look, none of them new"),
        ([finding(None)], "The data need a look"),
        ([finding(f"k{number}") for number in range(13)], "13 keys need a look"),
    ],
)
def test_the_headline_counts_keys_and_not_findings(above_info: list[Finding], expected: str) -> None:
    """And says how many of them are new."""
    assert headline("findings", above_info, SEEN) == expected


def test_the_headline_over_incomplete_data_says_so() -> None:
    """What was found is no more than what was seen."""
    assert headline("findings", [finding("a")], PARTIAL) == "One key needs a look, and the data are incomplete"


@pytest.mark.parametrize(
    ("coverage", "expected"),
    [
        (PARTIAL, "The data end 9.0 hours before the day does."),
        (replace(SEEN, failures=("usage_spike failed: ValueError",)), "usage_spike failed: ValueError"),
        (replace(SEEN, keys_active=0), "There is no active key."),
        (replace(SEEN, keys_judged=0), "None of 40 active keys has enough history yet."),
    ],
)
def test_a_day_that_was_not_evaluated_states_the_reason(coverage: Coverage, expected: str) -> None:
    """The first reason there is."""
    assert subline("not_judged", [], coverage, muted=0) == expected


def test_a_clear_day_states_its_evaluated_keys_and_days() -> None:
    """Muted findings are there, and are not nothing."""
    start = "38 of 40 active keys were evaluated against 56 days, and"
    assert subline("clear", [], SEEN, muted=0) == f"{start} none stands out."
    assert subline("clear", [], SEEN, muted=2) == f"{start} nothing stands out but two muted findings."


def test_the_line_below_the_headline_lists_new_and_ongoing_findings() -> None:
    """By title, with its number."""
    above_info = [finding("a"), finding("b"), finding("c", Status.ONGOING, "Error surge")]
    assert subline("findings", above_info, SEEN, muted=0) == "New: usage spike (2). Ongoing: error surge."


def test_the_reason_why_a_day_was_not_read_comes_first() -> None:
    """That nothing is known of the day follows from it. What failed beside it is not the reason."""
    unread = replace(PARTIAL, problems=(NOT_PULLED,), failures=("source main: no column 'ts'",))
    assert subline("not_judged", [], unread, 0) == "source main: no column 'ts'"
    assert subline("not_judged", [], replace(unread, failures=()), 0) == NOT_PULLED
    assert subline("not_judged", [], replace(PARTIAL, failures=("a mail",)), 0) == PARTIAL.problems[0]

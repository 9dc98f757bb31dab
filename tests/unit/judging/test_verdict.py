"""The verdict on a day, as a word and in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detector.judging.completeness import DataProblem, gap, remark
from detector.judging.verdict import Verdict, conclude
from detector.model.finding import Finding, Severity, Status
from detector.model.report import Coverage, Outcome
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
BLIND = replace(SEEN, keys_judged=0)
EARLY = DataProblem("The data end 9.0 hours before the day does.", Severity.MEDIUM, shortfall="the data end early")
FAILED = gap("usage_spike failed: ValueError", Severity.HIGH, "Mend it.", "usage_spike failed")
DIRT = remark("3 records left out.", Severity.LOW, "Look.")


def finding(
    key_id: str | None, status: Status = Status.NEW, title: str = "Usage spike", **changes: object
) -> Finding:
    """A finding on a key, or on the fleet."""
    return fakes.finding(finding_id=f"{title} of {key_id}", key_id=key_id, status=status, title=title, **changes)


DATA = finding(None, title="Data incomplete", type="data_quality")


def verdict(
    findings: list[Finding],
    problems: list[DataProblem] | None = None,
    coverage: Coverage = SEEN,
    *,
    total_is_usual: bool = True,
) -> Verdict:
    """The verdict on a day."""
    return conclude(findings, problems or [], coverage, total_is_usual=total_is_usual)


@pytest.mark.parametrize(
    ("findings", "problems", "coverage", "expected"),
    [
        ([], [], SEEN, Outcome.CLEAR),
        ([finding("k", severity=Severity.INFO)], [], SEEN, Outcome.CLEAR),
        ([finding("k", Status.MUTED), finding("r", Status.RESOLVED)], [], SEEN, Outcome.CLEAR),
        ([finding("k", Status.ONGOING, acknowledged="By anna.")], [], SEEN, Outcome.CLEAR),
        ([finding("k", Status.ONGOING)], [], SEEN, Outcome.NOTHING_NEW),
        ([finding("k", Status.NEW)], [], SEEN, Outcome.FINDINGS),
        ([finding("k", Status.ESCALATED, acknowledged="By anna.")], [], SEEN, Outcome.FINDINGS),
        ([finding(None)], [DIRT], SEEN, Outcome.FINDINGS),
        ([DATA], [EARLY], SEEN, Outcome.PARTLY_JUDGED),
        ([finding("k"), DATA], [EARLY], SEEN, Outcome.PARTLY_JUDGED),
        ([DATA], [FAILED], SEEN, Outcome.PARTLY_JUDGED),
        ([DATA], [EARLY], BLIND, Outcome.COULD_NOT_JUDGE),
        ([DATA], [EARLY], replace(SEEN, keys_judged=1), Outcome.PARTLY_JUDGED),
        ([DATA, finding("k")], [FAILED], BLIND, Outcome.PARTLY_JUDGED),
        ([DATA], [FAILED], BLIND, Outcome.COULD_NOT_JUDGE),
    ],
)
def test_the_outcome_follows_from_what_was_judged(
    findings: list[Finding], problems: list[DataProblem], coverage: Coverage, expected: Outcome
) -> None:
    """A finding on a key is said on incomplete data too, and nothing but clear is an all-clear."""
    assert verdict(findings, problems, coverage).outcome is expected


def test_an_unusual_total_of_the_fleet_is_never_clear() -> None:
    """Nor is it nothing new where only known findings are open."""
    assert verdict([], total_is_usual=False).outcome is Outcome.FINDINGS
    known = verdict([finding("k", Status.ONGOING)], total_is_usual=False)
    assert known.outcome is Outcome.FINDINGS
    assert known.headline == "The fleet needs a look"


@pytest.mark.parametrize(
    ("above_info", "expected"),
    [
        ([finding("a")], "One key needs a look"),
        ([finding("a"), finding("a", title="Error surge")], "One key needs a look"),
        ([finding("a"), finding("b", Status.ONGOING)], "Two keys need a look, one of them new"),
        ([finding("a", Status.ONGOING), finding("b", Status.ONGOING)], "Nothing new, 2 still open"),
        ([finding(None, type="data_quality")], "The data need a look"),
        ([finding(None, type="fleet_shift")], "The fleet needs a look"),
        ([finding(None, type="fleet_shift"), finding("a", Status.ONGOING)], "The fleet needs a look"),
        ([finding(None, type="fleet_shift"), finding("a")], "One key needs a look"),
        ([finding(f"k{number}") for number in range(13)], "13 keys need a look"),
    ],
)
def test_the_headline_counts_keys_and_not_findings(above_info: list[Finding], expected: str) -> None:
    """And says how many of them are new."""
    assert verdict(above_info).headline == expected


@pytest.mark.parametrize(
    ("findings", "problems", "coverage", "expected"),
    [
        (
            [DATA, finding("a")],
            [EARLY],
            SEEN,
            "One key needs a look; partly evaluated, because the data end early",
        ),
        ([DATA], [EARLY, DIRT], SEEN, "The day was partly evaluated, because the data end early"),
        (
            [DATA, finding("a", Status.ONGOING)],
            [EARLY],
            SEEN,
            "Nothing new, 1 still open; partly evaluated, because the data end early",
        ),
        ([DATA], [FAILED, EARLY], BLIND, "The day could not be evaluated, because usage_spike failed"),
    ],
)
def test_the_first_line_names_the_true_reason(
    findings: list[Finding], problems: list[DataProblem], coverage: Coverage, expected: str
) -> None:
    """The most severe problem that left something out, and not the usual dirt beside it."""
    said = verdict(findings, problems, coverage)
    assert said.headline == expected
    assert said.subline.startswith(problems[0].text)


def test_a_clear_day_states_its_evaluated_keys_and_days() -> None:
    """Muted and acknowledged findings are there, and are not nothing."""
    muted = [finding("a", Status.MUTED), finding("b", Status.MUTED)]
    known = finding("c", Status.ONGOING, acknowledged="By anna.")
    start = "38 of 40 active keys were evaluated against 56 days, and"
    assert verdict([]).subline == f"{start} none stands out."
    assert verdict(muted).subline == f"{start} nothing stands out but two muted findings."
    both = "two muted findings and one acknowledged finding"
    assert verdict([*muted, known]).subline == f"{start} nothing stands out but {both}."


def test_the_line_below_the_headline_lists_new_and_ongoing_findings() -> None:
    """By title, with its number."""
    above_info = [finding("a"), finding("b"), finding("c", Status.ONGOING, "Error surge")]
    assert verdict(above_info).subline == "New: usage spike (2). Ongoing: error surge."

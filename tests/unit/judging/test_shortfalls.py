"""What was not evaluated on a day, as problems of the day."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from detector.judging.finding_types import finding_type
from detector.judging.shortfalls import MOST_NAMED, of_evaluation, of_keys, of_requests, of_source, unexplained
from detector.model.finding import Severity
from detector.model.panel import Panel
from tests.panels import DAY, panel

SEEN = panel({"a": [9] * 40, "b": [9] * 40})
UNSEEN = panel({"a": [9] * 40, "b": [9] * 40}, missing=(-1,))


def damaged(days: int) -> Panel:
    """A panel with so many stored days that cannot be read, and the evaluated day among them."""
    reasons = {DAY - timedelta(days=ago): f"damage {ago}" for ago in range(days + 1)}
    return replace(SEEN, unreadable=lambda: dict(sorted(reasons.items())))


def test_a_source_that_could_not_be_read_is_a_problem_of_every_day() -> None:
    """Of one that is known from an earlier run, it says so."""
    (unknown,) = of_source(UNSEEN, "No answer.")
    (known,) = of_source(SEEN, "No answer.")
    assert (unknown.text, unknown.severity, unknown.withholding) == ("No answer.", Severity.HIGH, True)
    assert known.text == "No answer. The day was evaluated with the data of an earlier run."
    assert (known.severity, known.withholding) == (Severity.MEDIUM, False)
    assert of_source(SEEN, None) == []


@pytest.mark.parametrize(
    ("failed", "all_failed", "shortfall"),
    [
        (["one"], False, "one failed"),
        ([f"d{number}" for number in range(MOST_NAMED)], False, "d0, d1, d2 failed"),
        ([f"d{number}" for number in range(MOST_NAMED + 1)], False, "detectors failed"),
        (["one"], True, "every detector failed"),
        ([], False, "a part of the evaluation failed"),
    ],
)
def test_the_shortfall_of_an_evaluation_names_the_failed_parts(
    failed: list[str], all_failed: bool, shortfall: str
) -> None:
    """As long as they are few."""
    problems = of_evaluation(SEEN, ["first fault", "second fault", "first fault"], failed, all_failed=all_failed)
    assert [problem.text for problem in problems] == ["first fault", "second fault"]
    assert {problem.shortfall for problem in problems} == {shortfall}
    assert {problem.severity for problem in problems} == {Severity.HIGH if failed else Severity.MEDIUM}


def test_damaged_days_are_named_as_long_as_they_are_few() -> None:
    """The evaluated day is none of them: its damage is a problem of its data."""
    three = of_evaluation(damaged(3), [], [], all_failed=False)
    assert [problem.text for problem in three] == ["damage 3", "damage 2", "damage 1"]
    five = of_evaluation(damaged(5), [], [], all_failed=False)
    assert [problem.text for problem in five] == [
        "damage 5",
        "damage 4",
        "damage 3",
        "2 more stored days cannot be read.",
    ]


def test_a_day_without_an_evaluated_key_says_why() -> None:
    """Where the data are missing, another problem says why."""
    (young,) = of_keys(SEEN, 0, {}, 41)
    assert young.text.startswith("None of 2 active keys has enough history yet")
    (newborn,) = of_keys(panel({"a": [9] * 3, "b": [0, 9, 9]}, unborn={"b": 1}), 0, {}, 8)
    assert "evaluated from 2026-03-23 on" in newborn.text  # five more days with data, and the day after them
    assert of_keys(UNSEEN, 0, {}, 8) == []
    (unable,) = of_keys(SEEN, 0, {}, 40)
    assert unable.text == "None of 2 active keys could be evaluated; the reasons are below."
    nobody = replace(SEEN, records=SEEN.records.assign(active=False))
    assert [problem.text for problem in of_keys(nobody, 0, {}, 8)] == ["There is no active key."]


def test_a_finding_without_explanation_has_the_highest_severity_of_its_type() -> None:
    """Nobody knows better."""
    assert unexplained(finding_type("usage_spike")).severity is Severity.HIGH


def test_as_many_keys_as_on_the_lowest_day_are_enough() -> None:
    """Fewer are told, but for the keys that are gone."""
    before = {DAY - timedelta(days=1): 4, DAY - timedelta(days=2): 3}
    assert of_keys(SEEN, 3, before, 8) == []
    (told,) = of_keys(SEEN, 2, before, 8)
    assert "fewer than the 3 of 2026-03-15" in told.text
    one_left = replace(SEEN, trusted_before=lambda day: frozenset({"a", "b", "gone"}))
    assert of_keys(one_left, 2, before, 8) == []
    assert of_keys(one_left, 1, before, 8) != []
    assert of_keys(SEEN, 1, {}, 8) == []


def volume_of(scored: list[bool]) -> pd.DataFrame:
    """The frame of scores of volume, with some keys without a score."""
    return pd.DataFrame({"score": [1.0 if each else np.nan for each in scored]})


def test_requests_of_keys_without_history_are_told_where_they_are_many() -> None:
    """Other names of known keys would hide what these do."""
    subject = panel({"a": [9] * 39 + [80], "b": [0] * 39 + [20]})
    assert of_requests(subject, volume_of([True, False])) == []
    more = panel({"a": [9] * 39 + [79], "b": [0] * 39 + [21]})
    (told,) = of_requests(more, volume_of([True, False]))
    assert told.text == "21% of the requests came from 1 key without enough history to be evaluated."
    assert told.shortfall == ""
    assert of_requests(more, volume_of([False, False])) == []
    assert of_requests(more, None) == []

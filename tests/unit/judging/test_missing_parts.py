"""Parts of the fleet without requests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from detector.judging.completeness import assess, is_complete
from detector.judging.missing_parts import missing_parts
from detector.model.finding import Severity
from detector.model.panel import Panel
from tests.panels import panel

DAYS = 60
TEAMS = ["search"] * 4 + ["data"] * 6


def of_teams(last: int, column: str = "team", **options: object) -> Panel:
    """Ten keys of two teams; the keys of team search make ``last`` requests on the last day."""
    counts = {f"key-{row}": [40] * (DAYS - 1) + [last if row < 4 else 40] for row in range(10)}
    subject = panel(counts, **options)  # type: ignore[arg-type]
    return replace(subject, records=subject.records.assign(**{"team": None, column: TEAMS}))


@pytest.mark.parametrize("column", ["team", "application"])
def test_all_keys_of_a_team_or_an_application_without_a_request_are_a_missing_part(column: str) -> None:
    """The data of that day are not complete."""
    subject = of_teams(last=0, column=column)
    (part,) = missing_parts(subject)
    assert part.text == (
        f"0 requests of the keys of {column} search; "
        "each of the last 3 such days had at least 160, from 4 keys or more."
    )
    assert part.lost
    assert not is_complete(assess(subject, 2))


def test_a_part_with_some_requests_is_not_missing() -> None:
    """A tenth of its requests is a fall, and no hole in the data."""
    assert missing_parts(of_teams(last=4)) == []


def test_a_part_that_rests_on_this_weekday_is_not_missing() -> None:
    """Nobody expects it then."""
    counts = {f"key-{row}": [0 if row < 4 and day % 7 == 3 else 40 for day in range(DAYS)] for row in range(10)}
    subject = panel(counts)
    assert subject.requests[0, -1] == 0
    assert missing_parts(replace(subject, records=subject.records.assign(team=TEAMS))) == []


def test_two_silent_keys_are_no_part() -> None:
    """Each of them may have a reason of its own."""
    counts = {f"key-{row}": [100] * (DAYS - 1) + [0 if row < 2 else 100] for row in range(10)}
    subject = panel(counts)
    teams = ["search"] * 2 + ["data"] * 8
    assert missing_parts(replace(subject, records=subject.records.assign(team=teams))) == []


def test_a_fleet_without_any_request_is_no_part() -> None:
    """That day is empty as a whole."""
    subject = of_teams(last=0)
    empty = np.column_stack([subject.requests[:, :-1], np.zeros(10, dtype=np.int64)])
    assert missing_parts(replace(subject, requests=empty)) == []


def test_a_compared_day_without_data_compares_nothing() -> None:
    """Its zeros mean nothing."""
    assert missing_parts(of_teams(last=0, missing=[DAYS - 8])) == []


ORDERS = {f"key-{row}": {"GET /orders": 20, "GET /items": 20} for row in range(10)}


def test_an_endpoint_that_lost_its_requests_makes_the_day_incomplete() -> None:
    """The requests of its callers are gone."""
    now = {key: {"GET /items": 20} for key in ORDERS}
    counts = {key: [40] * (DAYS - 1) + [20] for key in ORDERS}
    subject = panel(counts, endpoints=now, earlier_endpoints=ORDERS)
    (part,) = missing_parts(subject)
    assert part.text.startswith("0 requests to GET /orders; each of the last 3 such days had at least 200,")
    assert not is_complete(assess(subject, 2))


def test_an_endpoint_that_moved_is_told_and_leaves_the_day_complete() -> None:
    """A release renames it, and its callers make as many requests as before."""
    now = {key: {"GET /v2/orders": 20, "GET /items": 20} for key in ORDERS}
    subject = panel({key: [40] * DAYS for key in ORDERS}, endpoints=now, earlier_endpoints=ORDERS)
    (part,) = missing_parts(subject)
    assert not part.lost
    problems = assess(subject, 2)
    assert is_complete(problems)
    assert [(problem.severity, problem.text) for problem in problems] == [(Severity.LOW, part.text)]


def test_a_deployment_without_requests_is_a_missing_part() -> None:
    """The log of one region did not come."""
    earlier = {f"key-{row}": {"eu": 20, "us": 20} for row in range(10)}
    counts = {key: [40] * (DAYS - 1) + [20] for key in earlier}
    subject = panel(counts, deployments={key: {"eu": 20} for key in earlier}, earlier_deployments=earlier)
    assert [part.what for part in missing_parts(subject)] == ["through deployment us"]


def test_a_source_that_names_no_endpoint_misses_none() -> None:
    """On that day, or on any."""
    subject = panel({key: [40] * DAYS for key in ORDERS}, earlier_endpoints=ORDERS)
    assert missing_parts(subject) == []

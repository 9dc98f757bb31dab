"""Keys that rise together: from a few to all of them, and what they share."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from detector.config.sections import DetectionSettings
from detector.judging.key_group import key_group
from detector.model.finding import Severity
from detector.model.panel import Panel
from tests.cases.usage_spike import fleet
from tests.laws import with_strangers
from tests.panels import panel

SETTINGS = DetectionSettings()
COUNTS = fleet(keys=100)


def risen(keys: int, times: int = 10, **options: object) -> Panel:
    """A fleet of which the first keys make so many times their highest requests on the last day."""
    counts = dict(COUNTS)
    for key in list(counts)[:keys]:
        counts[key] = [*counts[key][:-1], max(counts[key]) * times + 20]
    return panel(counts, **options)  # type: ignore[arg-type]


def test_an_ordinary_day_has_no_group() -> None:
    """Neither has a day with one busy key."""
    assert key_group(risen(0), SETTINGS) is None
    assert key_group(risen(1), SETTINGS) is None


@pytest.mark.parametrize("keys", [5, 16, 35, 60, 100])
def test_from_a_few_keys_to_all_of_them_the_group_is_told(keys: int) -> None:
    """No size of an attack excuses itself."""
    group = key_group(risen(keys), SETTINGS)
    assert group is not None
    assert group[0].severity is Severity.HIGH
    assert group[0].reason.startswith(f"{keys} keys made at least 3 times")


def test_a_group_below_ten_times_its_usual_is_medium() -> None:
    """Three times the highest day is far, and no more than that."""
    group = key_group(risen(20, times=3), SETTINGS)
    assert group is not None
    assert group[0].severity is Severity.MEDIUM


def test_the_keys_with_most_requests_are_named_and_the_others_counted() -> None:
    """Ten names say which keys these are."""
    group = key_group(risen(35), SETTINGS)
    assert group is not None
    names = group[0].changes[-1]
    assert names.endswith("and 25 more.")
    assert names.count("key-0") == 10


def test_past_days_of_the_same_kind_explain_a_group() -> None:
    """Where twelve keys rise on one day in four, twelve more are an ordinary day."""
    rng = np.random.default_rng(3)
    counts = np.array(list(COUNTS.values()))
    for day in range(0, 100, 4):
        chosen = rng.choice(100, 12, replace=False)
        counts[chosen, day] = counts[chosen].max(axis=1) * 4
    counts[:12, -1] = counts[:12].max(axis=1) * 4
    assert key_group(panel({key: row.tolist() for key, row in zip(COUNTS, counts, strict=True)}), SETTINGS) is None


def test_one_earlier_attack_does_not_explain_the_next() -> None:
    """The busiest days of the past do not count."""
    counts = {key: [*row[:85], max(row) * 10, *row[86:-1], max(row) * 100] for key, row in COUNTS.items()}
    assert key_group(panel(counts), SETTINGS) is not None


def test_a_group_says_what_its_keys_share() -> None:
    """The team, the week of creation and the endpoint that the others do not have."""
    calls = {key: {"POST /export": 5} if index < 20 else {"GET /orders": 5} for index, key in enumerate(COUNTS)}
    subject = risen(20, endpoints=calls)
    place = np.arange(100)
    created = [datetime(2026, 1, 7 if row < 20 else 21, tzinfo=UTC) for row in place]
    team = np.where(place < 16, "search", np.where(place % 4 == 0, "data", "growth"))
    records = subject.records.assign(team=team, created_at=created)
    group = key_group(replace(subject, records=records.astype(dict(subject.records.dtypes))), SETTINGS)
    assert group is not None
    assert set(group[0].changes[:-1]) == {
        "All called POST /export; 5.0 times the share of the fleet.",
        "All were created in the week of 2026-01-05; 5.0 times the share of the fleet.",
        "16 of 20 are of team search; 5.0 times the share of the fleet.",
    }


def test_what_the_whole_fleet_shares_says_nothing() -> None:
    """All keys are of one team."""
    group = key_group(risen(20), SETTINGS)
    assert group is not None
    assert len(group[0].changes) == 1


def test_names_outside_the_register_are_no_group() -> None:
    """They neither make a group nor explain one."""
    assert key_group(with_strangers(risen(1), requests=10_000), SETTINGS) is None
    alone = key_group(risen(12), SETTINGS)
    assert alone is not None
    assert key_group(with_strangers(risen(12), requests=10_000), SETTINGS) == alone


def test_many_young_keys_in_heavy_use_are_a_group() -> None:
    """None of them is named alone, so the group is."""
    counts = fleet(keys=30) | {f"new-{index:02d}": [0] * 99 + [900 + index] for index in range(40)}
    unborn = {f"new-{index:02d}": 99 for index in range(40)}
    group = key_group(panel(counts, unborn=unborn), SETTINGS)
    assert group is not None
    assert group[0].severity is Severity.MEDIUM
    assert group[0].reason.startswith("40 keys of less than 8 days made 36,780 requests")
    assert group[0].changes[-1].startswith("The keys, by requests: new-39 (939), new-38 (938)")
    assert key_group(panel(counts, unborn=unborn, registered=list(fleet(keys=30))), SETTINGS) is None


def test_a_day_without_data_or_with_too_little_past_has_no_group() -> None:
    """Nothing can be compared."""
    assert key_group(risen(100, missing=[99]), SETTINGS) is None
    assert key_group(panel({key: [*row[-12:-1], 10**6] for key, row in COUNTS.items()}), SETTINGS) is None
    assert key_group(panel(COUNTS, errors=COUNTS), SETTINGS) is None

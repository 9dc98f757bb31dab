"""What of a judged day was looked at, and what was not."""

from __future__ import annotations

from dataclasses import replace

from detector.config.config import Config
from detector.judging.coverage import coverage
from detector.judging.judging import judge
from detector.model.panel import Panel
from detector.model.report import Coverage
from tests.panels import DAY, panel

CONFIG = Config.model_validate({"source": {"kind": "files", "usage": "usage.csv"}})


def seen(subject: Panel) -> Coverage:
    """What the report of a panel says of its coverage."""
    return coverage(judge(subject, CONFIG, {}), CONFIG, ())


def test_a_key_with_a_volume_score_counts_as_evaluated() -> None:
    """One that is too young is named with the reason."""
    found = seen(panel({"old": [9] * 40, "young": [0] * 37 + [9, 9, 9]}, unborn={"young": 37}))
    assert (found.keys_active, found.keys_judged) == (2, 1)
    (group,) = [group for group in found.not_judged if group.type == "usage_spike"]
    assert (group.count, group.key_ids) == (1, ("young",))
    assert "too young" in group.reason


def test_only_gaps_after_the_first_day_with_data_are_missing_days() -> None:
    """What lies before the first seen day is no gap."""
    found = seen(panel({"key": [0, 0, *[9] * 38]}, missing=[0, 1, 20]))
    assert [day.isoformat() for day in found.missing_days] == ["2026-02-26"]
    assert (DAY - found.missing_days[0]).days == 19
    assert found.baseline_days == 36


def test_keys_outside_a_register_are_listed() -> None:
    """Without a register nobody is outside of it."""
    counts = {"mine": [9] * 40, "stranger": [9] * 40}
    assert seen(panel(counts, registered=["mine"])).unregistered_keys == ("stranger",)
    assert seen(panel(counts, registered=[])).unregistered_keys == ()


def test_revoked_keys_in_use_are_listed() -> None:
    """They are not active, and yet have requests."""
    subject = panel({"gone": [9] * 40, "here": [9] * 40})
    records = subject.records.assign(active=[False, True])
    assert seen(replace(subject, records=records)).revoked_keys_in_use == ("gone",)

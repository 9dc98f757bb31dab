"""The alert budget: how it is divided, and what a day made of it."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.config.sections import DetectionSettings
from detector.detectors import all_detectors
from detector.judging.budget import shares, spent, weighed
from detector.judging.thresholds import Threshold
from detector.model.triage import Precision

SHARES = {"usage_spike": 0.5, "error_surge": 0.25, "endpoint_shift": 0.25}
COUNTS = st.tuples(st.integers(0, 200), st.integers(0, 200)).map(lambda pair: Precision(max(pair), min(pair)))


@given(st.dictionaries(st.sampled_from(sorted(SHARES)), COUNTS))
def test_verdicts_move_the_budget_between_types_and_keep_its_sum(verdicts: dict[str, Precision]) -> None:
    """Whatever people say, the alarms of an ordinary day stay what the budget says, and no type falls silent."""
    moved = weighed(SHARES, verdicts)
    assert sum(moved.values()) == pytest.approx(1)
    assert all(moved[kind] > share / 8 for kind, share in SHARES.items())


def test_a_type_with_false_findings_gives_budget_to_a_type_with_true_ones() -> None:
    """Twenty false error surges and twenty true shifts change places with nobody else's loss."""
    moved = weighed(SHARES, {"error_surge": Precision(20, 0), "endpoint_shift": Precision(20, 20)})
    assert moved["error_surge"] < 0.1 < 0.3 < moved["endpoint_shift"]
    assert weighed(SHARES, {}) == SHARES


@pytest.mark.parametrize("method", ["zscore", "isolation_forest", "both"])
def test_volume_detectors_share_half_of_the_budget(method: str) -> None:
    """Whatever detectors judge it; together they get what the configuration allows."""
    settings = DetectionSettings(method=method, alerts_per_1000_keys=4)
    budgets = shares(all_detectors(settings), settings, {})
    volume = [budgets[kind] for kind in ("usage_spike", "unusual_pattern") if kind in budgets]
    assert sum(volume) == pytest.approx(2)
    assert sum(budgets.values()) == pytest.approx(4)


def test_other_detectors_share_the_whole_budget_when_no_volume_detector_runs() -> None:
    """Half of it would go to nobody."""
    settings = DetectionSettings(alerts_per_1000_keys=4)
    others = [detector for detector in all_detectors(settings) if detector.kind != "usage_spike"]
    assert sum(shares(others, settings, {}).values()) == pytest.approx(4)


def test_a_day_reports_how_many_keys_half_and_double_the_budget_name() -> None:
    """A tail that falls by e every 1 from 4 on names with half the budget from 4.69 and with double from 3.31."""
    frame = pd.DataFrame({"score": [3.0, 3.5, 4.2, 5.0, np.nan], "eligible": True}, index=list("abcde"))
    threshold = Threshold(4.0, 4.0, 0.001, 1.0, calibrated=True, budget=1.0)
    budget = spent({"usage_spike": frame}, {"usage_spike": threshold}, [], 1.0)
    assert (budget.at_half, budget.at_double) == (1, 3)
    assert budget.expected == 0.0  # four keys at one in a thousand, rounded
    assert budget.thresholds == {"usage_spike": 4.0}
    assert budget.calibrated
    assert threshold.at(0.5) == pytest.approx(4 + math.log(2))


def test_a_day_without_statistical_judgements_is_not_calibrated() -> None:
    """All of them failed."""
    assert not spent({}, {}, [], 1.0).calibrated

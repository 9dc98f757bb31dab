"""The thresholds from which scores become findings, within the alert budget."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.detectors.judgement import ABSOLUTE

DEFAULT_THRESHOLD = 4.0
"""The threshold while the fleet's own past is too short. On five real fleets it gave 0 to 2.3 false alarms per
1,000 key-days."""
LOWEST_THRESHOLD = 3.0
FEWEST_SCORES = 500
TAIL_FROM = 0.85
TAIL_TO = 0.95
SMALLEST_SLOPE = 0.1


@dataclass(frozen=True)
class Threshold:
    """The score above which a statistical detector raises a finding.

    The share of ordinary key-days beyond a score follows an exponential tail: it is ``share`` at the score
    ``start`` and falls by the factor e with every ``slope``. The tail is fitted on ``past`` key-days, and the
    threshold allows ``budget`` alarms per 1,000 keys. ``calibrated`` is False for the default threshold, which
    applies while the past is too short.
    """

    score: float
    start: float
    share: float
    slope: float
    calibrated: bool
    budget: float
    past: int = 0

    def rate(self, score: float) -> float:
        """The expected share of ordinary key-days beyond a score."""
        return float(self.share * np.exp(-max(score - self.start, 0.0) / self.slope))

    def at(self, factor: float) -> float:
        """The threshold for ``factor`` times the budget."""
        score = self.start + self.slope * np.log(self.share * 1000 / (self.budget * factor))
        return max(float(score), LOWEST_THRESHOLD)


def calibrate(past: NDArray[np.float64], alerts_per_1000_keys: float) -> Threshold:
    """The threshold that an ordinary day exceeds at the budgeted rate.

    An exponential tail through the 85th and 95th percentile of the past scores extends to the rate. The fit
    leaves out the highest scores, because these hold the past incidents. If one key-day in a hundred is an
    incident of any size, the threshold rises by less than a sixth.
    """
    if len(past) < FEWEST_SCORES:
        rate = alerts_per_1000_keys / 1000
        return Threshold(
            DEFAULT_THRESHOLD, DEFAULT_THRESHOLD, rate, slope=1.0, calibrated=False, budget=alerts_per_1000_keys
        )
    low, high = np.quantile(past, [TAIL_FROM, TAIL_TO])
    slope = max(float(high - low) / np.log((1 - TAIL_FROM) / (1 - TAIL_TO)), SMALLEST_SLOPE)
    tail = Threshold(
        np.nan, float(high), 1 - TAIL_TO, slope, calibrated=True, budget=alerts_per_1000_keys, past=len(past)
    )
    return replace(tail, score=tail.at(1))


def keys_above(judged: pd.DataFrame, threshold: float) -> list[str]:
    """The eligible keys with a score above the threshold, highest score first, ties by key id.

    A key in the column ``ABSOLUTE`` needs a score, and no certain one.
    """
    above = judged["score"] > threshold
    if ABSOLUTE in judged:
        above |= judged[ABSOLUTE] & judged["score"].notna()
    rows = judged[above & judged["eligible"]]
    return (
        rows.rename_axis("key_id")
        .reset_index()
        .sort_values(["score", "key_id"], ascending=[False, True])["key_id"]
        .tolist()
    )

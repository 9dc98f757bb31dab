"""A detector's own past scores, from which the alert budget sets its threshold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from detector.detectors.statistics.baseline import Floats
from detector.model.panel import Panel

CALIBRATION_DAYS = 28
"""Days before the judged one whose scores a threshold rests on."""
CALIBRATION_KEYS = 5_000
"""A larger fleet is sampled at even steps; from 5,000 to 9,999 keys are then left."""


def past_scores(panel: Panel, score_day: Callable[[int, slice], Floats]) -> Floats:
    """The scores of the last ``CALIBRATION_DAYS`` days that were seen before the judged one, without NaN.

    ``score_day(day, rows)`` scores a sample of the keys, rows of the panel, on one day, an index into the
    panel's days; it leaves out the key-days that its threshold is not for.
    """
    rows = slice(None, None, max(len(panel.keys) // CALIBRATION_KEYS, 1))
    days = np.flatnonzero(~panel.missing[:-1])[-CALIBRATION_DAYS:]
    past: Floats = np.concatenate([np.empty(0), *(score_day(int(day), rows) for day in days)])
    scored: Floats = past[~np.isnan(past)]
    return scored

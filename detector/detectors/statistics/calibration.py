"""The past scores of a detector. The alert budget derives the threshold from them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from detector.detectors.statistics.baseline import Floats, Rows, sampled
from detector.model.panel import Panel

CALIBRATION_DAYS = 28
"""A threshold rests on the scores of this many days before the evaluated day."""
CALIBRATION_KEYS = 5_000
"""More reference keys are sampled at even steps. A sample then has 5,000 to 9,999 keys."""


def past_scores(panel: Panel, score_day: Callable[[int, Rows], Floats]) -> Floats:
    """The scores of the reference keys on the last ``CALIBRATION_DAYS`` days with data before the evaluated day,
    without NaN.

    ``score_day(day, rows)`` scores some rows of the panel on one day, a position in the panel's days. It leaves
    out the key-days to which the detector's threshold does not apply.
    """
    rows = sampled(panel.reference, CALIBRATION_KEYS)
    days = np.flatnonzero(~panel.missing[:-1])[-CALIBRATION_DAYS:]
    past: Floats = np.concatenate([np.empty(0), *(score_day(int(day), rows) for day in days)])
    scored: Floats = past[~np.isnan(past)]
    return scored

"""Exceptional days of a key's history, which would teach a detector that exceptional days are normal."""

from __future__ import annotations

import numpy as np

from detector.detectors.statistics.baseline import Flags, Floats

DAYS_PER_OUTLIER = 28
"""A key may have one outlier in this many days."""


def outliers(ratio: Floats, usable: Flags) -> Flags:
    """Flag each key's largest days above the limit, at most one in ``DAYS_PER_OUTLIER`` usable days, rounded.

    ``ratio`` and ``usable`` are keys x days. A ratio is a day's distance divided by the limit from which a day
    is an outlier. Only usable days are flagged and counted.
    """
    allowed = (usable.sum(axis=1) + DAYS_PER_OUTLIER // 2) // DAYS_PER_OUTLIER
    remaining = np.where(usable, ratio, 0.0)
    flags = np.zeros(ratio.shape, dtype=bool)
    rows = np.arange(len(ratio))
    for number in range(int(allowed.max(initial=0))):
        largest = remaining.argmax(axis=1)
        outlier = (allowed > number) & (remaining[rows, largest] > 1)
        flags[rows[outlier], largest[outlier]] = True
        remaining[rows, largest] = 0.0
    return flags

"""Days with missing data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

USUAL_SHARE = 0.9
LOOK_BACK = 28


def missing_days(totals: NDArray[np.int64], stored: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether each day's data are missing, from the fleet's requests per day and whether the day is stored.

    A day that is not stored is missing, and so is every day before the first request. A stored day without
    requests is missing, and not a quiet day of the fleet, if the same weekday usually had requests in the four
    weeks before. If no such weekday has data, nine in ten of all stored days in these weeks must have requests.
    """
    missing = ~stored
    first_used = int(np.argmax(totals > 0)) if totals.any() else len(totals)
    missing[:first_used] = True
    for day in np.flatnonzero((totals == 0) & ~missing).tolist():
        earlier = np.arange(max(day - LOOK_BACK, 0), day)
        weekday = earlier[((day - earlier) % 7 == 0) & ~missing[earlier]]
        if len(weekday):
            missing[day] = np.mean(totals[weekday] > 0) > 1 / 2
        else:
            missing[day] = np.mean(totals[earlier[stored[earlier]]] > 0) >= USUAL_SHARE
    return missing

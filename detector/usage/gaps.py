"""Which days nobody saw."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

USUAL_SHARE = 0.9
LOOK_BACK = 28


def unseen_days(totals: NDArray[np.int64], stored: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which days nobody saw, from the fleet's requests a day and whether the day is stored.

    An empty day is a gap in the data, not a quiet fleet, when the same weekday usually had requests in
    the four weeks before (while none of those was seen: when nine in ten of all days had), or when it
    lies before the first request of all.
    """
    missing = ~stored
    missing[: int(np.argmax(totals > 0)) if totals.any() else len(totals)] = True
    for day in np.flatnonzero((totals == 0) & ~missing).tolist():
        earlier = np.arange(max(day - LOOK_BACK, 0), day)
        weekday = earlier[((day - earlier) % 7 == 0) & ~missing[earlier]]
        if len(weekday):
            missing[day] = np.mean(totals[weekday] > 0) > 1 / 2
        else:
            missing[day] = np.mean(totals[earlier[stored[earlier]]] > 0) >= USUAL_SHARE
    return missing

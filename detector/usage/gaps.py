"""Which nights nobody saw."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

USUAL_SHARE = 0.9
LOOK_BACK = 28


def unseen_nights(totals: NDArray[np.int64], stored: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which nights nobody saw, from the fleet's requests a night and whether the night is stored.

    An empty night is a gap in the data, not a quiet fleet, when the same weekday usually had requests in
    the four weeks before (while none of those was seen: when nine in ten of all nights had), or when it
    lies before the first request of all.
    """
    missing = ~stored
    missing[: int(np.argmax(totals > 0)) if totals.any() else len(totals)] = True
    for night in np.flatnonzero((totals == 0) & ~missing).tolist():
        earlier = np.arange(max(night - LOOK_BACK, 0), night)
        weekday = earlier[((night - earlier) % 7 == 0) & ~missing[earlier]]
        if len(weekday):
            missing[night] = np.mean(totals[weekday] > 0) > 1 / 2
        else:
            missing[night] = np.mean(totals[earlier[stored[earlier]]] > 0) >= USUAL_SHARE
    return missing

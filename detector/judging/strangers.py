"""What is told of keys that anybody can invent: a few of each type of finding, so that they drown no other."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd

from detector.detectors.statistics.baseline import Flags
from detector.judging.thresholds import keys_above
from detector.model.panel import Panel
from detector.usage.strangers import NEW_DAYS

MOST_TOLD = 5
LEFT_OUT = (
    f"one of more than {MOST_TOLD} unregistered or new keys that stand out; "
    f"the {MOST_TOLD} with the highest score are told"
)


def keys_to_tell(panel: Panel, scores: pd.DataFrame, threshold: float) -> list[str]:
    """The eligible keys with a score above the threshold, highest first, and few strangers among them.

    A stranger is a key outside the register or, without a register, a key that was first used lately while others
    were not. ``scores`` loses the scores of the strangers that are left out, and gets the reason.
    """
    invented = panel.keys[_can_be_invented(panel)]
    beyond = [key for key in keys_above(scores, threshold) if key in invented][MOST_TOLD:]
    scores.loc[beyond, "score"] = np.nan
    scores.loc[beyond, "not_judged"] = LEFT_OUT
    return keys_above(scores, threshold)


def _can_be_invented(panel: Panel) -> Flags:
    registered = panel.records["registered"].to_numpy(dtype=bool)
    if registered.any():
        return ~registered
    is_older = panel.records["first_seen"] <= panel.day.date - timedelta(days=NEW_DAYS)
    older: Flags = is_older.fillna(False).to_numpy(dtype=bool)
    return ~older if older.any() else older

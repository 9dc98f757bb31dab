"""What a detector makes of one day: a score for every key, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.boundary.words import counted
from detector.detectors.description import Description
from detector.detectors.statistics.baseline import Flags, Floats
from detector.model.panel import Panel, row_of

TERM = "term "
"""How the columns of a judgement begin that hold what its score adds up from."""

JUDGEMENT_COLUMNS = ("score", "observed", "expected", "low", "high", "eligible", "not_judged")

NO_DATA = "no data for the day"
REVOKED = "revoked"

Excuses = NDArray[np.object_]
"""Per key why it cannot be judged, None where it can."""
Describe = Callable[[list[str]], dict[str, Description]]
Reason = tuple[Flags | bool, str]
"""The keys that a reason holds for, all or none of them where it is one flag; and the reason."""


@dataclass(frozen=True)
class Judgement:
    """What one detector makes of the last day of a panel, all of it from one pass.

    ``scores`` is a frame as ``score_frame`` makes it; a column ``type`` names the type of each key's finding
    where that is not the detector's kind. ``describe`` explains the given keys, which the detector named.
    ``past`` holds the scores of judged key-days before the last day, in no particular order; None for a rule.
    """

    scores: pd.DataFrame
    describe: Describe
    past: Floats | None = None


def score_frame(
    panel: Panel,
    score: Floats,
    *,
    observed: Floats,
    expected: Floats | float = np.nan,
    low: Floats | float = np.nan,
    high: Floats | float = np.nan,
    eligible: Flags | bool = True,
    not_judged: Excuses,
    terms: Mapping[str, Floats] | None = None,
) -> pd.DataFrame:
    """A frame indexed by key id with ``JUDGEMENT_COLUMNS``.

    ``score`` is higher for stranger keys; a key with a reason in ``not_judged`` has none (NaN). ``observed``,
    ``expected``, ``low`` and ``high`` are in the units of what was observed. No score however high raises a
    finding where ``eligible`` is False. ``terms`` are what the score adds up from, by name.
    """
    columns = {
        "score": np.where(pd.isna(not_judged), score, np.nan),
        "observed": observed,
        "expected": expected,
        "low": low,
        "high": high,
        "eligible": eligible,
        "not_judged": not_judged,
    }
    for name, values in (terms or {}).items():
        columns[f"{TERM}{name}"] = values
    return pd.DataFrame(columns, index=panel.keys)


def terms_of(judged: pd.Series[Any]) -> dict[str, float]:
    """What one key's score adds up from, by name; empty where the detector does not say."""
    return {
        str(name).removeprefix(TERM): float(judged[name]) for name in judged.index if str(name).startswith(TERM)
    }


def excuses(panel: Panel, *reasons: Reason) -> Excuses:
    """Why each key cannot be judged, None where it can. The last reason that holds counts; a day without
    data excuses every key."""
    given = np.full(len(panel.keys), None, dtype=object)
    for holds, reason in (*reasons, (bool(panel.missing[-1]), NO_DATA)):
        given[np.broadcast_to(holds, given.shape)] = reason
    return given


def young_or_revoked(panel: Panel, young: Flags, minimum_days: int) -> tuple[Reason, Reason]:
    """The reasons not to compare a key with its own history: there is too little of it, or the key is revoked."""
    active = panel.records["active"].to_numpy()
    return (young, f"too young: fewer than {counted(minimum_days, 'observed day')}"), (~active, REVOKED)


def key_by_key(
    panel: Panel, scores: pd.DataFrame, describe: Callable[[pd.Series[Any], pd.Series[Any]], Description]
) -> Describe:
    """A ``Judgement.describe`` for which a key's row of the scores and its record are enough."""
    return lambda keys: {key: describe(row_of(scores, key), panel.record(key)) for key in keys}

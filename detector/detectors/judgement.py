"""The result of a detector for one day: a score for every key, or the reason why a key has none."""

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
"""The prefix of the columns that hold the terms of a score. The score is the sum of its terms."""

JUDGEMENT_COLUMNS = ("score", "observed", "expected", "low", "high", "eligible", "not_raised", "not_judged")

ABSOLUTE = "absolute"
"""The column of the keys that are reported whatever their score and the threshold, if they are eligible."""

NO_DATA = "no data for the day"
REVOKED = "revoked"

Excuses = NDArray[np.object_]
"""Per key the reason why it cannot be evaluated, or None."""
Describe = Callable[[list[str]], dict[str, Description]]
Reason = tuple[Flags | bool, str]
"""The keys that a reason applies to, and the reason. A single flag stands for all keys or none."""


@dataclass(frozen=True)
class Judgement:
    """The result of one detector for the last day of a panel.

    ``scores`` is a frame from ``score_frame``. Its optional column ``type`` gives the type of each key's
    finding, if that is not the detector's kind, and its optional column ``ABSOLUTE`` flags the keys that no
    threshold excuses. ``describe`` returns the description of each given key; only
    reported keys are passed to it. ``past`` holds the scores of evaluated key-days before the last day, in no
    particular order, and is None for a rule.
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
    not_raised: Excuses | None = None,
    not_judged: Excuses,
    terms: Mapping[str, Floats] | None = None,
) -> pd.DataFrame:
    """A frame indexed by key id with ``JUDGEMENT_COLUMNS``.

    A higher ``score`` means a stranger key. A key with a reason in ``not_judged`` gets NaN. ``observed``,
    ``expected``, ``low`` and ``high`` have the unit of the observation. A key with a reason in ``not_raised``
    never raises a finding: its ``eligible`` flag is False. ``terms`` maps a name to a part of the score; the
    parts add up to the score.
    """
    columns = {
        "score": np.where(pd.isna(not_judged), score, np.nan),
        "observed": observed,
        "expected": expected,
        "low": low,
        "high": high,
        "eligible": True if not_raised is None else pd.isna(not_raised),
        "not_raised": pd.Series(not_raised, index=panel.keys, dtype=object),
        "not_judged": not_judged,
    }
    for name, values in (terms or {}).items():
        columns[f"{TERM}{name}"] = values
    return pd.DataFrame(columns, index=panel.keys)


def terms_of(judged: pd.Series[Any]) -> dict[str, float]:
    """The terms of one key's score by name; empty if the detector states none."""
    return {
        str(name).removeprefix(TERM): float(judged[name]) for name in judged.index if str(name).startswith(TERM)
    }


def excuses(panel: Panel, *reasons: Reason) -> Excuses:
    """Per key the last of the reasons that apply to it, or None. A day without data is a reason for every key."""
    given = np.full(len(panel.keys), None, dtype=object)
    for holds, reason in (*reasons, (bool(panel.missing[-1]), NO_DATA)):
        given[np.broadcast_to(holds, given.shape)] = reason
    return given


def young_or_revoked(panel: Panel, young: Flags, minimum_days: int) -> tuple[Reason, Reason]:
    """Two reasons not to compare a key with its history: the history is too short, or the key is revoked."""
    active = panel.records["active"].to_numpy()
    return (young, f"too young: fewer than {counted(minimum_days, 'observed day')}"), (~active, REVOKED)


def key_by_key(
    panel: Panel, scores: pd.DataFrame, describe: Callable[[pd.Series[Any], pd.Series[Any]], Description]
) -> Describe:
    """A ``Judgement.describe`` that describes each key from its row of the scores and its record."""
    return lambda keys: {key: describe(row_of(scores, key), panel.record(key)) for key in keys}

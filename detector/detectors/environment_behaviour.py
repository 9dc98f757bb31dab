"""Keys that behave, or are named, like keys of the other environment, where nobody says where traffic was seen.

This weaker evidence is a detector of its own. It names the type ``environment_mismatch`` and has nothing to add
where deployments are known. A judgement may carry a ``type`` column where a detector names more than one type.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd

from detector.config.sections import Detection
from detector.detectors import Description, judgement, owner_of
from detector.detectors.statistics.environments import behaviour_odds, named_environment
from detector.model.finding import Severity
from detector.model.panel import Panel
from detector.usage.aggregation import ENVIRONMENTS

SURE = float(np.log(0.98 / 0.02))
"""Log odds from which behaviour speaks for the other environment: 98 to 2."""
BY_NAME = 0.5


class EnvironmentBehaviour:
    """The weaker grounds of an environment mismatch, for sources whose usage names no deployment.

    *Behaviour*: volume, days in use, weekly rhythm and endpoint mix of the last two weeks are those of the
    other environment's keys (log odds of a cross-validated logistic regression; medium confidence).
    *Name*: the key's name speaks of the other environment (low confidence). Each finding says which. Where
    deployments are known they decide, and this detector has nothing to add. Score: log odds beyond 98 to 2,
    or a half for a name.
    """

    kind: ClassVar[str] = "environment_behaviour"
    types: ClassVar[frozenset[str]] = frozenset({"environment_mismatch"})

    def __init__(self, settings: Detection) -> None:
        self.settings = settings

    def judge(self, panel: Panel) -> pd.DataFrame:
        """Score every key in use that day."""
        keys, used = len(panel.keys), panel.requests[:, -1] > 0
        score, excuses = np.zeros(keys), np.full(keys, None, dtype=object)
        if not _deployments_known(panel):
            odds = behaviour_odds(panel)
            known = panel.records["environment"].isin(ENVIRONMENTS).to_numpy()
            unclear = np.isnan(odds) & used & known
            named = self._contradicted(panel) & used
            score = np.where(
                used & (odds > SURE), odds - SURE, np.where(named, BY_NAME, np.where(unclear, np.nan, 0))
            )
            excuses[unclear & ~named] = "no deployments, and live and test keys cannot be told apart by behaviour"
        if panel.missing[-1]:
            score[:], excuses[:] = np.nan, "no data for the day"
        frame = judgement(panel, score, observed=panel.requests[:, -1].astype(float), not_judged=excuses)
        return frame.assign(type="environment_mismatch")

    def describe(self, panel: Panel, keys: list[str], judged: pd.DataFrame) -> dict[str, Description]:
        """On which ground each key is doubted."""
        odds = pd.Series(behaviour_odds(panel), index=panel.keys)
        return {key: _describe(panel.record(key), float(odds[key])) for key in keys}

    def _contradicted(self, panel: Panel) -> np.ndarray[Any, np.dtype[np.bool_]]:
        records = panel.records
        spoken = [named_environment(None if pd.isna(name) else str(name)) for name in records["name"]]
        pairs = zip(spoken, records["environment"], strict=True)
        return np.array([a is not None and b in ENVIRONMENTS and a != b for a, b in pairs], dtype=bool)


def _deployments_known(panel: Panel) -> bool:
    return bool(panel.places(1).days[-1].sum() > 0)


def _describe(record: pd.Series[Any], odds: float) -> Description:
    own = record["environment"]
    other = "live" if own == "test" else "test"
    by_behaviour = odds > SURE
    if by_behaviour:
        reason = f"By behaviour: volume, rhythm and endpoints are those of a {other} key; this is a {own} key."
    else:
        reason = f"By name: '{record['name']}' speaks of {other}; this is a {own} key."
    return Description(
        title="Test key used like a live one" if own == "test" else "Live key used like a test one",
        reason=reason,
        severity=Severity.MEDIUM if by_behaviour else Severity.LOW,
        severity_reasons=("the source does not say where the traffic was seen",),
        confidence="medium" if by_behaviour else "low",
        actions=(
            f"Ask {owner_of(record)} which environment this key serves.",
            "Correct the register, or give the service its own key.",
        ),
    )

"""Keys that behave, or are named, like keys of the other environment, for sources that name no deployment.

This evidence is weaker than a deployment, so it has a detector of its own. Its findings have the type
``environment_mismatch``, which its judgement states in the ``type`` column. Where deployments are known, it
reports nothing.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from detector.detectors import Detector
from detector.detectors.description import Description, owner_of
from detector.detectors.judgement import Judgement, excuses, score_frame
from detector.detectors.statistics.baseline import Flags, Floats
from detector.detectors.statistics.environments import behaviour_odds, contradicting_names, deployments_known
from detector.model.finding import Severity
from detector.model.panel import Panel
from detector.usage.aggregation import ENVIRONMENTS

SURE = float(np.log(0.98 / 0.02))
"""Log odds from which behaviour speaks for the other environment: 98 to 2."""
BY_NAME = 0.5


class EnvironmentBehaviour(Detector):
    """The weaker evidence of an environment mismatch, for sources whose usage names no deployment.

    *Behaviour*: volume, days in use, weekly rhythm and endpoint mix of the last two weeks are those of the
    other environment's keys (log odds of a cross-validated logistic regression; medium confidence).
    *Name*: the key's name contains a word for the other environment (low confidence). Each finding says which
    of the two it rests on. Where deployments are known, this detector reports nothing.

    Score: the log odds beyond 98 to 2, or 0.5 for a name.
    """

    kind = "environment_behaviour"
    is_rule = True
    names = ("environment_mismatch",)

    def judge(self, panel: Panel) -> Judgement:
        """Score every key with requests on the evaluated day."""
        used = panel.requests[:, -1] > 0
        odds = np.full(len(panel.keys), np.nan)
        score = np.zeros(len(panel.keys))
        unclear: Flags = np.zeros(len(panel.keys), dtype=bool)
        if not deployments_known(panel):
            odds = behaviour_odds(panel)
            named = contradicting_names(panel) & used
            score[named] = BY_NAME
            sure = used & (odds > SURE)
            score[sure] = odds[sure] - SURE
            known = panel.records["environment"].isin(ENVIRONMENTS).to_numpy()
            unclear = np.isnan(odds) & used & known & ~named
        scores = score_frame(
            panel,
            score,
            observed=panel.requests[:, -1].astype(float),
            not_judged=excuses(
                panel, (unclear, "no deployments, and live and test keys cannot be told apart by behaviour")
            ),
        )
        return Judgement(scores.assign(type="environment_mismatch"), partial(_describe_keys, panel, odds))


def _describe_keys(panel: Panel, odds: Floats, keys: list[str]) -> dict[str, Description]:
    """Describe the evidence against each key."""
    rows = panel.keys.get_indexer(pd.Index(keys))
    return {key: _describe_key(panel.record(key), float(odds[row])) for key, row in zip(keys, rows, strict=True)}


def _describe_key(record: pd.Series[Any], odds: float) -> Description:
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

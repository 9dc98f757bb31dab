"""Names of keys that contradict the register. They need a correction, but they are no alarm."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from detector.detectors import Detector
from detector.detectors.description import Description, owner_of
from detector.detectors.judgement import Judgement, excuses, score_frame
from detector.detectors.statistics.environments import contradicting_names, deployments_known
from detector.model.finding import Severity
from detector.model.finding_type import FindingType
from detector.model.panel import Panel


class NameMismatch(Detector):
    """A key whose name contains a word for the other environment, in a source that names deployments.

    A key ``checkout-staging`` that is marked live is a mistake in the register or in the name. The detector
    ``environment_mismatch`` evaluates the traffic of such a key by its deployments. The severity is always
    info, because the finding belongs in the inventory and not among the alarms.
    """

    kind = "name_mismatch"
    is_rule = True
    types = (
        FindingType(
            kind,
            is_rule,
            title="Name contradicts environment",
            tag="name",
            singular="contradicting name",
            plural="contradicting names",
            severities=(Severity.INFO,),
            is_inventory=True,
        ),
    )

    def judge(self, panel: Panel) -> Judgement:
        """Score 1 for every active key whose name contradicts its environment, else 0."""
        score = np.zeros(len(panel.keys))
        if deployments_known(panel):
            score[contradicting_names(panel) & panel.records["active"].to_numpy()] = 1.0
        requests = panel.requests[:, -1].astype(float)
        scores = score_frame(panel, score, observed=requests, not_judged=excuses(panel))
        return Judgement(scores, partial(_describe_keys, panel))


def _describe_keys(panel: Panel, keys: list[str]) -> dict[str, Description]:
    return {key: _describe_key(panel.record(key)) for key in keys}


def _describe_key(record: pd.Series[Any]) -> Description:
    """Describe the contradiction between the name and the register."""
    return Description(
        title="Name contradicts environment",
        reason=f"'{record['name']}' is marked {record['environment']}.",
        severity=Severity.INFO,
        severity_reasons=("a matter for the register",),
        confidence="low",
        actions=(f"Ask {owner_of(record)} which of the two is right, and correct the other.",),
    )

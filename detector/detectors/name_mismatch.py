"""Names that contradict the register: worth tidying up, no alarm."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd

from detector.config.sections import Detection
from detector.detectors import Description, judgement, owner_of
from detector.detectors.statistics.environments import named_environment
from detector.model.finding import Severity
from detector.model.panel import Panel
from detector.usage.aggregation import ENVIRONMENTS


class NameMismatch:
    """A key whose name speaks of the other environment, where deployments are known and so decide.

    ``checkout-staging`` marked live is a mistake in the register or in the name; its traffic is judged by
    where it was seen. Always info: it belongs in the inventory, not among the alarms.
    """

    kind: ClassVar[str] = "name_mismatch"

    def __init__(self, settings: Detection) -> None:
        self.settings = settings

    def judge(self, panel: Panel) -> pd.DataFrame:
        """Score 1 for every active key whose name contradicts its environment, else 0."""
        records, score = panel.records, np.zeros(len(panel.keys))
        excuses = np.full(len(panel.keys), None, dtype=object)
        if panel.missing[-1]:
            score[:], excuses[:] = np.nan, "no data for the day"
        elif panel.places(1).days[-1].sum() > 0:
            known = records["environment"].isin(ENVIRONMENTS) & records["active"]
            spoken = [None if pd.isna(name) else named_environment(str(name)) for name in records["name"]]
            contradicts = [a is not None and a != b for a, b in zip(spoken, records["environment"], strict=True)]
            score = np.where(known.to_numpy() & np.array(contradicts, dtype=bool), 1.0, 0.0)
        return judgement(panel, score, observed=panel.requests[:, -1].astype(float), not_judged=excuses)

    def describe(self, panel: Panel, keys: list[str], judged: pd.DataFrame) -> dict[str, Description]:
        """What the name says and what the register says."""
        answers = {}
        for key in keys:
            record = panel.record(key)
            answers[key] = Description(
                title="Name contradicts environment",
                reason=f"'{record['name']}' is marked {record['environment']}.",
                severity=Severity.INFO,
                severity_reasons=("a matter for the register",),
                confidence="low",
                actions=(f"Ask {owner_of(record)} which of the two is right, and correct the other.",),
            )
        return answers

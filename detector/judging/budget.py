"""The alert budget: its division among the statistical detectors, and its use on one day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from detector.config.sections import DetectionSettings
from detector.detectors import Detector
from detector.judging.thresholds import Threshold, keys_above
from detector.model.finding import Finding
from detector.model.report import Budget
from detector.model.triage import Precision

PRIOR_REAL = 2
LEAST_WEIGHT = 0.25


def shares(
    detectors: Sequence[Detector], settings: DetectionSettings, verdicts: Mapping[str, Precision]
) -> dict[str, float]:
    """The alert budget of each statistical detector, in alarms per 1,000 keys.

    The detectors of volume share one half, because most alarms are about volume, and the other detectors share
    the other half. Then ``weighed`` moves the budget towards types whose findings people confirmed.
    """
    statistical = [detector for detector in detectors if not detector.is_rule]
    volume = [detector.kind for detector in statistical if detector.methods]
    others = [detector.kind for detector in statistical if not detector.methods]
    total = settings.alerts_per_1000_keys
    for_group = total / 2 if volume and others else total
    even = {}
    for group in (volume, others):
        even.update(dict.fromkeys(group, for_group / max(len(group), 1)))
    return weighed(even, verdicts)


def weighed(even: Mapping[str, float], verdicts: Mapping[str, Precision]) -> dict[str, float]:
    """Alarms per 1,000 keys by type, moved from types with false findings to types with true ones; the sum stays.

    The weight of a type is twice the share of true findings among its findings with a verdict, after two true
    and two false findings are added. It is at least a quarter, so that no verdict silences a type.
    """
    weights = {kind: share * _weight(verdicts.get(kind)) for kind, share in even.items()}
    scale = sum(even.values()) / max(sum(weights.values()), 1e-9)
    return {kind: weight * scale for kind, weight in weights.items()}


def _weight(verdicts: Precision | None) -> float:
    if verdicts is None:
        return 1.0
    return max(2 * (verdicts.true + PRIOR_REAL) / (verdicts.judged + 2 * PRIOR_REAL), LEAST_WEIGHT)


def spent(
    judgements: Mapping[str, pd.DataFrame],
    thresholds: Mapping[str, Threshold],
    findings: Sequence[Finding],
    alerts_per_1000_keys: float,
) -> Budget:
    """The alarms that the budget allowed on a day and those that were raised.

    ``judgements`` and ``thresholds`` are by statistical detector.
    """
    expected = 0.0
    at_half = 0
    at_double = 0
    for kind, threshold in thresholds.items():
        frame = judgements[kind]
        expected += int(frame["score"].notna().sum()) * threshold.rate(threshold.score)
        at_half += len(keys_above(frame, threshold.at(0.5)))
        at_double += len(keys_above(frame, threshold.at(2)))
    return Budget(
        alerts_per_1000_keys=alerts_per_1000_keys,
        expected=round(expected, 2),
        raised=sum(finding.type in thresholds and finding.status.raised for finding in findings),
        at_half=at_half,
        at_double=at_double,
        thresholds={kind: round(threshold.score, 2) for kind, threshold in thresholds.items()},
        calibrated=bool(thresholds) and all(threshold.calibrated for threshold in thresholds.values()),
    )

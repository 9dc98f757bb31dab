"""What looks unusual. A detector is one file here, one line in ``DETECTORS`` and one case file in the tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.config.sections import Detection
from detector.model.finding import Severity, Technique
from detector.model.panel import Panel

DETECTORS = {
    "usage_spike": "detector.detectors.usage_spike:UsageSpike",
    "dormant_wake": "detector.detectors.dormant_wake:DormantWake",
    "environment_mismatch": "detector.detectors.environment_mismatch:EnvironmentMismatch",
    "environment_behaviour": "detector.detectors.environment_behaviour:EnvironmentBehaviour",
    "name_mismatch": "detector.detectors.name_mismatch:NameMismatch",
    "unusual_pattern": "detector.detectors.unusual_pattern:UnusualPattern",
    "error_surge": "detector.detectors.error_surge:ErrorSurge",
    "endpoint_shift": "detector.detectors.endpoint_shift:EndpointShift",
    "new_key_burst": "detector.detectors.new_key_burst:NewKeyBurst",
    "revoked_key_use": "detector.detectors.revoked_key_use:RevokedKeyUse",
    "went_silent": "detector.detectors.went_silent:WentSilent",
}
"""Type of finding: where its detector is."""

METHODS = {
    "zscore": {"usage_spike"},
    "isolation_forest": {"unusual_pattern"},
    "both": {"usage_spike", "unusual_pattern"},
}
"""Method in the configuration: the detectors of volume that it chooses."""

TERM = "term "
"""How the columns of a judgement begin that hold what its score adds up from."""

JUDGEMENT_COLUMNS = ("score", "observed", "expected", "low", "high", "eligible", "not_judged")


@dataclass(frozen=True)
class Description:
    """What a person needs to know about one key that a detector named."""

    title: str
    reason: str
    severity: Severity
    severity_reasons: tuple[str, ...]
    confidence: str
    actions: tuple[str, ...]
    changes: tuple[str, ...] = ()
    techniques: tuple[Technique, ...] = ()


class Detector(Protocol):
    """Scores keys; what becomes of the scores is the policy's business.

    ``judge`` returns a frame indexed by key id with ``JUDGEMENT_COLUMNS``: score (float, higher is
    stranger, NaN where the key cannot be judged, with the reason in ``not_judged``), observed, expected,
    low and high in the units of what was observed, and ``eligible``, False where no score however high
    should raise a finding. A rule raises where the score is above zero. A column ``type`` gives the type of
    finding by key where that is not ``kind``; then ``types`` lists all of them.
    """

    kind: ClassVar[str]

    def judge(self, panel: Panel) -> pd.DataFrame:
        """Score every key of the panel for its last day."""

    def describe(self, panel: Panel, keys: list[str], judged: pd.DataFrame) -> dict[str, Description]:
        """Explain the given keys, which this detector named."""


@runtime_checkable
class StatisticalDetector(Detector, Protocol):
    """A detector that raises above a threshold, set by the alert budget from its own past scores."""

    def past_scores(self, panel: Panel) -> NDArray[np.float64]:
        """Scores of judged key-days before the last day, in no particular order."""


def all_detectors(settings: Detection) -> list[Detector]:
    """One of each registered detector."""
    detectors: list[Detector] = []
    left_out = set().union(*METHODS.values()) - METHODS[settings.method]
    for kind, place in DETECTORS.items():
        if kind in left_out:
            continue
        module, name = place.split(":")
        detectors.append(getattr(import_module(module), name)(settings))
    return detectors


def types_of(detector: Detector) -> frozenset[str]:
    """The types of finding that a detector names: its kind, unless it says otherwise."""
    return getattr(detector, "types", frozenset({detector.kind}))


def judgement(
    panel: Panel,
    score: NDArray[np.float64],
    *,
    observed: NDArray[np.float64],
    expected: NDArray[np.float64] | float = np.nan,
    low: NDArray[np.float64] | float = np.nan,
    high: NDArray[np.float64] | float = np.nan,
    eligible: NDArray[np.bool_] | bool = True,
    not_judged: NDArray[np.object_] | None = None,
    terms: Mapping[str, NDArray[np.float64]] | None = None,
) -> pd.DataFrame:
    """The frame that ``Detector.judge`` returns; ``terms`` are what the score adds up from, by name."""
    return pd.DataFrame(
        {
            "score": score,
            "observed": observed,
            "expected": expected,
            "low": low,
            "high": high,
            "eligible": eligible,
            "not_judged": not_judged,
            **{f"{TERM}{name}": values for name, values in (terms or {}).items()},
        },
        index=panel.keys,
    )


def terms_of(judged: pd.Series[Any]) -> dict[str, float]:
    """What one key's score adds up from, by name; empty where the detector does not say."""
    return {
        str(name).removeprefix(TERM): float(judged[name]) for name in judged.index if str(name).startswith(TERM)
    }


def owner_of(record: pd.Series[Any]) -> str:
    """Whom to ask about a key, as words in a sentence."""
    return "the key's owner" if pd.isna(record["team"]) else f"team {record['team']}"

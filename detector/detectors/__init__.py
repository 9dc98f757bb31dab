"""What looks unusual. A detector is one file here, one line in ``DETECTORS`` and one case file in the tests."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from detector.boundary.plugins import load_plug_in
from detector.config.sections import Detection
from detector.detectors.judgement import Judgement
from detector.model.finding_type import FindingType
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
"""Kind of detector: where it is. Where several name one key for the same type, the first one's finding stays."""


class Detector(ABC):
    """Scores keys; what becomes of the scores is the policy's business.

    A detector states in its class all that others need to know of it: nothing else lists it but ``DETECTORS``.
    """

    kind: ClassVar[str]
    """Its name, under which ``DETECTORS`` has it, and the type of its findings unless its scores say another."""
    is_rule: ClassVar[bool]
    """A rule raises where the score is above zero. Any other detector is statistical: it raises above a threshold
    that the alert budget sets from its own past scores."""
    types: ClassVar[tuple[FindingType, ...]] = ()
    """The types of finding that it states."""
    methods: ClassVar[tuple[str, ...]] = ()
    """Of a detector that judges volume, the values of ``detection.method`` that choose it. Half of the alert
    budget is for these. A detector without methods always runs."""
    names: ClassVar[tuple[str, ...]] = ()
    """The types of finding that it names, where they are not its kind alone; another detector may state them."""
    needs_complete_data: ClassVar[bool] = False
    """Whether it raises nothing while the day's data are incomplete."""

    def __init__(self, settings: Detection) -> None:
        self.settings = settings

    @classmethod
    def days_before(cls, settings: Detection) -> int:
        """How many days before the judged one it asks for; it makes do with fewer."""
        return settings.baseline_days

    @classmethod
    def named_types(cls) -> frozenset[str]:
        """The types of finding that it names."""
        return frozenset(cls.names or (cls.kind,))

    @abstractmethod
    def judge(self, panel: Panel) -> Judgement:
        """Score every key of the panel for its last day, which must not be changed."""


def detector_classes() -> dict[str, type[Detector]]:
    """Every registered detector by its kind, in the order of ``DETECTORS``."""
    return {kind: load_plug_in(DETECTORS, kind) for kind in DETECTORS}


def all_detectors(settings: Detection) -> list[Detector]:
    """One of each registered detector, of those that judge volume only the ones that the method chooses."""
    return [
        detector(settings)
        for detector in detector_classes().values()
        if not detector.methods or settings.method in detector.methods
    ]

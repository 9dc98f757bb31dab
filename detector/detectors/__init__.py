"""Detectors of unusual usage. A detector is one file here, one line in ``DETECTORS`` and one test-case file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from detector.boundary.plugins import load_plug_in
from detector.config.sections import DetectionSettings
from detector.detectors.judgement import Judgement
from detector.model.finding_type import FindingType
from detector.model.panel import REFERENCE_DAYS, Panel

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
"""Kind of detector to the path of its class. When several detectors report the same type for one key, the finding
of the first detector in this order stays."""


class Detector(ABC):
    """A detector scores the keys of a panel. The policy turns scores into findings.

    The class attributes state everything that other modules need to know about a detector. Only ``DETECTORS``
    lists it.
    """

    kind: ClassVar[str]
    """The detector's name in ``DETECTORS``. Its findings have this type unless its scores have a type column."""
    is_rule: ClassVar[bool]
    """A rule raises every score above zero. Any other detector is statistical: it raises scores above a threshold
    that follows from the alert budget and the detector's own past scores."""
    types: ClassVar[tuple[FindingType, ...]] = ()
    """The types of finding that this detector defines."""
    methods: ClassVar[tuple[str, ...]] = ()
    """The values of ``detection.method`` that choose this detector. Only detectors that evaluate volume have
    methods, and they share half of the alert budget. A detector without methods always runs."""
    names: ClassVar[tuple[str, ...]] = ()
    """The types of finding that this detector reports, if they differ from its kind. Another detector may define
    them."""
    needs_complete_data: ClassVar[bool] = False
    """Whether the detector raises nothing while the day's data are incomplete."""

    def __init__(self, settings: DetectionSettings) -> None:
        self.settings = settings

    @classmethod
    def days_before(cls, settings: DetectionSettings) -> int:
        """The number of days before the evaluated day that the detector asks for. It also works with fewer."""
        return max(settings.baseline_days, REFERENCE_DAYS)

    @classmethod
    def named_types(cls) -> frozenset[str]:
        """The types of finding that the detector reports."""
        return frozenset(cls.names or (cls.kind,))

    @abstractmethod
    def judge(self, panel: Panel) -> Judgement:
        """Score every key for the last day of the panel, without changing the panel."""


def detector_classes() -> dict[str, type[Detector]]:
    """Every registered detector class by its kind, in the order of ``DETECTORS``."""
    return {kind: load_plug_in(DETECTORS, kind) for kind in DETECTORS}


def all_detectors(settings: DetectionSettings) -> list[Detector]:
    """One instance of each registered detector, without the volume detectors that the method does not choose."""
    return [
        detector(settings)
        for detector in detector_classes().values()
        if not detector.methods or settings.method in detector.methods
    ]

"""All types of finding, for reports, delivery, metrics and documentation."""

from __future__ import annotations

from detector.detectors import detector_classes
from detector.judging.completeness import DATA_QUALITY
from detector.judging.fleet import FLEET_SHIFT
from detector.model.finding import Severity
from detector.model.finding_type import FindingType


def finding_types() -> dict[str, FindingType]:
    """Every type by its kind: what the registered detectors state, and what judging finds by itself."""
    stated = [each for detector in detector_classes().values() for each in detector.types]
    return {each.kind: each for each in (*stated, FLEET_SHIFT, DATA_QUALITY)}


def finding_type(kind: str) -> FindingType:
    """One type by its kind. A type that nobody states, such as that of a detector which was taken away, is called
    by its kind."""
    title = kind.replace("_", " ").capitalize()
    unstated = FindingType(
        kind,
        is_rule=False,
        title=title,
        tag=title.lower(),
        singular=f"{kind} finding",
        plural=f"{kind} findings",
        severities=tuple(Severity),
    )
    return finding_types().get(kind, unstated)

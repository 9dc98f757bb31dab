"""All types of finding, for reports, delivery, metrics and documentation."""

from __future__ import annotations

from detector.detectors import detector_classes
from detector.judging.completeness import DATA_QUALITY
from detector.judging.fleet import FLEET_SHIFT
from detector.judging.key_group import KEY_GROUP
from detector.model.finding import Severity
from detector.model.finding_type import FindingType


def finding_types() -> dict[str, FindingType]:
    """Every type by its kind: the types of the registered detectors, and the three types on the fleet."""
    types: list[FindingType] = []
    for detector in detector_classes().values():
        types += detector.types
    types += [FLEET_SHIFT, KEY_GROUP, DATA_QUALITY]
    return {each.kind: each for each in types}


def finding_type(kind: str) -> FindingType:
    """One type by its kind. An unknown type, for example that of a removed detector, is named after its kind."""
    title = kind.replace("_", " ").capitalize()
    unknown = FindingType(
        kind,
        is_rule=False,
        title=title,
        tag=title.lower(),
        singular=f"{kind} finding",
        plural=f"{kind} findings",
        severities=tuple(Severity),
    )
    return finding_types().get(kind, unknown)

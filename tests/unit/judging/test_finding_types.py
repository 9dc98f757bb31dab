"""Types of finding: all that are stated, and what is said of one that nobody states."""

from __future__ import annotations

from detector.detectors import detector_classes
from detector.judging.finding_types import finding_type, finding_types


def test_all_types_are_those_of_the_detectors_and_the_two_of_judging() -> None:
    """Each by its own kind."""
    of_detectors = {each.kind for detector in detector_classes().values() for each in detector.types}
    assert set(finding_types()) == of_detectors | {"fleet_shift", "key_group", "data_quality"}
    assert all(each.kind == kind for kind, each in finding_types().items())


def test_no_two_types_have_one_name() -> None:
    """Neither as a title nor as a tag, nor within a sentence."""
    types = finding_types().values()
    for names in ({each.title for each in types}, {each.tag for each in types}, {each.plural for each in types}):
        assert len(names) == len(types)


def test_a_type_that_nobody_states_is_called_by_its_kind() -> None:
    """Findings of a detector that was taken away stay in the state."""
    gone = finding_type("geo_jump")
    assert (gone.title, gone.tag) == ("Geo jump", "geo jump")
    assert (gone.singular, gone.plural) == ("geo_jump finding", "geo_jump findings")
    assert not gone.is_rule
    assert not gone.is_inventory
    assert not gone.counts_requests

"""One day judged as a whole: what detectors found, what is withheld, what goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest

from detector.config.config import Config
from detector.config.sections import DetectionSettings
from detector.detectors import DETECTORS, all_detectors
from detector.detectors.judgement import Judgement
from detector.detectors.name_mismatch import NameMismatch
from detector.judging.judging import Judged, judge
from detector.model.extent import Extent
from detector.model.finding import Severity, Sighting
from detector.model.panel import Panel
from tests.cases import name_mismatch
from tests.cases.went_silent import silent
from tests.panels import DAY, panel

CONFIG = Config.model_validate({"source": {"kind": "files", "usage": "usage.csv"}})


def early(subject: Panel) -> Panel:
    """The same panel, pulled before its day was over."""
    return replace(subject, pulled_at=datetime(2026, 3, 17, 20, tzinfo=UTC))


def open_sighting(kind: str, finding_id: str = "f1") -> Sighting:
    """A finding of a type that was open the day before."""
    before = DAY - timedelta(days=1)
    return Sighting(finding_id, before, kind, "A title", "key", Severity.LOW, 1.0, 1, before, 1, open=True)


def statuses(judged: Judged) -> Mapping[str, str]:
    """Finding id to status."""
    return {finding.finding_id: str(finding.status) for finding in judged.findings}


def fails_to_judge(detector: NameMismatch, panel: Panel) -> Judgement:
    """A detector with a fault in it."""
    raise ZeroDivisionError


def fails_to_describe(detector: NameMismatch, panel: Panel, judge=NameMismatch.judge) -> Judgement:
    """A detector that scores, and has a fault where it explains."""
    return replace(judge(detector, panel), describe=lambda keys: {}[keys[0]])


def test_nothing_is_called_silent_on_incomplete_data() -> None:
    """Rows that are still to come may end the silence; the day says that it held one back."""
    whole, partial = judge(silent(3), CONFIG, {}), judge(early(silent(3)), CONFIG, {})
    assert [item.key_id for item in whole.findings if item.type == "went_silent"] == ["gone"]
    assert [item.key_id for item in partial.findings if item.type == "went_silent"] == []
    assert (whole.withheld, partial.withheld) == ((), ("silence",))


def test_silence_is_withheld_only_if_a_key_went_silent() -> None:
    """Incomplete data alone hold nothing back."""
    assert judge(early(silent(2)), CONFIG, {}).withheld == ()


def test_an_ongoing_silence_is_withheld_and_does_not_end() -> None:
    """The key is as silent as the day before; only a day that sees it can say more."""
    named = next(item for item in judge(silent(3), CONFIG, {}).findings if item.type == "went_silent")
    earlier = {named.finding_id: open_sighting("went_silent", named.finding_id)}
    assert judge(early(silent(4)), CONFIG, earlier).withheld == ("silence",)


def test_a_dormant_key_in_use_is_reported_on_incomplete_data() -> None:
    """Its silence is known from the days before; later rows of the day cannot undo its waking."""
    judged = judge(early(panel({"sleeper": [5] * 10 + [0] * 40 + [7], "other": [9] * 51})), CONFIG, {})
    assert [item.key_id for item in judged.findings if item.type == "dormant_wake"] == ["sleeper"]
    assert judged.withheld == ()


def test_an_incomplete_day_ends_no_finding() -> None:
    """A complete one ends it; either says what it did."""
    earlier = {"f1": open_sighting("usage_spike")}
    quiet = panel({"key": [9] * 40})
    assert statuses(judge(quiet, CONFIG, earlier)) == {"f1": "resolved"}
    held_back = judge(early(quiet), CONFIG, earlier)
    assert "f1" not in statuses(held_back)
    assert held_back.withheld == ("resolution",)


@pytest.mark.parametrize("faulty", [fails_to_judge, fails_to_describe])
def test_a_failed_detector_neither_ends_nor_raises_findings(
    monkeypatch: pytest.MonkeyPatch, faulty: Callable[..., Judgement]
) -> None:
    """Findings of the other types end as ever."""
    earlier = {"f1": open_sighting("name_mismatch"), "f2": open_sighting("usage_spike", "f2")}
    monkeypatch.setattr(NameMismatch, "judge", faulty)
    judged = judge(name_mismatch.one("checkout-staging", "live"), CONFIG, earlier)
    assert statuses(judged) == {"f2": "resolved"}
    assert judged.extent == Extent(complete=True, unjudged=frozenset({"name_mismatch"}))
    assert judged.withheld == ("resolution",)


@pytest.mark.parametrize("kind", DETECTORS)
def test_a_detector_reports_no_type_that_it_does_not_list(kind: str) -> None:
    """Otherwise its failure would end findings that only it can see."""
    (detector,) = [item for item in all_detectors(DetectionSettings(method="both")) if item.kind == kind]
    for case in import_module(f"tests.cases.{kind}").CASES:
        judged = detector.judge(case.panel()).scores
        assert set(judged.get("type", [])) <= detector.named_types()

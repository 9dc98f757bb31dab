"""One day judged as a whole: what detectors found, what is withheld, what goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest

from detector.config.config import Config
from detector.config.sections import DetectionSettings
from detector.detectors import DETECTORS, all_detectors
from detector.detectors.judgement import Judgement
from detector.detectors.name_mismatch import NameMismatch
from detector.judging.finding_types import finding_type
from detector.judging.judging import Judged, judge
from detector.model.extent import Extent
from detector.model.finding import Severity, Sighting
from detector.model.panel import Panel
from tests.cases import name_mismatch
from tests.cases.usage_spike import fleet, with_last
from tests.cases.went_silent import silent
from tests.laws import with_strangers
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


def test_strangers_change_no_word_about_the_keys_of_the_register() -> None:
    """Neither the finding of a key nor how rare it is called depends on what strangers do."""
    spikes = panel(with_last(fleet(), key_003=10_000, key_009=9_000))
    alone = judge(spikes, CONFIG, {})
    crowded = judge(with_strangers(spikes, requests=10_000), CONFIG, {})
    of_register = [finding for finding in crowded.findings if finding.key_id in spikes.keys]
    assert [finding for finding in alone.findings if finding.key_id] == of_register
    assert {str(finding.prevalence).split("; ")[-1] for finding in of_register} == {"2 of 60 keys on this day"}
    assert alone.thresholds == crowded.thresholds


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


def test_a_failed_detector_neither_ends_nor_raises_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Findings of the other types end as ever, and the failure itself is a finding about the day."""
    earlier = {"f1": open_sighting("name_mismatch"), "f2": open_sighting("usage_spike", "f2")}
    monkeypatch.setattr(NameMismatch, "judge", fails_to_judge)
    judged = judge(name_mismatch.one("checkout-staging", "live"), CONFIG, earlier)
    quality = next(finding for finding in judged.findings if finding.type == "data_quality")
    assert statuses(judged) == {"f2": "resolved", quality.finding_id: "new"}
    assert quality.reason == "name_mismatch failed: ZeroDivisionError: "
    assert judged.extent == Extent(complete=True, unjudged=frozenset({"name_mismatch"}))
    assert judged.withheld == ("resolution",)


def test_a_detector_that_ends_the_process_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that ended with 0 and without a report would look like a success."""

    def exits(detector: NameMismatch, panel: Panel) -> Judgement:
        raise SystemExit(0)

    monkeypatch.setattr(NameMismatch, "judge", exits)
    judged = judge(panel({"key": [9] * 40}), CONFIG, {})
    assert judged.failures == ["name_mismatch failed: SystemExit: 0"]
    assert judged.keys_judged == 1


def test_a_finding_survives_the_failure_of_its_explanation(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the highest severity of its type, because nobody knows better, and the day says what failed."""
    monkeypatch.setattr(NameMismatch, "judge", fails_to_describe)
    judged = judge(name_mismatch.one("checkout-staging", "live"), CONFIG, {})
    (named,) = [finding for finding in judged.findings if finding.type == "name_mismatch"]
    assert named.key_id == "key"
    assert named.severity is finding_type("name_mismatch").severities[-1]
    assert judged.failures == ["the explanation of name_mismatch failed: KeyError: 'key'"]
    assert [problem.shortfall for problem in judged.problems] == ["a part of the evaluation failed"]


def test_findings_survive_a_failure_of_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison with earlier days is told as failed once, though several detectors asked for it."""

    def fails(panel: Panel, keys: list[str]) -> None:
        raise OSError("disk")

    monkeypatch.setattr("detector.judging.judging.changes", fails)
    judged = judge(name_mismatch.one("checkout-staging", "live"), CONFIG, {})
    assert "name_mismatch" in {finding.type for finding in judged.findings}
    assert judged.failures == ["the comparison of endpoints failed: OSError: disk"]


def test_the_failure_of_every_detector_is_said_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key is judged, and the first problem is the failure."""
    for detector in all_detectors(DetectionSettings()):
        monkeypatch.setattr(type(detector), "judge", fails_to_judge)
    judged = judge(panel({"key": [9] * 40}), CONFIG, {})
    assert judged.keys_judged == 0
    assert judged.problems[0].shortfall == "every detector failed"


def test_data_that_could_not_be_checked_are_not_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    """The detectors run, and nothing is called silent or over."""

    def fails(panel: Panel, settle_days: int) -> None:
        raise OSError("disk")

    monkeypatch.setattr("detector.judging.judging.assess", fails)
    judged = judge(silent(3), CONFIG, {"f1": open_sighting("usage_spike")})
    assert [problem.text for problem in judged.problems] == ["the check of the data failed: OSError: disk"]
    assert judged.failures == ["the check of the data failed: OSError: disk"]
    assert not judged.extent.complete
    assert judged.withheld == ("silence", "resolution")
    assert judged.keys_judged


def test_a_past_day_that_cannot_be_read_costs_that_day_alone() -> None:
    """The detectors run, and the day says which one it lacks."""
    quiet = panel({"key": [9] * 40})
    damaged = replace(quiet, unreadable=lambda: {DAY - timedelta(days=7): "cannot read the stored day"})
    judged = judge(damaged, CONFIG, {})
    assert judged.keys_judged == 1
    assert [(problem.text, problem.shortfall) for problem in judged.problems] == [
        ("cannot read the stored day", "a past day cannot be read")
    ]


def test_fewer_judged_keys_than_on_any_day_before_are_told() -> None:
    """Keys that were revoked, or that left the history, need no evaluation."""
    quiet = panel({"key": [9] * 40})
    before = {DAY - timedelta(days=1): 3, DAY - timedelta(days=2): 2}
    (told,) = judge(quiet, CONFIG, {}, judged_before=before).problems
    assert told.text.startswith("1 key was evaluated, fewer than the 2 of 2026-03-15")
    gone = replace(quiet, trusted_before=lambda day: frozenset({"key", "revoked"}))
    assert judge(gone, CONFIG, {}, judged_before=before).problems == []
    assert judge(quiet, CONFIG, {}, judged_before={DAY: 1}).problems == []


def test_a_source_that_could_not_be_read_comes_first() -> None:
    """A day that an earlier run has stored is judged, and still the source is the reason."""
    quiet = panel({"key": [9] * 40})
    judged = judge(quiet, CONFIG, {}, unread="The database did not answer.")
    assert judged.problems[0].text.startswith("The database did not answer. The day was evaluated with")
    assert judged.extent.complete


def test_a_fleet_too_young_for_any_baseline_says_so() -> None:
    """As information, because there is nothing to mend."""
    judged = judge(panel({"key": [9] * 3}), CONFIG, {})
    assert judged.keys_judged == 0
    assert [problem.severity for problem in judged.problems] == [Severity.INFO]
    assert judged.problems[0].shortfall == "no key has enough history yet"
    first = DAY + timedelta(days=6)
    assert judged.problems[0].text.endswith(f"keys are evaluated from {first} on.")
    grown = [9] * (3 + 5)
    assert judge(panel({"key": grown}), CONFIG, {}).keys_judged == 0
    assert judge(panel({"key": [*grown, 9]}), CONFIG, {}).keys_judged == 1


@pytest.mark.parametrize("kind", DETECTORS)
def test_a_detector_reports_no_type_that_it_does_not_list(kind: str) -> None:
    """Otherwise its failure would end findings that only it can see."""
    (detector,) = [item for item in all_detectors(DetectionSettings(method="both")) if item.kind == kind]
    for case in import_module(f"tests.cases.{kind}").CASES:
        judged = detector.judge(case.panel()).scores
        assert set(judged.get("type", [])) <= detector.named_types()

"""Every detector: its cases, and the laws they all obey."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest

from detector.config.config import Config
from detector.config.sections import DetectionSettings
from detector.detectors import DETECTORS, all_detectors, detector_classes
from detector.judging.judging import Judged, judge
from detector.sources.pull import pull
from detector.usage.history import History
from detector.usage.panel import load_panel
from tests.cases import Case
from tests.cases.usage_spike import fleet, with_last
from tests.fakes import FakeSource
from tests.laws import LAWS, named
from tests.panels import UTC_ZONE, panel

BY_KIND = {detector.kind: detector for detector in all_detectors(DetectionSettings(method="both"))}
CASES = [(kind, case) for kind in DETECTORS for case in import_module(f"tests.cases.{kind}").CASES]


@pytest.mark.parametrize(("kind", "case"), CASES, ids=[f"{kind}: {case.title}" for kind, case in CASES])
def test_a_detector_reports_exactly_the_keys_of_its_case(kind: str, case: Case) -> None:
    """Each case lists exactly the keys that must fire."""
    assert set(named(BY_KIND[kind].judge(case.panel()))) == case.fires


@pytest.mark.parametrize(("kind", "case"), CASES, ids=[f"{kind}: {case.title}" for kind, case in CASES])
def test_a_detector_lists_the_keys_that_it_could_not_evaluate(kind: str, case: Case) -> None:
    """A key that cannot be judged has no score, and a reason."""
    judged = BY_KIND[kind].judge(case.panel()).scores
    unscored = judged[judged["score"].isna()]
    assert set(unscored.index) == case.not_judged
    assert unscored["not_judged"].notna().all()


@pytest.mark.parametrize("kind", DETECTORS)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_every_detector_obeys_the_laws(kind: str, law) -> None:
    """The laws hold on every case that fires."""
    for case in import_module(f"tests.cases.{kind}").CASES:
        if case.fires:
            law(BY_KIND[kind], case.panel())


@pytest.mark.parametrize("kind", DETECTORS)
def test_every_detector_has_a_case_that_fires_and_one_that_does_not(kind: str) -> None:
    """A detector without both kinds of case is untested."""
    cases = import_module(f"tests.cases.{kind}").CASES
    assert any(case.fires for case in cases)
    assert any(not case.fires for case in cases)


@pytest.mark.parametrize("kind", DETECTORS)
def test_every_reported_key_has_a_description(kind: str) -> None:
    """A finding always has a title, a reason, an action and reasons for its severity."""
    detector = BY_KIND[kind]
    for case in import_module(f"tests.cases.{kind}").CASES:
        described = detector.judge(case.panel()).describe(sorted(case.fires))
        assert set(described) == case.fires
        for description in described.values():
            assert description.title
            assert description.reason.endswith(".")
            assert description.actions
            assert description.severity_reasons


def test_a_planted_spike_outranks_every_ordinary_key_by_a_margin() -> None:
    """A tenfold day scores at least twice as high as any other key."""
    counts = with_last(fleet(), key_010=max(fleet()["key-010"]) * 10)
    scores = BY_KIND["usage_spike"].judge(panel(counts)).scores["score"]
    assert scores["key-010"] > 2 * scores.drop("key-010").max()


@pytest.mark.parametrize(
    ("kind", "factor"),
    [("usage_spike", 2), ("usage_spike", 5), ("error_surge", 5), ("error_surge", 30), ("error_surge", 100)],
)
def test_scaling_the_whole_fleet_reports_no_key(kind: str, factor: int) -> None:
    """What every key does on the day is no key's own, be it requests or failures; one key beyond it is named."""
    rng = np.random.default_rng(0)
    requests = rng.poisson(30, (60, 99))
    failed = rng.binomial(requests, 0.1)
    keys = [f"key-{number:03d}" for number in range(60)]
    counts = {key: [*row, 30 * factor] for key, row in zip(keys, requests.tolist(), strict=True)}
    errors = {key: [*row, 9 * factor] for key, row in zip(keys, failed.tolist(), strict=True)}
    assert named(BY_KIND[kind].judge(panel(counts, errors=errors))) == []
    counts["key-007"][-1] *= 30
    errors["key-007"][-1] = counts["key-007"][-1]
    assert named(BY_KIND[kind].judge(panel(counts, errors=errors))) == ["key-007"]


def test_no_fleet_excuses_a_key_far_beyond_everything_it_did() -> None:
    """At thirty times its usual a key is named, though all sixty keys are there."""
    rng = np.random.default_rng(0)
    counts = {f"key-{number:02d}": [*row, 900] for number, row in enumerate(rng.poisson(30, (60, 99)).tolist())}
    assert len(named(BY_KIND["usage_spike"].judge(panel(counts)))) == 60


JUDGED = (100, 115, 129)
"""The days that are judged, counted from the first one of the history."""


def eventful_days(first: date, days: int) -> dict[date, pd.DataFrame]:
    """Usage of 40 keys: on the judged days the first eight wake, spike, fail, shift, stray or fall silent, and on
    the days after the last of them everything happens to all keys and to ten that nobody saw before."""
    rng = np.random.default_rng(5)
    columns = ["key_id", "endpoint", "deployment", "request_count", "error_count"]
    usage = {}
    for number in range(days):
        late = number > JUDGED[-1]
        rows = []
        for key in range(50 if late else 40):
            event = key if number in JUDGED else None
            asleep = key < 3 and 60 <= number < JUDGED[key]
            gone = key == 7 and any(day - 3 < number <= day for day in JUDGED)
            if asleep or gone:
                continue
            count = int(rng.poisson(30 + key)) * (40 if event == 3 or late else 1)
            failed = count // 2 if event == 4 or late else count // 20
            new = [f"GET /admin/{each}" for each in range(6)] if event == 5 or late else []
            place = "staging" if event == 6 or late else "production"
            for endpoint in new or ["GET /orders", "GET /items"]:
                rows.append((f"key-{key:02d}", endpoint, place, count, failed))
        frame = pd.DataFrame(rows, columns=columns)
        usage[first + timedelta(days=number)] = frame.astype({"request_count": "int64", "error_count": "int64"})
    return usage


def test_nothing_after_the_judged_day_changes_a_judgement(tmp_path: Path) -> None:
    """Later days in the history leave the scores and the findings of a day as they were, to the last digit."""
    first = date(2026, 1, 1)
    register = [{"key_id": f"key-{key:02d}", "environment": "live"} for key in range(50)]
    source = FakeSource(eventful_days(first, 160), register)
    config = Config.model_validate(
        {"source": {"kind": "files", "usage": "none.csv"}, "detection": {"method": "both"}}
    )
    history = History(tmp_path / "history", UTC_ZONE)
    now = datetime(2026, 6, 30, tzinfo=UTC)

    def judge_all() -> list[Judged]:
        days = [first + timedelta(days=number) for number in JUDGED]
        return [judge(load_panel(history, day, 120), config, {}) for day in days]

    pull(config, source, history, first, first + timedelta(days=JUDGED[-1]), now=now)
    before = judge_all()
    pull(config, source, history, first, first + timedelta(days=159), now=now)
    assert len(list(history.days())) == 160
    for earlier, later in zip(before, judge_all(), strict=True):
        assert earlier.failures == later.failures == []
        assert [repr(finding) for finding in earlier.findings] == [repr(finding) for finding in later.findings]
        assert earlier.thresholds == later.thresholds
        for kind, frame in earlier.judgements.items():
            assert frame.equals(later.judgements[kind]), kind
    found = {finding.type for day in before for finding in day.findings}
    expected = {
        "usage_spike",
        "dormant_wake",
        "error_surge",
        "endpoint_shift",
        "environment_mismatch",
        "went_silent",
    }
    assert found >= expected


@pytest.mark.parametrize("kind", DETECTORS)
def test_a_detector_is_registered_under_its_kind(kind: str) -> None:
    """What it states is found by the name that its findings and its budget carry."""
    assert detector_classes()[kind].kind == kind


def test_each_type_of_finding_is_defined_once() -> None:
    """Two detectors may name one type, and one of them says what it is."""
    stated = [each.kind for detector in detector_classes().values() for each in detector.types]
    assert len(stated) == len(set(stated))
    named_by_any = {name for detector in detector_classes().values() for name in detector.named_types()}
    assert named_by_any == set(stated)


@pytest.mark.parametrize(
    ("method", "chosen"),
    [
        ("zscore", {"usage_spike"}),
        ("isolation_forest", {"unusual_pattern"}),
        ("both", {"usage_spike", "unusual_pattern"}),
    ],
)
def test_the_method_chooses_among_the_detectors_of_volume(
    method: Literal["zscore", "isolation_forest", "both"], chosen: set[str]
) -> None:
    """All others always run."""
    kinds = {detector.kind for detector in all_detectors(DetectionSettings(method=method))}
    assert kinds & {"usage_spike", "unusual_pattern"} == chosen
    assert kinds - chosen == set(DETECTORS) - {"usage_spike", "unusual_pattern"}


@pytest.mark.parametrize(("baseline_days", "dormant_after_days"), [(56, 30), (100, 30), (56, 7), (8, 90)])
def test_judging_reads_the_baselines_of_four_weeks_and_four_dormancies(
    baseline_days: int, dormant_after_days: int
) -> None:
    """Whichever is more."""
    settings = DetectionSettings(baseline_days=baseline_days, dormant_after_days=dormant_after_days)
    asked = {kind: detector.days_before(settings) for kind, detector in detector_classes().items()}
    assert max(asked.values()) == max(baseline_days + 28, 4 * dormant_after_days)
    assert asked["usage_spike"] == asked["error_surge"] == baseline_days + 28
    assert asked["dormant_wake"] == 4 * dormant_after_days
    assert asked["unusual_pattern"] == baseline_days + 14

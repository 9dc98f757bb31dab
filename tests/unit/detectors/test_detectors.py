"""Every detector: its cases, and the laws they all obey."""

from __future__ import annotations

from importlib import import_module

import pytest

from detector.config.sections import Detection
from detector.detectors import DETECTORS, Detector, all_detectors
from detector.judging import policy
from tests.cases import Case
from tests.cases.usage_spike import fleet, with_last
from tests.laws import LAWS
from tests.panels import panel

BY_KIND = {detector.kind: detector for detector in all_detectors(Detection(method="both"))}
CASES = [(kind, case) for kind in DETECTORS for case in import_module(f"tests.cases.{kind}").CASES]


def names(detector: Detector, case: Case) -> set[str]:
    """The keys a detector names at the default settings."""
    judgement = detector.judge(case.panel())
    threshold = 0.0 if judgement.past is None else policy.calibrate(judgement.past, 1).score
    return set(policy.named(judgement.scores, threshold))


@pytest.mark.parametrize(("kind", "case"), CASES, ids=[f"{kind}: {case.title}" for kind, case in CASES])
def test_a_detector_names_the_keys_of_its_case_and_no_other(kind: str, case: Case) -> None:
    """Each case lists exactly the keys that must fire."""
    assert names(BY_KIND[kind], case) == case.fires


@pytest.mark.parametrize(("kind", "case"), CASES, ids=[f"{kind}: {case.title}" for kind, case in CASES])
def test_a_detector_says_which_keys_it_could_not_judge(kind: str, case: Case) -> None:
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
def test_every_named_key_is_described(kind: str) -> None:
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


def test_no_row_after_the_judged_day_is_used() -> None:
    """The score of a day is the same whether or not later days are in the history."""
    counts = fleet(days=100)
    today = panel(counts)
    shorter = panel({key: values[20:] for key, values in counts.items()})
    assert BY_KIND["usage_spike"].judge(today).scores["score"].round(9).tolist() == (
        BY_KIND["usage_spike"].judge(shorter).scores["score"].round(9).tolist()
    )

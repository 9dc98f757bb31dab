"""The explanation of a key: each detector shows whether it fired."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from detector.config.config import Config
from detector.config.load import load
from detector.judging.judging import judge
from detector.reports.terminal.explain import render
from tests.cases.environment_behaviour import named
from tests.cases.usage_spike import fleet, with_last
from tests.panels import panel


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "config.yaml").write_text("source: {kind: files, usage: none.csv}\n")
    return load(tmp_path / "config.yaml")


def test_a_detector_that_names_another_type_has_a_finding(config: Config) -> None:
    """environment_behaviour finds an environment mismatch, while the rule of that name does not apply."""
    text = render(judge(named("checkout-staging", "live"), config, {}), "key")
    assert "Environment behaviour: a finding\n  low, new: By name: " in text
    assert "'checkout-staging' speaks of test" in text
    assert "Environment mismatch: not evaluated, requests in deployments" in text


def test_a_spike_is_explained_by_the_components_of_its_score(config: Config) -> None:
    """The explanation names the components of the score; the score of an ordinary key is not above the limit."""
    judged = judge(panel(with_last(fleet(), key_003=10_000)), config, {})
    text = render(judged, "key-003")
    assert "Usage spike: a finding\n  high, new: " in text
    assert all(term in text for term in ("own history", "bursts", "recent days", "record"))
    assert re.search(r"Usage spike: no finding, score -?\d+\.\d\d, not above \d", render(judged, "key-004"))


def test_the_one_reason_that_applies_is_told(config: Config) -> None:
    """A rule has no score, and a key with a high score has too few requests, or was not in use before."""
    counts = fleet()
    quiet = {**counts, "quiet": [0] * (len(next(iter(counts.values()))) - 1) + [9]}
    text = render(judge(panel(quiet), config, {}), "quiet")
    assert "Usage spike: no finding, fewer than 10 requests" in text
    assert "Revoked key in use: no finding, the rule does not apply" in text
    assert "0.00" not in text


def test_times_are_local(config: Config) -> None:
    """In the zone of the installation, which is named."""
    judged = judge(replace(panel(fleet()), timezone=ZoneInfo("Europe/Berlin")), config, {})
    assert "(Europe/Berlin), longest silence" in render(judged, "key-003")

"""The explanation of a key: each detector shows whether it fired."""

from __future__ import annotations

from pathlib import Path

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


def test_a_detector_that_names_another_type_says_that_it_fired(config: Config) -> None:
    """environment_behaviour fires with the type environment_mismatch, while environment_mismatch does not fire."""
    text = render(judge(named("checkout-staging", "live"), config, {}), "key")
    assert "environment_behaviour: FIRED" in text
    assert "By name: 'checkout-staging' speaks of test" in text
    assert "environment_mismatch: did not fire" in text


def test_a_spike_is_explained_by_the_components_of_its_score(config: Config) -> None:
    """The explanation names the components of the score; an ordinary key does not fire."""
    judged = judge(panel(with_last(fleet(), key_003=10_000)), config, {})
    text = render(judged, "key-003")
    assert "usage_spike: FIRED" in text
    assert all(term in text for term in ("own history", "bursts", "recent days", "record"))
    assert "usage_spike: did not fire" in render(judged, "key-004")

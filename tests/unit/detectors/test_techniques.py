"""Techniques of attackers are named where their condition was observed, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd

from detector.config.sections import DetectionSettings
from detector.detectors import all_detectors
from detector.model.finding import Technique
from detector.model.panel import Panel
from detector.model.usage import INSTANT
from tests.cases.endpoint_shift import NEW, USUAL, fleet
from tests.cases.new_key_burst import with_young
from tests.cases.revoked_key_use import revoked
from tests.panels import panel

DETECTORS = {detector.kind: detector for detector in all_detectors(DetectionSettings())}
SLEEPER = {"busy": [5] * 121, "sleeper": [3] * 80 + [0] * 40 + [6]}


def techniques(kind: str, subject: Panel, key: str) -> tuple[Technique, ...]:
    """What the detector takes the key's behaviour that day for."""
    return DETECTORS[kind].judge(subject).describe([key])[key].techniques


def failing(subject: Panel, key: str, errors: int) -> Panel:
    """The same panel, with so many of the key's requests that day failed."""
    records = subject.records.copy()
    records.loc[key, "error_count"] = errors
    return replace(subject, records=records)


def test_accepted_requests_of_a_dormant_live_key_name_a_technique() -> None:
    """The condition says how long it slept and how much was accepted."""
    (found,) = techniques("dormant_wake", panel(SLEEPER), "sleeper")
    assert found.id == "T1550.001"
    assert found.condition == "a live key nobody used for 40 days made 6 accepted requests"
    assert "17.1" in found.catalogue


def test_refused_requests_and_test_keys_name_no_technique() -> None:
    """What opens nothing, or nothing that matters, is no way in."""
    assert techniques("dormant_wake", failing(panel(SLEEPER), "sleeper", 6), "sleeper") == ()
    assert techniques("dormant_wake", panel(SLEEPER, environment={"sleeper": "test"}), "sleeper") == ()


def test_the_first_use_of_a_key_names_no_technique() -> None:
    """A key never used before was not stolen from its user."""
    subject = panel({"busy": [5] * 121, "unused": [0] * 120 + [7]})
    assert techniques("dormant_wake", subject, "unused") == ()


def test_only_accepted_requests_of_a_revoked_key_name_a_technique() -> None:
    """Only accepted requests show that a token still opens something."""
    gone = revoked(5, datetime(2026, 3, 7, tzinfo=UTC))
    (found,) = techniques("revoked_key_use", failing(gone, "gone", 2), "gone")
    assert found.condition == "3 of 5 requests with a revoked key were accepted"
    assert techniques("revoked_key_use", failing(gone, "gone", 5), "gone") == ()


def test_a_burst_of_a_key_that_the_register_calls_new_may_be_an_added_credential() -> None:
    """A key merely seen for the first time may be old."""
    seen = with_young([5_000])
    assert techniques("new_key_burst", seen, "young") == ()
    created = pd.array([datetime(2026, 3, 17, 3, tzinfo=UTC)] * len(seen.keys), dtype=INSTANT)
    registered = replace(seen, records=seen.records.assign(created_at=created))
    assert [found.id for found in techniques("new_key_burst", registered, "young")] == ["T1098.001"]


def test_many_new_endpoints_are_scanning_only_when_mostly_refused() -> None:
    """A caller who knows the endpoints is answered; one who guesses is not."""
    subject = fleet({"key-07": USUAL | NEW})
    requests = int(subject.records.loc["key-07", "request_count"])
    assert techniques("endpoint_shift", failing(subject, "key-07", requests // 3), "key-07") == ()
    (found,) = techniques("endpoint_shift", failing(subject, "key-07", requests), "key-07")
    assert found.id == "T1595.003"

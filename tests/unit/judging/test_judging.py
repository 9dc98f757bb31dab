"""One day judged as a whole: what detectors found, what is withheld, what goes on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from detector.config.config import Config
from detector.judging.judging import judge
from tests.cases.went_silent import silent

CONFIG = Config.model_validate({"source": {"kind": "files", "usage": "usage.csv"}})


def test_nothing_is_called_silent_on_incomplete_data() -> None:
    """Rows that are still to come may end the silence."""
    subject = silent(3)
    early = replace(subject, pulled_at=datetime(2026, 3, 17, 20, tzinfo=UTC))
    assert [item.key_id for item in judge(subject, CONFIG, {}).findings if item.type == "went_silent"] == ["gone"]
    assert [item.key_id for item in judge(early, CONFIG, {}).findings if item.type == "went_silent"] == []

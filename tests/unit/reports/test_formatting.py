"""Text of cells and instants on the page."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from detector.model.day import Day
from detector.reports.page.formatting import instant_in, local_time, silence, text_in

BERLIN = Day(date(2026, 11, 22), ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(("cell", "text"), [("shop", "shop"), (None, ""), (pd.NA, ""), (float("nan"), "")])
def test_a_missing_text_is_empty(cell: object, text: str) -> None:
    """Every kind of missing value becomes an empty text."""
    assert text_in(cell) == text


@pytest.mark.parametrize("cell", [None, pd.NA, pd.NaT, "2026-11-22"])
def test_a_cell_without_an_instant_gives_none(cell: object) -> None:
    """Missing values and texts are no instants."""
    assert instant_in(cell) is None


def test_instants_are_local_and_have_their_year_if_it_differs() -> None:
    """The text is in the report's timezone, and an instant of another year names its year."""
    assert local_time(datetime(2026, 11, 22, 22, 59, tzinfo=UTC), BERLIN) == "22 Nov 23:59"
    assert local_time(datetime(2025, 12, 31, 23, 30, tzinfo=UTC), BERLIN) == "1 Jan 00:30"
    assert local_time(datetime(2025, 12, 31, 22, 30, tzinfo=UTC), BERLIN) == "31 Dec 2025 23:30"


def test_a_silence_counts_local_days() -> None:
    """A use at 23:30 UTC belongs to the next day in Berlin."""
    assert silence(datetime(2026, 11, 20, 23, 30, tzinfo=UTC), BERLIN) == "silent for 1 day"
    assert silence(datetime(2026, 11, 20, 22, 30, tzinfo=UTC), BERLIN) == "silent for 2 days"
    assert silence(None, BERLIN) == "no known use"

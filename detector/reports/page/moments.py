"""Cells and instants of the usage frame in the words of a page."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from detector.boundary.words import counted
from detector.model.day import Day
from detector.reports.page import charts


def text_in(value: object) -> str:
    """A cell as text; nothing where the frame has no value."""
    return value if isinstance(value, str) else ""


def instant_in(value: object) -> datetime | None:
    """A cell as an instant; None where the frame has no value."""
    return value if isinstance(value, datetime) and not pd.isna(value) else None


def moment(value: datetime, day: Day) -> str:
    """22 Nov 23:59 in the report's timezone, with the year where it is another one."""
    local = value.astimezone(day.timezone)
    year = "" if local.year == day.date.year else f" {local.year}"
    return f"{charts.short_day(local.date())}{year} {local:%H:%M}"


def silence(used: datetime | None, day: Day) -> str:
    """How long a key without requests that day has been silent, in words."""
    if used is None:
        return "never seen used"
    days = (day.date - used.astimezone(day.timezone).date()).days
    return f"silent for {counted(days, 'day')}"

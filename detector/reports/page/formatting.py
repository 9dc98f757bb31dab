"""Text for the cells and instants of the usage frame."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from detector.boundary.words import counted
from detector.model.day import Day
from detector.reports.page import charts


def text_in(value: object) -> str:
    """A cell as text; empty if the frame has no value."""
    return value if isinstance(value, str) else ""


def instant_in(value: object) -> datetime | None:
    """A cell as an instant; None if the frame has no value."""
    return value if isinstance(value, datetime) and not pd.isna(value) else None


def local_time(instant: datetime, day: Day) -> str:
    """Format an instant in the report's timezone, as in 22 Nov 23:59; with its year if the day's year differs."""
    local = instant.astimezone(day.timezone)
    year = "" if local.year == day.date.year else f" {local.year}"
    return f"{charts.short_day(local.date())}{year} {local:%H:%M}"


def silence(last_used: datetime | None, day: Day) -> str:
    """How long a key without requests on the evaluated day has been silent, in words."""
    if last_used is None:
        return "no known use"
    days = (day.date - last_used.astimezone(day.timezone).date()).days
    return f"silent for {counted(days, 'day')}"

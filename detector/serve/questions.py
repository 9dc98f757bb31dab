"""The days of a request, checked and converted."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from detector.boundary.words import counted
from detector.model.day import Day
from detector.serve.problems import ProblemError, invalid

DAY_PATTERN = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
ONE_DAY = timedelta(days=1)


def days(
    start: str | None, end: str | None, latest: date | None, timezone: ZoneInfo, most: int
) -> tuple[date, date]:
    """The first and last day of the parameters ``from`` and ``to``, which are both days or both instants.

    Two days are both included. Two instants are a half-open period, and must be starts of days in the timezone of
    the history, so that a caller who assumes another timezone gets an error. Raises ProblemError.
    """
    if latest is None:
        raise ProblemError(404, "day-not-stored", "A day is not stored", "The history holds no day yet.")
    first, last = _bounds(start, end, latest, timezone)
    if first > last:
        raise invalid("from: lies after to")
    if (last - first).days >= most:
        raise invalid(f"from, to: one answer spans at most {counted(most, 'day')}")
    return first, last


def _bounds(start: str | None, end: str | None, latest: date, timezone: ZoneInfo) -> tuple[date, date]:
    if start is None and end is None:
        return latest, latest
    if start is None:
        day = _day(end or "", "to")
        return day, day
    if end is None:
        day = _day(start, "from")
        return day, day
    if re.fullmatch(DAY_PATTERN, start) or re.fullmatch(DAY_PATTERN, end):
        return _day(start, "from"), _day(end, "to")
    first = _bound(start, "from", timezone)
    beyond = _bound(end, "to", timezone)
    if first >= beyond:
        raise invalid("to: an instant is where the period ends, and must lie after from")
    return first, beyond - ONE_DAY


def _day(text: str, name: str) -> date:
    try:
        if re.fullmatch(DAY_PATTERN, text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise invalid(f"{name}: not a day, written as YYYY-MM-DD, beside another day")


def _bound(text: str, name: str, timezone: ZoneInfo) -> date:
    """The day that begins at an instant."""
    try:
        instant = datetime.fromisoformat(text)
        local = instant.astimezone(timezone).date() if instant.tzinfo else None
        begins = local is not None and Day(local, timezone).start == instant
    except (ValueError, OverflowError):
        raise invalid(f"{name}: neither a day (YYYY-MM-DD) nor an instant (RFC 3339)") from None
    if local is None or not begins:
        raise invalid(f"{name}: not the start of a day in {timezone.key}, the timezone of this history")
    return local

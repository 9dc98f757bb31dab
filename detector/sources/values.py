"""Values: parsing of single values, for SQLite, whose columns hold values of any type, and for registers.

A value that cannot be parsed becomes None, and the caller counts it. The rules are the same as in
``files.parsed_rows``.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from detector.boundary.instants import in_utc
from detector.sources.windows import EARLIEST, LARGEST_COUNT, LATEST

_DATE_TEXT = re.compile(r"\s*\d{4}(-|\d{4}T)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def number_of(value: Any) -> float | None:
    """The finite number that the value is or spells; None for anything else."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def count_of(value: Any) -> int | None:
    """The whole number from 0 to ``LARGEST_COUNT`` that the value is or spells; None for anything else."""
    number = number_of(value)
    if number is None or not 0 <= number <= LARGEST_COUNT or not number.is_integer():
        return None
    return int(number)


def micros_of(value: Any) -> int | None:
    """Microseconds since 1970 of a datetime, ISO 8601 text or a number since 1970; None for anything else.

    A datetime or text without a zone is UTC. A time outside ``EARLIEST`` and ``LATEST`` is None.
    """
    is_date_text = isinstance(value, str) and _DATE_TEXT.match(value) is not None
    if isinstance(value, datetime) or is_date_text:
        micros = _micros_of_time(value)
    else:
        micros = _micros_of_number(number_of(value))
    if micros is None or not _EARLIEST_MICROS <= micros < _LATEST_MICROS:
        return None
    return micros


def day_of(value: Any) -> str | None:
    """The date at the start of the value, as ISO text; a time and zone may follow. None for anything else."""
    try:
        day = date.fromisoformat(str(value).strip()[:10])
    except ValueError:
        return None
    return day.isoformat() if EARLIEST.date() <= day < LATEST.date() else None


def to_micros(instant: datetime) -> int:
    """Microseconds since 1970."""
    # Whole numbers: total_seconds() would round the microseconds.
    since = instant - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_micros(micros: int) -> datetime:
    """The instant of microseconds since 1970, in UTC."""
    return _EPOCH + micros * _MICROSECOND


_EARLIEST_MICROS = to_micros(EARLIEST)
_LATEST_MICROS = to_micros(LATEST)

# A smaller number is no time of use: 1e8 seconds is a day in 1973, and 20260102 is a date without dashes.
_SMALLEST_EPOCH = 1e8
# (numbers below this, microseconds in their unit): seconds, milliseconds, microseconds, nanoseconds.
_UNITS = ((1e11, 1e6), (1e14, 1e3), (1e17, 1.0), (1e20, 1e-3))


def _micros_of_number(number: float | None) -> int | None:
    """The size of a number since 1970 gives its unit."""
    if number is None or number < _SMALLEST_EPOCH:
        return None
    for limit, micros in _UNITS:
        if number < limit:
            return round(number * micros)
    return None


def _micros_of_time(value: Any) -> int | None:
    try:
        instant = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    except ValueError:
        return None
    return to_micros(in_utc(instant))

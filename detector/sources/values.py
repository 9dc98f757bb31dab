"""Lenient reading of single values, for databases whose columns hold anything (SQLite), and for registers.

A value that cannot be read is None; the caller counts it. The rules are those of the files.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from detector.sources.windows import EARLIEST, LARGEST_COUNT, LATEST

_DATED = re.compile(r"\s*\d{4}(-|\d{4}T)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def number_of(value: Any) -> float | None:
    """A finite number, or text that is one."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def count_of(value: Any) -> int | None:
    """A whole number that can be a count."""
    number = number_of(value)
    return int(number) if number is not None and 0 <= number <= LARGEST_COUNT and number.is_integer() else None


def micros_of(value: Any) -> int | None:
    """Microseconds since 1970 of ISO 8601 text, a datetime (both UTC where they name no zone) or a number."""
    written = isinstance(value, datetime) or (isinstance(value, str) and _DATED.match(value) is not None)
    micros = _written(value) if written else _scaled(number_of(value))
    return micros if micros is not None and _FIRST <= micros < _LAST else None


def day_of(value: Any) -> str | None:
    """The date as it is written, as ISO text, whatever time and zone may follow it."""
    try:
        day = date.fromisoformat(str(value).strip()[:10])
    except ValueError:
        return None
    return day.isoformat() if EARLIEST.date() <= day < LATEST.date() else None


def to_micros(instant: datetime) -> int:
    """Microseconds since 1970."""
    since = instant - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_micros(micros: int) -> datetime:
    """The instant, in UTC."""
    return _EPOCH + micros * _MICROSECOND


_FIRST, _LAST = to_micros(EARLIEST), to_micros(LATEST)


def _scaled(number: float | None) -> int | None:
    """Seconds since 1970, or milli-, micro- or nanoseconds where they are too large for that."""
    if number is None:
        return None
    for limit, factor in ((1e8, None), (1e11, 1e6), (1e14, 1e3), (1e17, 1.0), (1e20, 1e-3)):
        if number < limit:
            return None if factor is None else round(number * factor)
    return None


def _written(value: Any) -> int | None:
    try:
        instant = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    except ValueError:
        return None
    return to_micros(instant if instant.tzinfo else instant.replace(tzinfo=UTC))

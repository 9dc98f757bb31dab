"""Instants and days: the one reader of written times.

Every engine reads times by these rules. An engine may read a common writing by itself where it cannot differ;
it hands all others to this module. ``tests/conformance/values.toml`` lists the writings and what they mean.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any, Literal
from zoneinfo import ZoneInfo

from detector.boundary.instants import in_utc
from detector.sources.windows import EARLIEST, LATEST

DateOrder = Literal["dmy", "mdy"]
"""How a date is read that has its year last: day or month first."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_ZONES = {
    "z": 0,
    "ut": 0,
    "utc": 0,
    "gmt": 0,
    # The zones of RFC 2822, in hours.
    "est": -5,
    "edt": -4,
    "cst": -6,
    "cdt": -5,
    "mst": -7,
    "mdt": -6,
    "pst": -8,
    "pdt": -7,
}

_CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d*))?)?"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?"
)
_ZONE = r"(?:\s*(?P<zone>[A-Za-z]{1,3}|(?:GMT|UTC)?[+-]\d{2}(?::?\d{2})?))?"
_TIME = rf"(?:{_CLOCK}{_ZONE})"
_WEEKDAY = r"(?:[A-Za-z]{3,9},?\s+)?"
_MONTH = r"(?P<name>[A-Za-z]{3,9})\.?"

_FORMS = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        # 2026-01-02, 2026-01-02T10:00:00Z, 2026/01/02 10:00
        rf"(?P<year>\d{{4}})(?P<dash>[-/.])(?P<month>\d{{1,2}})(?P=dash)(?P<day>\d{{1,2}})(?:(?:\s*[Tt]\s*|\s+){_TIME})?",
        # 20260102T100000Z
        r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})[Tt ]?"
        r"(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})(?:[.,](?P<fraction>\d*))?" + _ZONE,
        # 02/Jan/2026:10:00:00 +0000, Fri, 02 Jan 2026 10:00:00 GMT
        rf"{_WEEKDAY}(?P<day>\d{{1,2}})[/ -]{_MONTH}[/ -](?P<year>\d{{4}}|\d{{2}}(?=\s))(?:[:\s,]+{_TIME})?",
        # Fri Jan  2 10:00:00 2026, Fri Jan 02 10:00:00 UTC 2026
        rf"{_WEEKDAY}{_MONTH}\s+(?P<day>\d{{1,2}})\s+{_TIME}\s+(?P<year>\d{{4}})",
        # Jan 2, 2026 10:00:00 AM
        rf"{_WEEKDAY}{_MONTH}\s+(?P<day>\d{{1,2}}),?\s+(?P<year>\d{{4}})(?:[,\s]+{_TIME})?",
        # 03/04/2026: the date order decides
        rf"(?P<first>\d{{1,2}})(?P<dash>[-/.])(?P<other>\d{{1,2}})(?P=dash)(?P<year>\d{{4}})(?:[,\s]+{_TIME})?",
    )
)
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d{1,3})?", re.ASCII)
_DATE_NUMBER = re.compile(r"\d{8}(\.0*)?", re.ASCII)
_LONGEST = 80
"""Characters. A longer text is no time."""

# A smaller number is no time of use: 1e8 seconds is a day in 1973, and 20260102 is a date without dashes.
_SMALLEST_EPOCH = 10**8
# (numbers below this, microseconds in their unit): seconds, milliseconds, microseconds, nanoseconds.
_UNITS = ((10**11, Decimal(10**6)), (10**14, Decimal(1000)), (10**17, Decimal(1)), (10**20, Decimal("0.001")))


def micros_of(value: Any, order: DateOrder | None = None) -> int | None:
    """Microseconds since 1970 of a datetime, a date, a number since 1970 or a written instant.

    A value without a zone is UTC. None stands for every other value, for a date that can be read in two ways
    without an ``order``, and for a time outside ``EARLIEST`` and ``LATEST``.
    """
    if isinstance(value, datetime):
        micros: int | None = to_micros(in_utc(value))
    elif isinstance(value, date):
        micros = to_micros(datetime.combine(value, time(), UTC))
    elif isinstance(value, str | int | float | Decimal) and not isinstance(value, bool):
        micros = _micros_of_text(str(value), order)
    else:
        return None
    if micros is None or not _EARLIEST_MICROS <= micros < _LATEST_MICROS:
        return None
    return micros


def day_of(value: Any, zone: ZoneInfo, order: DateOrder | None = None) -> date | None:
    """The local day that a value states; None for anything else.

    The value is a date, a number such as 20260102, a written date or an instant. The date of a text without a
    zone counts as it is written. An instant with a zone means the local day that begins at it; where none does,
    the date as it is written if its own clock shows midnight; and the local day around it otherwise.
    """
    if isinstance(value, datetime):
        day = value.date() if value.tzinfo is None else _day_of_instant(value, zone)
    elif isinstance(value, date):
        day = value
    else:
        text = str(value).strip()
        if _DATE_NUMBER.fullmatch(text):
            parts = (int(text[:4]), int(text[4:6]), int(text[6:8]))
            day_or_none = _date(*parts)
        else:
            day_or_none = _day_of_text(text, zone, order)
        if day_or_none is None:
            return None
        day = day_or_none
    return day if EARLIEST.date() <= day < LATEST.date() else None


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


def _micros_of_text(text: str, order: DateOrder | None) -> int | None:
    text = text.strip()
    if len(text) > _LONGEST:
        return None
    text = text.removeprefix("[").removesuffix("]").strip("\"' \t")
    if _NUMBER.fullmatch(text):
        micros = _micros_of_number(_decimal(text))
        # 20260102100000 is no plausible number since 1970, but a date and time.
        if micros is not None and micros < _LATEST_MICROS:
            return micros
    instant = _written_instant(text, order)
    return None if instant is None else to_micros(in_utc(instant))


def _micros_of_number(number: Decimal | None) -> int | None:
    """The size of a number since 1970 gives its unit."""
    if number is None or number < _SMALLEST_EPOCH:
        return None
    for limit, micros in _UNITS:
        if number < limit:
            return int(number * micros)
    return None


def _decimal(value: Any) -> Decimal | None:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _written_instant(text: str, order: DateOrder | None) -> datetime | None:
    """A datetime, with a zone if the text has one; None where the text is no instant."""
    if len(text) == 20 and text[10] in "Tt " and text[19] in "Zz":
        # The commonest form by far.
        text = text[:10] + "T" + text[11:19] + "+00:00"
    is_plain = text[4:5] == "-" == text[7:8] and text[10:11] in "Tt " and text[13:14] == ":" == text[16:17]
    if len(text) in (19, 25) and is_plain:
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass  # the forms below read some more
    for form in _FORMS:
        match = form.fullmatch(text)
        if match:
            return _instant_of_parts(match.groupdict(), order)
    return None


def _instant_of_parts(parts: dict[str, str | None], order: DateOrder | None) -> datetime | None:
    day = _date_of_parts(parts, order)
    seconds = _seconds_of_day(parts)
    zone = _zone_of(parts.get("zone"))
    if day is None or seconds is None or zone is False:
        return None
    fraction = ((parts.get("fraction") or "") + "000000")[:6]
    try:
        midnight = datetime.combine(day, time(), zone or None)
        return midnight + timedelta(seconds=seconds, microseconds=int(fraction))
    except OverflowError:
        return None


def _date_of_parts(parts: dict[str, str | None], order: DateOrder | None) -> date | None:
    year = int(str(parts["year"]))
    if len(str(parts["year"])) == 2:
        # The two digits of RFC 850, as RFC 6265 reads them.
        year += 1900 if year >= 70 else 2000
    if parts.get("name"):
        month = _MONTHS.get(str(parts["name"])[:3].lower(), 0)
        return _date(year, month, int(str(parts["day"])))
    if "first" not in parts:
        return _date(year, int(str(parts["month"])), int(str(parts["day"])))
    first = int(str(parts["first"]))
    other = int(str(parts["other"]))
    day_first = _date(year, other, first)
    month_first = _date(year, first, other)
    if order is not None:
        return day_first if order == "dmy" else month_first
    if day_first is None or month_first is None or day_first == month_first:
        return day_first or month_first
    return None


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _seconds_of_day(parts: dict[str, str | None]) -> int | None:
    """The seconds since midnight; 0 where the text has no time, None where its time is impossible."""
    if parts.get("hour") is None:
        return 0
    hour = int(str(parts["hour"]))
    minute = int(str(parts["minute"]))
    # A leap second counts as the second before it, so that it stays in its day.
    second = min(int(parts.get("second") or 0), 59) if int(parts.get("second") or 0) <= 60 else 99
    half = parts.get("half")
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half in "Pp" else 0)
    is_end_of_day = hour == 24 and minute == second == 0
    if (hour > 23 and not is_end_of_day) or minute > 59 or second > 59:
        return None
    return hour * 3600 + minute * 60 + second


def _zone_of(text: str | None) -> timezone | Literal[False] | None:
    """The zone that a text names: None for no text, False for a zone that is not known."""
    if not text:
        return None
    name = text.lower()
    if name in _ZONES:
        return timezone(timedelta(hours=_ZONES[name]))
    digits = re.sub(r"[^\d]", "", name)
    if not digits:
        return False
    minutes = int(digits[:2]) * 60 + int(digits[2:] or 0)
    if minutes >= 24 * 60:
        return False
    return timezone(timedelta(minutes=-minutes if "-" in name else minutes))


def _day_of_text(text: str, zone: ZoneInfo, order: DateOrder | None) -> date | None:
    if len(text) > _LONGEST:
        return None
    text = text.removeprefix("[").removesuffix("]").strip("\"' \t")
    instant = _written_instant(text, order)
    if instant is None:
        micros = _micros_of_text(text, order)
        return None if micros is None else _day_of_instant(from_micros(micros), zone)
    return instant.date() if instant.tzinfo is None else _day_of_instant(instant, zone)


def _day_of_instant(instant: datetime, zone: ZoneInfo) -> date:
    local = instant.astimezone(zone)
    if local.time() == time() or instant.time() != time():
        return local.date()
    # A rollup that writes every date as midnight in UTC means the date.
    return instant.date()

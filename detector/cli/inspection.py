"""What a source can be read for: what ``check`` tells before the first day is judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from detector.boundary.masking import mask_tokens
from detector.boundary.words import counted
from detector.model.day import Day
from detector.model.usage import Fault
from detector.sources import LimitedSource, Source
from detector.usage.aggregation import map_of

RECENT_DAYS = 7
MOST_ENDPOINTS = 3
TOLERATED_SKEW = timedelta(minutes=5)


@dataclass(frozen=True)
class Inspection:
    """Facts of a source. ``days`` holds requests and keys of each of its last days, ``sample`` the record of
    the busiest key of the last one, its ids and names masked."""

    columns: Mapping[str, str]
    registered: int
    first: date | None
    watermark: datetime | None
    ahead: timedelta | None
    days: Mapping[date, tuple[int, int]]
    sample: Mapping[str, Any] | None
    faults: tuple[Fault, ...]
    not_guaranteed: tuple[str, ...]


def inspect(source: Source, timezone: ZoneInfo, now: datetime) -> Inspection:
    """Read the source's columns, register, reach, first use and last days. Raises SourceError."""
    columns = source.columns()
    registered = len(source.keys())
    watermark = source.watermark()
    not_guaranteed = source.not_guaranteed() if isinstance(source, LimitedSource) else ()
    if watermark is None:
        return Inspection(columns, registered, None, None, None, {}, None, (), not_guaranteed)
    last = min(watermark, now).astimezone(timezone).date()
    recent = dict(source.usage(last - timedelta(days=RECENT_DAYS - 1), last))
    busy = next((frame for frame in reversed(recent.values()) if len(frame)), None)
    return Inspection(
        columns=columns,
        registered=registered,
        first=_first_use(source, Day(last, timezone), recent),
        watermark=watermark,
        ahead=watermark - now if watermark - now > TOLERATED_SKEW else None,
        days={day: (int(frame["request_count"].sum()), len(frame)) for day, frame in recent.items()},
        sample=None if busy is None else _sample(busy),
        faults=source.faults(last),
        not_guaranteed=not_guaranteed,
    )


def lines(found: Inspection) -> Iterator[tuple[str, str]]:
    """The facts in words: what each is about, and what is true of it."""
    mapped = [name if name == theirs else f"{name} from {theirs}" for name, theirs in found.columns.items()]
    yield "columns", ", ".join(mapped)
    if found.not_guaranteed:
        yield "not guaranteed", "; ".join(found.not_guaranteed)
    known = f"{found.registered:,} in the register"
    yield "keys", known if found.registered else "no register; the keys are those seen"
    yield "first use", str(found.first or "nothing found")
    yield "data reach to", f"{found.watermark:%Y-%m-%d %H:%M:%S} UTC" if found.watermark else "nothing found"
    if found.ahead:
        yield (
            "clock skew",
            f"the data are {found.ahead} ahead of this machine's clock: check both clocks and the zone",
        )
    for day, (requests, keys) in found.days.items():
        yield f"day {day}", f"{counted(requests, 'request')} of {counted(keys, 'key')}"
    if found.sample:
        yield "a record", ", ".join(f"{name} {value}" for name, value in found.sample.items())
    for fault in found.faults:
        yield (
            "left out",
            f"{fault.count:,} x {fault.reason}" + (f", such as: {fault.samples[0]}" if fault.samples else ""),
        )


def _first_use(source: Source, last: Day, recent: Mapping[date, pd.DataFrame]) -> date | None:
    """The first day any key was seen on, before the last day or else within the recent ones."""
    days = source.activity_before(last.date)["first_seen"].dropna()
    seen = [day for day, frame in recent.items() if len(frame)]
    return min([*(pd.Timestamp(day).date() for day in days.unique()), *seen], default=None)


def _sample(records: pd.DataFrame) -> dict[str, Any]:
    record = records.iloc[int(records["request_count"].to_numpy().argmax())]
    endpoints = map_of(record["endpoint_distribution"])
    busiest = sorted(endpoints, key=lambda name: (-endpoints[name], name))[:MOST_ENDPOINTS]
    return {
        "key": _hidden(str(record["key_id"])),
        "requests": f"{record['request_count']:,}",
        "errors": f"{record['error_count']:,}",
        "endpoints": " and ".join(mask_tokens(name) for name in busiest),
        "deployments": " and ".join(mask_tokens(name) for name in map_of(record["deployments"])) or "not told",
    }


def _hidden(key: str) -> str:
    """The first characters of an id that may be a secret: enough to recognise it, too few to use it."""
    return f"{key[:4]}…" if len(key) > 6 else "…"

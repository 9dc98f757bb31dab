"""What a source can be read for: what ``check`` tells before the first day is judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from detector.boundary.masking import mask_tokens
from detector.boundary.words import counted, singular_or_plural
from detector.config.sections import DetectionSettings
from detector.judging.completeness import FEWEST_ERRORS, STATUS_ACTION, errors_alone
from detector.model.day import Day
from detector.model.usage import Accounting, Amount, Fault
from detector.reports.accounts import sentence
from detector.sources import LimitedSource, Source
from detector.sources.faults import FUTURE, amounts_without_day
from detector.sources.timeline import Timeline
from detector.usage.aggregation import ENVIRONMENTS, OTHER, map_of

RECENT_DAYS = 7
MOST_ENDPOINTS = 3
LAST_HOURS = 3
MOST_NAMES = 5


_LABELS = {"unusable": "unusable", "keyless": "without a key", "repeated": "repeated", "note": "with a defect"}


@dataclass(frozen=True)
class Inspection:
    """Facts of a source. ``days`` holds requests and keys of each of its last days, ``sample`` the record of
    the busiest key of the last one, its ids and names masked."""

    columns: Mapping[str, str]
    registered: int
    first: date | None
    watermark: datetime | None
    later: int
    """The records that lie in the future."""
    days: Mapping[date, tuple[int, int]]
    sample: Mapping[str, Any] | None
    faults: tuple[Fault, ...]
    not_guaranteed: tuple[str, ...]
    accounting: Accounting
    """What became of the records of the last day, and of those that came without a day."""
    hours: Mapping[int, int]
    """The records of the last hours of the last day that have any, by local hour."""
    environments: Mapping[str, int]
    """The keys of the register by environment."""
    deployments: Mapping[str, int]
    """The requests of the last days by deployment."""
    errors: int
    """The errors of the last days."""

    @property
    def requests(self) -> int:
        """The requests of the last days."""
        return sum(requests for requests, _ in self.days.values())

    @property
    def usable(self) -> bool:
        """Whether the last days hold a record that counts."""
        return bool(self.accounting.counted or self.requests)


def inspect(source: Source, timezone: ZoneInfo, now: datetime) -> Inspection:
    """Read the source's columns, register, reach, first use and last days. Raises SourceError."""
    columns = source.columns()
    register = source.keys()
    watermark = source.watermark()
    not_guaranteed = source.not_guaranteed() if isinstance(source, LimitedSource) else ()
    # Where no record can be read, what came without a day still tells why.
    last = min(watermark or now, now).astimezone(timezone).date()
    recent = dict(source.usage(last - timedelta(days=RECENT_DAYS - 1), last))
    busy = next((frame for frame in reversed(recent.values()) if len(frame)), None)
    faults = source.faults(last)
    timeline = source.timeline(last, last)
    later = 0 if timeline is None else timeline.later
    return Inspection(
        columns=columns,
        registered=len(register),
        first=_first_use(source, Day(last, timezone), recent),
        watermark=watermark,
        later=later,
        days={day: (int(frame["request_count"].sum()), len(frame)) for day, frame in recent.items()}
        if watermark is not None
        else {},
        sample=None if busy is None else _sample(busy),
        faults=faults,
        not_guaranteed=not_guaranteed,
        accounting=_accounting(source.accounting(last), faults, later),
        hours={} if watermark is None else _last_hours(timeline, Day(last, timezone)),
        environments=dict(Counter(register["environment"].astype(str))),
        deployments=_deployments(recent.values()),
        errors=sum(int(frame["error_count"].sum()) for frame in recent.values()),
    )


def lines(found: Inspection, detection: DetectionSettings) -> Iterator[tuple[str, str]]:
    """The facts in words: what each is about, and what is true of it."""
    mapped = [name if name == theirs else f"{name} from {theirs}" for name, theirs in found.columns.items()]
    yield "columns", ", ".join(mapped)
    if found.not_guaranteed:
        yield "not guaranteed", "; ".join(found.not_guaranteed)
    known = f"{found.registered:,} in the register"
    yield "keys", known if found.registered else "no register; the keys are those seen"
    if found.environments:
        yield "environments", _most(found.environments, "key")
    yield "first use", str(found.first or "nothing found")
    yield "data reach to", f"{found.watermark:%Y-%m-%d %H:%M:%S} UTC" if found.watermark else "nothing found"
    if found.later:
        lie = singular_or_plural(found.later, "lies", "lie")
        yield (
            "clock skew",
            f"{counted(found.later, 'record')} {lie} in the future: check the clocks of the source and of this "
            "machine, and the zone of the times",
        )
    for day, (requests, keys) in found.days.items():
        yield f"day {day}", f"{counted(requests, 'request')} of {counted(keys, 'key')}"
    if found.sample:
        yield "a record", ", ".join(f"{name} {value}" for name, value in found.sample.items())
    if found.hours:
        yield "last hours", ", ".join(f"{hour:02d}:00 {records:,}" for hour, records in found.hours.items())
    yield "records", sentence(found.accounting)
    for fault in found.faults:
        samples = f", such as: {fault.samples[0]}" if fault.samples else ""
        yield _LABELS[fault.kind], f"{fault.count:,} x {fault.reason}{samples}"
    if found.requests:
        yield "errors", _errors(found)
        yield "deployments", _most(found.deployments, "request") if found.deployments else "not told by the source"
    blind = blindness(found, detection)
    if blind is not None:
        yield "not judged", f"test keys in production cannot be judged, because {blind}"
    elif unnamed := _unnamed(found, detection):
        yield "not judged", f"requests in {_and(unnamed)}: detection.deployments does not name them"


def blindness(found: Inspection, detection: DetectionSettings) -> str | None:
    """Why no test key in production can be found, as the end of a sentence; None where one can be.

    None too while no request was seen.
    """
    if not found.requests:
        return None
    if not found.registered:
        return "no key register tells the environment of a key; set source.keys"
    if not found.environments.keys() & set(ENVIRONMENTS):
        return "the key register tells no environment of any key; it must be live or test"
    if not found.deployments:
        return (
            "the source does not tell in which deployment a request was made; set source.columns.deployment, or "
            "source.deployment where there is one. The behaviour of keys and their names are judged instead"
        )
    if any(detection.environment_of(name) == "live" for name in found.deployments):
        return None
    live = _and(name for name, environment in detection.deployments.items() if environment == "live") or "none"
    return (
        f"no request was seen in a deployment that is live: detection.deployments calls {live} live, "
        f"and the source has {_and(found.deployments)}"
    )


def _unnamed(found: Inspection, detection: DetectionSettings) -> list[str]:
    """The deployments that were seen and belong to no environment."""
    return [
        mask_tokens(name) for name in found.deployments if name != OTHER and detection.environment_of(name) is None
    ]


def _errors(found: Inspection) -> str:
    """The share of errors. None or all of many requests are most likely a status that is read wrongly."""
    share = found.errors / found.requests
    days = counted(len(found.days), "day")
    text = f"{found.errors:,} of {counted(found.requests, 'request')} ({share:.1%}) in {days}"
    alone = errors_alone(found.requests, found.errors)
    if alone is not None:
        return f"{text}. {alone} {STATUS_ACTION}"
    if not found.errors and found.requests > FEWEST_ERRORS:
        return f"{text}. No request counts as an error. {STATUS_ACTION}"
    return text


def _most(amounts: Mapping[str, int], unit: str) -> str:
    """The largest amounts by name."""
    largest = sorted(amounts, key=lambda name: (-amounts[name], name))
    shown = ", ".join(f"{mask_tokens(name)}: {counted(amounts[name], unit)}" for name in largest[:MOST_NAMES])
    rest = len(largest) - MOST_NAMES
    return f"{shown} and {rest:,} more" if rest > 0 else shown


def _and(names: Iterable[str]) -> str:
    """Some names as an enumeration."""
    shown = [mask_tokens(name) for name in names]
    rest = len(shown) - MOST_NAMES
    return f"{', '.join(shown[:MOST_NAMES])} and {rest:,} more" if rest > 0 else " and ".join(shown)


def _accounting(of_day: Accounting, faults: Iterable[Fault], later: int) -> Accounting:
    """The accounting of a day, with the records that came without a day and those of the future."""
    without_day = amounts_without_day(faults)
    if later:
        without_day[FUTURE] = Amount(later)
    return of_day + Accounting(0, unusable=without_day)


def _last_hours(timeline: Timeline | None, day: Day) -> dict[int, int]:
    """The records of the last hours of a day that have any; nothing where the source does not tell the hour."""
    hours = timeline.hours(day) if timeline is not None else None
    used = [hour for hour, records in enumerate(hours or ()) if records]
    return {hour: hours[hour] for hour in used[-LAST_HOURS:]} if hours else {}


def _deployments(days: Iterable[pd.DataFrame]) -> dict[str, int]:
    """The requests by deployment."""
    totals: Counter[str] = Counter()
    for frame in days:
        for value in frame["deployments"]:
            totals.update(map_of(value))
    return dict(totals)


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

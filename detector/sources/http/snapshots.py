"""Snapshots of running totals, and the usage of a day as the difference of two snapshots.

A snapshot closes the day that ended last before it was taken. The usage of a day is the difference to the
snapshot that closes the day before. The first of several snapshots that close the same day is kept, so that
a second run for a day finds what the first run found.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from detector.boundary.disk import write_atomically
from detector.config.source import HttpSource
from detector.model.day import Day
from detector.model.errors import SourceError
from detector.sources.faults import Observation, sample
from detector.sources.http.by_key_answer import Answer, KeyRecord
from detector.sources.values import micros_of, to_micros

KEPT = 35
"""Snapshots kept: enough to notice a key that was left out for a month."""
NOTABLE = timedelta(hours=1)
UNUSABLE = timedelta(hours=6)
"""How far the time between two snapshots may differ from the day's length before it is said, and before
the difference is not the day's usage any more."""

RESET = "running total fell, so the counter was reset: its new value taken"
LATE_KEY = "key absent from the snapshot before, so its requests cannot be put on one day: left out"


@dataclass(frozen=True)
class Snapshot:
    """The running totals of every key at one instant, as of the day that had ended last."""

    taken_at: datetime
    answer: Answer


class Snapshots:
    """The stored snapshots of one source. Folders differ by name and URL: totals of two never mix."""

    def __init__(self, config: HttpSource) -> None:
        identity = json.dumps([config.name, config.url, config.parameters], sort_keys=True)
        folder = hashlib.sha256(identity.encode()).hexdigest()[:16]
        self._source = config.name
        self._folder = Path(config.snapshots or "var/snapshots") / folder

    def read(self, day: date) -> Snapshot | None:
        """The snapshot that closes a day; None where none was taken."""
        path = self._path(day)
        try:
            stored = json.loads(gzip.decompress(path.read_bytes()))
            keys = tuple(KeyRecord.model_validate(key) for key in stored["keys"])
            seen = tuple(Observation(None, *parts) for parts in stored["observations"])
            return Snapshot(datetime.fromisoformat(stored["taken_at"]), Answer(keys, seen))
        except FileNotFoundError:
            return None
        except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, ValidationError) as error:
            problem = f"{type(error).__name__}: {error}".splitlines()[0]
            raise SourceError(
                f"source {self._source}: cannot read the snapshot {path}: {problem}; "
                "delete it: the days before and after it stay unknown"
            ) from None

    def keep(self, day: date, snapshot: Snapshot) -> None:
        """Store a snapshot, unless one closes that day already, and let go of the oldest ones."""
        path = self._path(day)
        if path.exists():
            return
        document = {
            "taken_at": snapshot.taken_at.isoformat(),
            "keys": [key.model_dump(exclude_none=True) for key in snapshot.answer.keys],
            "observations": [(seen.reason, seen.count, seen.sample) for seen in snapshot.answer.observations],
        }
        try:
            write_atomically(path, gzip.compress(json.dumps(document).encode(), compresslevel=5, mtime=0))
        except OSError as error:
            raise SourceError(
                f"source {self._source}: cannot store the snapshot {path}: {error.strerror}; "
                "make the folder writable, or name another in source.snapshots"
            ) from None
        for old in self.days()[:-KEPT]:
            self._path(old).unlink(missing_ok=True)

    def days(self) -> list[date]:
        """The days that stored snapshots close, oldest first."""
        names = (path.name[len("day=") : -len(".json.gz")] for path in self._folder.glob("day=*.json.gz"))
        return sorted(date.fromisoformat(name) for name in names)

    def seen_before(self, day: date) -> set[str]:
        """The ids of all keys in snapshots that close earlier days."""
        read = (self.read(stored) for stored in self.days() if stored < day)
        return {key.key_id for snapshot in filter(None, read) for key in snapshot.answer.keys}

    def _path(self, day: date) -> Path:
        return self._folder / f"day={day.isoformat()}.json.gz"


def too_far(earlier: Snapshot, later: Snapshot, day: Day) -> str | None:
    """Why two snapshots cannot tell a day's usage; None where they can."""
    if _off(earlier, later, day) <= UNUSABLE:
        return None
    return f"{_apart(earlier, later)}, so the difference is not the usage of one day"


def difference(earlier: Snapshot, later: Snapshot, day: Day, seen_before: Callable[[], set[str]]) -> Answer:
    """What each key did between two snapshots; ``seen_before`` tells the keys of still earlier ones.

    A key that is new counts from zero, unless it was there before: then its total spans several days.
    """
    before = {key.key_id: key for key in earlier.answer.keys}
    is_complete = all(key.key_id in before for key in later.answer.keys)
    known = set() if is_complete else seen_before()
    observations = list(later.answer.observations)
    if _off(earlier, later, day) > NOTABLE:
        observations.append(Observation(None, f"{_apart(earlier, later)}, taken as the day's usage", 1))
    keys = []
    for key in later.answer.keys:
        used, reasons = _since(before.get(key.key_id), key, key.key_id in known or _is_older(key, earlier))
        keys.append(used)
        observations += [Observation(None, reason, 1, sample(key.key_id)) for reason in reasons]
    return Answer(tuple(keys), tuple(observations))


def _since(before: KeyRecord | None, now: KeyRecord, is_old: bool) -> tuple[KeyRecord, list[str]]:
    """A key's usage since an earlier snapshot, and what has to be said about it."""
    if before is None:
        nothing = now.model_copy(update={"request_count": 0, "error_count": 0, "endpoint_distribution": {}})
        nothing = nothing.model_copy(update={"deployments": None, "client_count": None})
        return (nothing, [LATE_KEY]) if is_old and now.request_count else (now, [])
    if now.request_count < before.request_count:
        return now.model_copy(update={"client_count": None}), [RESET]
    changes = {
        "request_count": now.request_count - before.request_count,
        "error_count": max(now.error_count - before.error_count, 0),
        "endpoint_distribution": _grown(before.endpoint_distribution, now.endpoint_distribution),
        "deployments": _grown(before.deployments or {}, now.deployments or {}) or None,
        "client_count": None,
    }
    return now.model_copy(update=changes), []


def _grown(before: dict[str, int], now: dict[str, int]) -> dict[str, int]:
    differences = {name: count - before.get(name, 0) for name, count in now.items()}
    return {name: count for name, count in differences.items() if count > 0}


def _is_older(key: KeyRecord, snapshot: Snapshot) -> bool:
    """Whether a key was made before a snapshot that does not hold it."""
    created = micros_of(key.created_at) if key.created_at else None
    return created is not None and created < to_micros(snapshot.taken_at)


def _off(earlier: Snapshot, later: Snapshot, day: Day) -> timedelta:
    return abs((later.taken_at - earlier.taken_at) - (day.end - day.start))


def _apart(earlier: Snapshot, later: Snapshot) -> str:
    hours = (later.taken_at - earlier.taken_at) / timedelta(hours=1)
    return f"the snapshots before and after the day lie {hours:.1f} hours apart"


def gap(days: list[date], day: date) -> str:
    """Why a day has no two snapshots."""
    if day not in days:
        return f"no snapshot was taken in the day after {day}"
    if days[0] == day:
        return "its snapshot is the first one, and usage is told from the next day on"
    last = max(stored for stored in days if stored < day)
    return f"no snapshot was taken in the day before, so the difference spans all days since {last}"

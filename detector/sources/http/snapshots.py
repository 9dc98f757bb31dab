"""Snapshots of running totals, and the usage of a day as the difference of two snapshots.

A snapshot closes the last day that ended before the snapshot was taken. The usage of a day is the difference
between the snapshot that closes the day and the snapshot that closes the day before it. The first of several
snapshots that close the same day is kept, so that a second run for a day finds what the first run found.
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
from detector.sources.http.by_key_answer import ByKeyAnswer, KeyRecord
from detector.sources.instants import micros_of, to_micros

SNAPSHOTS_STORED = 35
"""Enough snapshots to recognize a key that the endpoint left out for a month."""

NOTABLE_DEVIATION = timedelta(hours=1)
"""From this difference between the time of two snapshots and the length of the day, the day has a fault."""

UNUSABLE_DEVIATION = timedelta(hours=6)
"""Above this difference, the difference of two snapshots is not the usage of one day."""

RESET = "running total fell and was reset, the new total counts"
LATE_KEY = "key was missing in the snapshot before, so its total spans several days and is left out"


@dataclass(frozen=True)
class Snapshot:
    """The running totals of all keys at one instant."""

    taken_at: datetime
    answer: ByKeyAnswer


class Snapshots:
    """The stored snapshots of one source."""

    def __init__(self, config: HttpSource) -> None:
        # Each endpoint and each question has its own folder, so totals of two of them never mix.
        identity = json.dumps([config.name, config.url, config.parameters], sort_keys=True)
        folder = hashlib.sha256(identity.encode()).hexdigest()[:16]
        self._source = config.name
        self._folder = Path(config.snapshots or "var/snapshots") / folder

    def read(self, day: date) -> Snapshot | None:
        """The snapshot that closes a day; None where none was taken. Raises SourceError for a damaged file."""
        path = self._path(day)
        try:
            document = json.loads(gzip.decompress(path.read_bytes()))
            keys = tuple(KeyRecord.model_validate(key) for key in document["keys"])
            observations = tuple(Observation(None, *parts) for parts in document["observations"])
            return Snapshot(datetime.fromisoformat(document["taken_at"]), ByKeyAnswer(keys, observations))
        except FileNotFoundError:
            return None
        except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, ValidationError) as error:
            problem = f"{type(error).__name__}: {error}".splitlines()[0]
            raise SourceError(
                f"source {self._source}: cannot read the snapshot {path}: {problem}; "
                f"delete the file; the usage of {day} and of the day after it is lost then"
            ) from None

    def store(self, day: date, snapshot: Snapshot) -> None:
        """Store the snapshot that closes a day, and delete the oldest ones. A day's first snapshot stays."""
        path = self._path(day)
        # The first snapshot of a day counts: a second run of the day then finds what the first run found.
        if path.exists():
            return
        observations = snapshot.answer.observations
        document = {
            "taken_at": snapshot.taken_at.isoformat(),
            "keys": [key.model_dump(exclude_none=True) for key in snapshot.answer.keys],
            "observations": [
                (observed.reason, observed.count, observed.sample, observed.kind) for observed in observations
            ],
        }
        try:
            # mtime=0: the same snapshot has the same bytes.
            write_atomically(path, gzip.compress(json.dumps(document).encode(), compresslevel=5, mtime=0))
        except OSError as error:
            raise SourceError(
                f"source {self._source}: cannot store the snapshot {path}: {error.strerror}; "
                "make its folder writable, or name another folder in source.snapshots"
            ) from None
        for old in self.days()[:-SNAPSHOTS_STORED]:
            self._path(old).unlink(missing_ok=True)

    def days(self) -> list[date]:
        """The days that stored snapshots close, oldest first."""
        days = []
        for path in self._folder.glob("day=*.json.gz"):
            days.append(date.fromisoformat(path.name.removeprefix("day=").removesuffix(".json.gz")))
        return sorted(days)

    def keys_before(self, day: date) -> set[str]:
        """The ids of all keys in snapshots that close earlier days."""
        key_ids: set[str] = set()
        for stored in self.days():
            snapshot = self.read(stored) if stored < day else None
            if snapshot is not None:
                key_ids |= {key.key_id for key in snapshot.answer.keys}
        return key_ids

    def _path(self, day: date) -> Path:
        return self._folder / f"day={day.isoformat()}.json.gz"


def unusable_reason(earlier: Snapshot, later: Snapshot, day: Day) -> str | None:
    """Why the difference of two snapshots is not the usage of a day; None where it is."""
    if _deviation(earlier, later, day) <= UNUSABLE_DEVIATION:
        return None
    return f"{_time_between(earlier, later)}, so the difference is not the usage of one day"


def difference(earlier: Snapshot, later: Snapshot, day: Day, keys_before: Callable[[], set[str]]) -> ByKeyAnswer:
    """The usage of every key between two snapshots. ``keys_before`` gives the keys of still earlier snapshots.

    A new key counts from zero. A key that is missing in the earlier snapshot although it existed counts no
    requests, and is a fault: its total spans several days.
    """
    before = {key.key_id: key for key in earlier.answer.keys}
    # Reading all older snapshots takes time, and it is needed only where a key is new or came back.
    has_new_keys = any(key.key_id not in before for key in later.answer.keys)
    older_keys = keys_before() if has_new_keys else set()
    observations = list(later.answer.observations)
    if _deviation(earlier, later, day) > NOTABLE_DEVIATION:
        notable = f"{_time_between(earlier, later)}, the difference counts as the usage of the day"
        observations.append(Observation(None, notable, 1, kind="note"))
    keys = []
    for key in later.answer.keys:
        existed = key.key_id in older_keys or _is_older(key, earlier)
        used, reason = _usage_since(before.get(key.key_id), key, existed)
        keys.append(used)
        if reason is not None:
            observations.append(Observation(None, reason, 1, sample(key.key_id), "note"))
    return ByKeyAnswer(tuple(keys), tuple(observations))


def _usage_since(before: KeyRecord | None, now: KeyRecord, existed: bool) -> tuple[KeyRecord, str | None]:
    """A key's usage since an earlier snapshot, and the reason of its fault, if any.

    ``existed`` says that a key which the earlier snapshot does not hold was made before it.
    """
    if before is None and existed and now.request_count:
        no_usage = {
            "request_count": 0,
            "error_count": 0,
            "endpoint_distribution": {},
            "deployments": None,
            "client_count": None,
        }
        return now.model_copy(update=no_usage), LATE_KEY
    if before is None:
        return now, None
    # Totals do not give the distinct clients of a day: a client of the day may be an old client.
    if now.request_count < before.request_count:
        return now.model_copy(update={"client_count": None}), RESET
    changes = {
        "request_count": now.request_count - before.request_count,
        "error_count": max(now.error_count - before.error_count, 0),
        "endpoint_distribution": _increases(before.endpoint_distribution, now.endpoint_distribution),
        "deployments": _increases(before.deployments or {}, now.deployments or {}) or None,
        "client_count": None,
    }
    return now.model_copy(update=changes), None


def _increases(before: dict[str, int], now: dict[str, int]) -> dict[str, int]:
    increases = {}
    for name, count in now.items():
        increase = count - before.get(name, 0)
        if increase > 0:
            increases[name] = increase
    return increases


def _is_older(key: KeyRecord, snapshot: Snapshot) -> bool:
    """Whether a key was made before a snapshot that does not hold it."""
    created = micros_of(key.created_at) if key.created_at else None
    return created is not None and created < to_micros(snapshot.taken_at)


def _deviation(earlier: Snapshot, later: Snapshot, day: Day) -> timedelta:
    return abs((later.taken_at - earlier.taken_at) - (day.end - day.start))


def _time_between(earlier: Snapshot, later: Snapshot) -> str:
    hours = (later.taken_at - earlier.taken_at) / timedelta(hours=1)
    return f"the snapshots before and after the day lie {hours:.1f} hours apart"


def missing_snapshot_reason(days: list[date], day: date) -> str:
    """Why the usage of a day is not known. ``days`` are those that snapshots close, and lack the day or the one
    before it."""
    if day not in days:
        return f"no snapshot was taken in the day after {day}"
    if days[0] == day:
        return "its snapshot is the first snapshot, and usage is known from the next day on"
    last = max(stored for stored in days if stored < day)
    return f"no snapshot was taken in the day before, so the difference spans all days since {last}"

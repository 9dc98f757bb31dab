"""The days that are already pulled: one Parquet file per day, replaced as a whole.

The file of a day holds every key known by the end of that day. What was known of each key *before* the day
(first use, last use, longest silence) is frozen into the file. A replay of an old day therefore needs only that
day's file and earlier ones, and never sees the future. What is known on the next day follows from this file
alone (``aggregation.known_after``): the state database has no second copy that could differ.

When an older day is pulled later, ``History.refreeze`` carries what it teaches into the days after it. So a
history does not depend on the order in which its days were pulled.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from operator import methodcaller
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from cachetools import LRUCache

from detector.boundary.disk import checksum, write_atomically
from detector.model.day import Day, each_day
from detector.model.errors import HistoryError, NewerHistoryError
from detector.model.usage import KNOWN, RECORD_COLUMNS, REGISTER, TEXT, Fault, Revision
from detector.usage.aggregation import complete_day, conform, empty, known_after

VERSION = 2
FORMER_COLUMNS = {"source_count": "client_count"}
"""Columns of files of version 1: what they are called since version 2."""
CACHE_BYTES = 256 * 1024 * 1024
_METADATA = b"detector"


@dataclass(frozen=True)
class Stored:
    """What a day's file is known by: its SHA-256, how many keys it holds and how many requests they had."""

    checksum: str
    keys: int
    requests: int


class Ledger(Protocol):
    """Where a history notes what it stores, so that damage can be told later."""

    def note(self, day: date, stored: Stored, replaced: str | None) -> None:
        """A day is about to be put in place of a file with the checksum ``replaced``, where there is one."""

    def forget(self, day: date) -> None:
        """A day was taken away on purpose."""


@dataclass(frozen=True)
class Notes:
    """What was true of a day's pull beside its records."""

    pulled_at: datetime
    watermark: datetime | None
    faults: tuple[Fault, ...]
    last_use: datetime | None = None
    revisions: tuple[Revision, ...] = ()

    def to_json(self) -> str:
        """The notes as stored in the file's metadata."""
        return json.dumps({"version": VERSION, **asdict(self)}, default=methodcaller("isoformat"))

    @classmethod
    def from_json(cls, text: str) -> Notes:
        """Read back what ``to_json`` wrote."""
        stored = json.loads(text)
        if stored["version"] > VERSION:
            raise NewerHistoryError(
                "the history was written by a newer version of detector; upgrade before running"
            )
        faults = tuple(Fault(**{**fault, "samples": tuple(fault["samples"])}) for fault in stored["faults"])
        times = {
            name: stored[name] and datetime.fromisoformat(stored[name])
            for name in ("pulled_at", "watermark", "last_use")
        }
        revisions = tuple(_revision(revision) for revision in stored.get("revisions", ()))
        return cls(faults=faults, revisions=revisions, **times)


class History:
    """The stored days below one folder, in one timezone. A ``ledger`` is told of each before it is there."""

    def __init__(self, root: Path, timezone: ZoneInfo, ledger: Ledger | None = None) -> None:
        self.root = root
        self.timezone = timezone
        self._ledger = ledger
        self._cache: LRUCache[tuple[date, str], pa.Table] = LRUCache(
            CACHE_BYTES, getsizeof=lambda table: table.nbytes
        )
        self._notes: dict[date, Notes] = {}

    def days(self) -> list[date]:
        """The stored days, oldest first."""
        found = (path.parent.name.removeprefix("day=") for path in self.root.glob("day=*/usage.parquet"))
        return sorted(date.fromisoformat(day) for day in found)

    def latest(self) -> date | None:
        """The newest stored day, found without looking at the others; None for an empty history."""
        names = sorted((path.name for path in self.root.glob("day=*")), reverse=True)
        newest = (date.fromisoformat(name.removeprefix("day=")) for name in names)
        return next((day for day in newest if self.path(day).exists()), None)

    def version(self, day: date) -> str | None:
        """A text that differs after every rewrite of a stored day; None where the day is not stored."""
        try:
            status = self.path(day).stat()
        except FileNotFoundError:
            return None
        return f"{status.st_ino}-{status.st_mtime_ns}-{status.st_size}"

    def missing(self, first: date, last: date) -> list[date]:
        """The days from first to last that are not stored."""
        stored = set(self.days())
        return [day for day in each_day(first, last) if day not in stored]

    def write(self, day: date, records: pd.DataFrame, notes: Notes) -> None:
        """Store a day, replacing it whole where it is stored already."""
        last_use = records["last_used"].max()
        notes = replace(notes, last_use=None if pd.isna(last_use) else last_use.to_pydatetime())
        table = pa.Table.from_pandas(conform(records, RECORD_COLUMNS), preserve_index=False)
        table = table.replace_schema_metadata({_METADATA: notes.to_json()})
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd", write_page_checksum=True)
        try:
            self._note(day, buffer, records)
            write_atomically(self.path(day), buffer.getvalue())
        except OSError as error:
            raise HistoryError(f"cannot store the day {day} below {self.root}: {error.strerror}") from error
        self._notes.pop(day, None)
        for entry in [entry for entry in self._cache if entry[0] == day]:
            del self._cache[entry]

    def remove(self, day: date) -> None:
        """Take a stored day away."""
        shutil.rmtree(self.path(day).parent)
        self._notes.pop(day, None)
        if self._ledger is not None:
            self._ledger.forget(day)

    def read(self, day: date) -> pd.DataFrame:
        """The records of a stored day: ``RECORD_COLUMNS``, sorted by key id."""
        frame = pd.DataFrame(
            {name: pd.Series(pd.arrays.ArrowExtensionArray(column)) for name, column in self._columns(day).items()}
        )
        return conform(frame, RECORD_COLUMNS)

    def notes(self, day: date) -> Notes:
        """What was noted when the day was pulled."""
        if day not in self._notes:
            with self._reading(day):
                self._notes[day] = Notes.from_json(
                    pq.ParquetFile(self.path(day)).schema_arrow.metadata[_METADATA].decode()
                )
        return self._notes[day]

    def examine(self, day: date) -> Stored:
        """Read a stored day whole; raises HistoryError where it is not what was meant to be stored."""
        self._notes.pop(day, None)  # it is about what the file says now
        notes, columns = self.notes(day), self._columns(day)
        expected = pa.Table.from_pandas(empty(RECORD_COLUMNS), preserve_index=False).schema
        found = {name: column.type for name, column in columns.items()}
        if found != dict(zip(expected.names, expected.types, strict=True)):
            raise self._unreadable(day, "its columns are not those of a day")
        judged = Day(day, self.timezone)
        if notes.last_use is not None and not judged.start <= notes.last_use < judged.end:
            raise self._unreadable(day, f"it is of another day: its last use is {notes.last_use.isoformat()}")
        requests = int(pc.sum(columns["request_count"], min_count=0).as_py())
        return Stored(checksum(self.path(day)), len(columns["key_id"]), requests)

    def known_before(self, day: date) -> pd.DataFrame | None:
        """key_id and ``KNOWN`` as of the start of a day; None where no earlier day is stored."""
        earlier = [stored for stored in self.days() if stored < day]
        return known_after(self.read(earlier[-1]), Day(earlier[-1], self.timezone)) if earlier else None

    def refreeze(self, after: date) -> None:
        """Carry what a rewritten day taught into the days after it, as far as it changes them."""
        for day in [stored for stored in self.days() if stored > after]:
            known, records = self.known_before(day), self.read(day)
            assert known is not None  # the rewritten day itself lies before
            used, registered = records[records["request_count"] > 0], records[records["registered"]]
            frozen = complete_day(used, registered[[*REGISTER]], known, Day(day, self.timezone))
            if frozen.equals(records):
                return
            self.write(day, frozen, self.notes(day))

    def column(self, day: date, name: str) -> pa.Array:
        """One column of a stored day, in the order of its rows; cached, as a panel reads it once a day judged."""
        entry = (day, name)
        if entry not in self._cache:
            table = self._read(day, [name])
            if table.nbytes > CACHE_BYTES:
                return table.column(0).combine_chunks()
            self._cache[entry] = table.combine_chunks()
        column = self._cache[entry].column(0)
        return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column

    def _columns(self, day: date) -> dict[str, pa.ChunkedArray]:
        table = self._read(day)
        return dict(zip(table.column_names, table.columns, strict=True))

    def _read(self, day: date, names: Sequence[str] | None = None) -> pa.Table:
        with self._reading(day):
            file = pq.ParquetFile(self.path(day), page_checksum_verification=True)
            former = {new: old for old, new in FORMER_COLUMNS.items() if old in file.schema_arrow.names}
            table = file.read(names and [former.get(name, name) for name in names])
            return table.rename_columns({old: new for new, old in former.items() if old in table.column_names})

    @contextmanager
    def _reading(self, day: date) -> Iterator[None]:
        """Whatever a damaged file raises while it is read, told as what it is."""
        try:
            yield
        except (OSError, pa.ArrowException, ValueError, LookupError, TypeError, AttributeError) as error:
            raise self._unreadable(day, str(error)) from error

    def _unreadable(self, day: date, reason: str) -> HistoryError:
        return HistoryError(
            f"cannot read the stored day {self.path(day)}: {reason}; `doctor --repair` pulls it anew"
        )

    def _note(self, day: date, buffer: io.BytesIO, records: pd.DataFrame) -> None:
        if self._ledger is None:
            return
        path = self.path(day)
        replaced = checksum(path) if path.exists() else None
        digest = hashlib.sha256(buffer.getbuffer()).hexdigest()
        self._ledger.note(day, Stored(digest, len(records), int(records["request_count"].sum())), replaced)

    def path(self, day: date) -> Path:
        """The file of a day, whether it is stored or not."""
        return self.root / f"day={day.isoformat()}" / "usage.parquet"


def as_known(activity: pd.DataFrame) -> pd.DataFrame:
    """A source's ``activity_before`` as a ledger: no silence is known within it."""
    return conform(activity.assign(longest_silence=0), {"key_id": TEXT, **KNOWN})


def _revision(stored: dict[str, Any]) -> Revision:
    former = {"night": "day"}  # in notes of version 1
    named = {former.get(name, name): value for name, value in stored.items()}
    days = {name: date.fromisoformat(named[name]) for name in ("day", "pulled_with")}
    return Revision(**{**named, **days})

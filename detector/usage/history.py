"""The stored days: one Parquet file per day, which is always replaced as a whole.

The file of a day holds the keys known by the end of the day, and what was known about each key *before* the day
(first use, last use, longest silence). A replay of an old day therefore needs only the files up to this day, and
never uses later data. What is known on the next day follows from this file alone (``aggregation.known_after``).
The state database has no second copy that could differ.

If an older day is pulled later, ``History.refreeze`` updates the days after it. Therefore a history does not
depend on the order in which its days were pulled.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
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
from detector.model.usage import (
    KNOWN,
    MISSING_FILE,
    RECORD_COLUMNS,
    REGISTER,
    TEXT,
    Accounting,
    Amount,
    Fault,
    Revision,
)
from detector.usage.aggregation import complete_day, conform, empty, known_after

VERSION = 2
FORMER_COLUMNS = {"source_count": "client_count"}
"""The names of columns in files of version 1, and their names since version 2."""
ADDED_DAYS = frozenset({"last_registered"})
"""The columns of days that files of version 1 do not have."""
FORMER_REASONS = {"no file of the night": MISSING_FILE}
"""Reasons of faults in notes of version 1 that decide whether a day is complete: what they are since version 2."""
CACHE_BYTES = 256 * 1024 * 1024
_METADATA = b"detector"
_DAY = b"day"
"""The day of a file. Files of earlier versions do not have it."""


@dataclass(frozen=True)
class StoredDay:
    """The facts that identify a day's file: its SHA-256, its number of keys and their number of requests."""

    checksum: str
    keys: int
    requests: int


class Ledger(Protocol):
    """A record of the files that a history stores, so that damage can be recognized later."""

    def note(self, day: date, stored: StoredDay, replaced: str | None) -> None:
        """Record a day before its file is written; ``replaced`` is the checksum of its former file, if any."""

    def forget(self, day: date) -> None:
        """Delete the record of a day that was removed on purpose."""


@dataclass(frozen=True)
class Notes:
    """Facts about the pull of a day that are stored beside its records."""

    pulled_at: datetime
    watermark: datetime | None
    faults: tuple[Fault, ...]
    last_use: datetime | None = None
    revisions: tuple[Revision, ...] = ()
    accounting: Accounting | None = None
    """What became of the records of the day; None for a day that an older version pulled."""
    undated: Mapping[str, Amount] = field(default_factory=dict)
    """What the source held without a usable day when the day was first pulled, by reason. It grows from day to
    day, and its growth belongs to the accounting."""
    oldest: date | None = None
    """The oldest stored day at that pull; ``undated`` also counts the records before it."""
    strangers: int = 0
    """The number of the keys that count together (``usage.strangers``)."""

    def to_json(self) -> str:
        """The notes as JSON for the metadata of the file."""
        return json.dumps({"version": VERSION, **asdict(self)}, default=methodcaller("isoformat"))

    @classmethod
    def from_json(cls, text: str) -> Notes:
        """The notes from the text of ``to_json``; NewerHistoryError for the text of a newer version."""
        stored = json.loads(text)
        if stored["version"] > VERSION:
            raise NewerHistoryError(
                "the history was written by a newer version of detector; upgrade before running"
            )
        faults = tuple(_fault(fault) for fault in stored["faults"])
        times = {
            name: stored[name] and datetime.fromisoformat(stored[name])
            for name in ("pulled_at", "watermark", "last_use")
        }
        revisions = tuple(_revision(revision) for revision in stored.get("revisions", ()))
        accounting = stored.get("accounting")
        return cls(
            faults=faults,
            revisions=revisions,
            accounting=None if accounting is None else Accounting.from_plain(accounting),
            undated={reason: Amount(**amount) for reason, amount in stored.get("undated", {}).items()},
            oldest=date.fromisoformat(stored["oldest"]) if stored.get("oldest") else None,
            strangers=stored.get("strangers", 0),
            **times,
        )


class History:
    """The stored days below one folder, in one timezone. A ``ledger`` records each day before it is written."""

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
        """A text that changes with every rewrite of a stored day; None for a day that is not stored."""
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
        """Store a day. The file of a day that is already stored is replaced as a whole."""
        last_use = records["last_used"].max()
        notes = replace(notes, last_use=None if pd.isna(last_use) else last_use.to_pydatetime())
        table = pa.Table.from_pandas(conform(records, RECORD_COLUMNS), preserve_index=False)
        table = table.replace_schema_metadata({_METADATA: notes.to_json(), _DAY: day.isoformat()})
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd", write_page_checksum=True)
        try:
            # The ledger comes first: a file that differs from both of its checksums is known to be damaged.
            self._note(day, buffer, records)
            write_atomically(self.path(day), buffer.getvalue())
        except OSError as error:
            raise HistoryError(f"cannot store the day {day} below {self.root}: {error.strerror}") from error
        self._notes.pop(day, None)
        for entry in list(self._cache):
            if entry[0] == day:
                del self._cache[entry]

    def remove(self, day: date) -> None:
        """Remove a stored day."""
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
        """The notes about the pull of a stored day. Raises HistoryError where the file is damaged or of another
        day."""
        if day not in self._notes:
            with self._reading(day):
                metadata = pq.ParquetFile(self.path(day)).schema_arrow.metadata
                notes = Notes.from_json(metadata[_METADATA].decode())
                named = metadata.get(_DAY, day.isoformat().encode()).decode()
            if named != day.isoformat():
                raise self._unreadable(day, f"it is of another day: {named}")
            self._notes[day] = notes
        return self._notes[day]

    def readable_notes(self) -> dict[date, Notes]:
        """The notes of every stored day whose file can be read, oldest first.

        A file that cannot be read costs its own day; judging and ``doctor`` tell it.
        """
        readable = {}
        for day in self.days():
            try:
                readable[day] = self.notes(day)
            except NewerHistoryError:
                raise
            except HistoryError:
                continue
        return readable

    def examine(self, day: date) -> StoredDay:
        """Read all of a stored day; raises HistoryError if the file is damaged or holds another day."""
        self._notes.pop(day, None)  # an examination must read the file and not the cache
        notes = self.notes(day)
        columns = self._columns(day)
        expected = pa.Table.from_pandas(empty(RECORD_COLUMNS), preserve_index=False).schema
        found = {name: column.type for name, column in columns.items()}
        if found != dict(zip(expected.names, expected.types, strict=True)):
            raise self._unreadable(day, "its columns are not those of a day")
        examined = Day(day, self.timezone)
        if notes.last_use is not None and not examined.start <= notes.last_use < examined.end:
            raise self._unreadable(day, f"it is of another day: its last use is {notes.last_use.isoformat()}")
        requests = int(pc.sum(columns["request_count"], min_count=0).as_py())
        return StoredDay(checksum(self.path(day)), len(columns["key_id"]), requests)

    def known_before(self, day: date) -> pd.DataFrame | None:
        """key_id and ``KNOWN`` as of the start of a day; None if no earlier day is stored."""
        earlier = [stored for stored in self.days() if stored < day]
        if not earlier:
            return None
        last = earlier[-1]
        return known_after(self.read(last), Day(last, self.timezone))

    def refreeze(self, after: date) -> None:
        """Update what later days know about their keys, after the day ``after`` was rewritten."""
        for day in [stored for stored in self.days() if stored > after]:
            known = self.known_before(day)
            records = self.read(day)
            assert known is not None  # the rewritten day itself lies before
            used = records[records["request_count"] > 0]
            registered = records[records["registered"]]
            frozen = complete_day(used, registered[[*REGISTER]], known, Day(day, self.timezone))
            if frozen.equals(records):
                return  # the days after this one follow from it, so they do not change either
            self.write(day, frozen, self.notes(day))

    def column(self, day: date, name: str) -> pa.Array:
        """One column of a stored day, in the order of its rows.

        The columns are cached, because a panel reads the same ones for every evaluated day.
        """
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
            table = table.rename_columns({old: new for new, old in former.items() if old in table.column_names})
            for name in sorted(ADDED_DAYS.intersection(names or RECORD_COLUMNS).difference(table.column_names)):
                table = table.append_column(name, pa.nulls(len(table), pa.date32()))
            return table

    @contextmanager
    def _reading(self, day: date) -> Iterator[None]:
        """Turn the errors that a damaged file causes while it is read into a HistoryError."""
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
        self._ledger.note(day, StoredDay(digest, len(records), int(records["request_count"].sum())), replaced)

    def path(self, day: date) -> Path:
        """The path of a day's file, which need not exist."""
        return self.root / f"day={day.isoformat()}" / "usage.parquet"


def as_known(activity: pd.DataFrame) -> pd.DataFrame:
    """A source's ``activity_before`` as key_id and ``KNOWN``. The source gives no silences, so these are 0."""
    return conform(activity.assign(longest_silence=0), {"key_id": TEXT, **KNOWN})


def _fault(stored: dict[str, Any]) -> Fault:
    reason = FORMER_REASONS.get(stored["reason"], stored["reason"])
    return Fault(**{**stored, "reason": reason, "samples": tuple(stored["samples"])})


def _revision(stored: dict[str, Any]) -> Revision:
    former = {"night": "day"}  # in notes of version 1
    named = {former.get(name, name): value for name, value in stored.items()}
    days = {name: date.fromisoformat(named[name]) for name in ("day", "pulled_with")}
    return Revision(**{**named, **days})

"""The days already pulled: one Parquet file a day, written whole or not at all.

A file holds every key known by the end of its day, with what was known *before* it frozen in, so a
replay of an old day reads that day's file and earlier ones and never sees the future. The frozen
columns are the key ledger: what is known tomorrow follows from that day's file alone.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from operator import methodcaller
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from cachetools import LRUCache
from numpy.typing import NDArray
from scipy.sparse import csr_array

from detector.boundary.disk import checksum, write_atomically
from detector.model.day import Day, each_day
from detector.model.errors import HistoryError, NewerHistoryError
from detector.model.panel import Mixes, Panel
from detector.model.usage import KNOWN, MEASURED, RECORD_COLUMNS, REGISTER, TEXT, Fault, Revision
from detector.usage.aggregation import complete_day, conform, empty, known_after
from detector.usage.gaps import unseen_days

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

    def panel(self, day: date, depth: int) -> Panel:
        """The judged day and the ``depth`` days before it, for the keys that are active or have requests."""
        records, notes = self._judged(day)
        records = records[records["active"] | (records["request_count"] > 0)].reset_index(drop=True)
        days = list(each_day(day - timedelta(days=depth), day))
        keys = pd.Index(records["key_id"].to_numpy(dtype=object), name="key_id")
        shape = (len(keys), len(days))
        requests, errors = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        known, stored = np.zeros(shape, np.bool_), np.zeros(len(days), np.bool_)
        last_uses = np.full(len(days), np.datetime64("NaT"), dtype="datetime64[us]")
        available = set(self.days())
        for column, past in enumerate(days):
            if past not in available:
                continue
            stored[column] = True
            last_uses[column] = _utc(self.notes(past).last_use)
            places, rows = self._places(past, records["key_id"])
            requests[places, column] = self._column(past, "request_count").to_numpy()[rows]
            errors[places, column] = self._column(past, "error_count").to_numpy()[rows]
            known[places, column] = True
        missing = unseen_days(requests.sum(axis=0), stored)
        return Panel(
            keys=keys,
            days=np.array(days, dtype="datetime64[D]"),
            requests=requests,
            errors=errors,
            known=known,
            missing=missing,
            records=records.set_index(keys),
            last_uses=last_uses,
            timezone=self.timezone,
            watermark=notes.watermark if notes else None,
            pulled_at=notes.pulled_at if notes else None,
            faults=notes.faults if notes else (),
            revisions=self._revisions([day for day in days if day in available]),
            maps=lambda name, wanted: self._maps(days[:-1], stored[:-1], name, wanted),
            mixes=lambda count: self._mixes(days[-count:], records["key_id"], "endpoint_distribution"),
            places=lambda count: self._mixes(days[-count:], records["key_id"], "deployments"),
        )

    def _judged(self, day: date) -> tuple[pd.DataFrame, Notes | None]:
        """The records of a day and its notes; for one that is not stored, the keys known before, without use."""
        earlier = [stored for stored in self.days() if stored <= day]
        if earlier and earlier[-1] == day:
            return self.read(day), self.notes(day)
        if not earlier:
            return empty(RECORD_COLUMNS), None
        before, known = self.read(earlier[-1]), self.known_before(day)
        assert known is not None  # an earlier day is stored
        register = before.loc[before["registered"], [*REGISTER]]
        return complete_day(empty(MEASURED), register, known, Day(day, self.timezone)), None

    def _revisions(self, days: Sequence[date]) -> tuple[Revision, ...]:
        """What the pull of the last of these days changed of them."""
        noted = (revision for day in days for revision in self.notes(day).revisions)
        return tuple(revision for revision in noted if revision.pulled_with == days[-1])

    def _places(self, day: date, keys: pd.Series) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Where among ``keys`` the rows of a stored day belong, and which of its rows do."""
        wanted = pa.array(keys.astype(TEXT), type=pa.string())
        places = pc.index_in(self._column(day, "key_id"), value_set=wanted).fill_null(-1).to_numpy()
        rows = places >= 0
        return places[rows], rows

    def _maps(
        self, days: Sequence[date], stored: NDArray[np.bool_], name: str, wanted: Sequence[str]
    ) -> list[dict[str, dict[str, int]]]:
        keys = pa.array(list(wanted), type=pa.string())
        answers: list[dict[str, dict[str, int]]] = []
        for day, is_stored in zip(days, stored, strict=True):
            if not is_stored:
                answers.append({})
                continue
            owners = self._column(day, "key_id")
            rows = pc.indices_nonzero(pc.is_in(owners, keys))
            cells = zip(owners.take(rows).to_pylist(), self._column(day, name).take(rows).to_pylist(), strict=True)
            answers.append({key: dict(pairs) for key, pairs in cells if pairs})
        return answers

    def _mixes(self, days: Sequence[date], keys: pd.Series[str], column: str) -> Mixes:
        """A map column of every key, day by day, over one vocabulary of its entries."""
        wanted, available = pa.array(keys.astype(TEXT), type=pa.string()), set(self.days())
        cells = [self._cells(day, wanted, column) if day in available else None for day in days]
        names = [endpoints for _, endpoints, _ in filter(None, cells)]
        vocabulary = pa.chunked_array(names or [pa.array([], pa.string())]).unique()
        shape = (len(keys), len(vocabulary))
        matrices = []
        for cell in cells:
            owners, endpoints, counts = cell or (
                np.empty(0, np.int64),
                pa.array([], pa.string()),
                np.empty(0, np.int64),
            )
            columns = pc.index_in(endpoints, value_set=vocabulary).to_numpy(zero_copy_only=False)
            matrices.append(csr_array((counts, (owners, columns)), shape=shape))
        return Mixes(pd.Index(vocabulary.to_pylist(), dtype=object), matrices)

    def _cells(
        self, day: date, keys: pa.Array, column: str
    ) -> tuple[NDArray[np.int64], pa.Array, NDArray[np.int64]]:
        """A day's maps as rows: place of the key among ``keys``, entry, requests."""
        maps = self._column(day, column)
        offsets = maps.offsets.to_numpy()
        places = pc.index_in(self._column(day, "key_id"), value_set=keys).fill_null(-1).to_numpy()
        owners = np.repeat(places, np.diff(offsets))
        inside, kept = slice(offsets[0], offsets[-1]), owners >= 0
        return owners[kept], maps.keys[inside].filter(pa.array(kept)), maps.items[inside].to_numpy()[kept]

    def _column(self, day: date, name: str) -> pa.Array:
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


def _utc(instant: datetime | None) -> np.datetime64:
    return np.datetime64(instant.replace(tzinfo=None) if instant else "NaT", "us")

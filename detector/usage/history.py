"""The nights already pulled: one Parquet file a night, written whole or not at all.

A file holds every key known by the end of its night, with what was known *before* it frozen in, so a
replay of an old night reads that night's file and earlier ones and never sees the future. The frozen
columns are the key ledger: what is known tomorrow follows from tonight's file alone.
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
from detector.model.day import Night, days
from detector.model.errors import HistoryError, NewerHistoryError
from detector.model.panel import Mixes, Panel
from detector.model.usage import KNOWN, MEASURED, RECORD_COLUMNS, REGISTER, TEXT, Fault, Revision
from detector.usage.aggregation import complete_night, conform, empty, known_after
from detector.usage.gaps import unseen_nights

VERSION = 1
CACHE_BYTES = 256 * 1024 * 1024
_METADATA = b"detector"


@dataclass(frozen=True)
class Stored:
    """What a night's file is known by: its SHA-256, how many keys it holds and how many requests they had."""

    checksum: str
    keys: int
    requests: int


class Ledger(Protocol):
    """Where a history notes what it stores, so that damage can be told later."""

    def note(self, night: date, stored: Stored, replaced: str | None) -> None:
        """A night is about to be put in place of a file with the checksum ``replaced``, where there is one."""

    def forget(self, night: date) -> None:
        """A night was taken away on purpose."""


@dataclass(frozen=True)
class Notes:
    """What was true of a night's pull beside its records."""

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
    """The stored nights below one folder, in one timezone. A ``ledger`` is told of each before it is there."""

    def __init__(self, root: Path, timezone: ZoneInfo, ledger: Ledger | None = None) -> None:
        self.root = root
        self.timezone = timezone
        self._ledger = ledger
        self._cache: LRUCache[tuple[date, str], pa.Table] = LRUCache(
            CACHE_BYTES, getsizeof=lambda table: table.nbytes
        )
        self._notes: dict[date, Notes] = {}

    def nights(self) -> list[date]:
        """The stored nights, oldest first."""
        found = (path.parent.name.removeprefix("day=") for path in self.root.glob("day=*/usage.parquet"))
        return sorted(date.fromisoformat(day) for day in found)

    def latest(self) -> date | None:
        """The newest stored night, found without looking at the others; None for an empty history."""
        names = sorted((path.name for path in self.root.glob("day=*")), reverse=True)
        newest = (date.fromisoformat(name.removeprefix("day=")) for name in names)
        return next((night for night in newest if self.path(night).exists()), None)

    def version(self, night: date) -> str | None:
        """A text that differs after every rewrite of a stored night; None where the night is not stored."""
        try:
            status = self.path(night).stat()
        except FileNotFoundError:
            return None
        return f"{status.st_ino}-{status.st_mtime_ns}-{status.st_size}"

    def missing(self, first: date, last: date) -> list[date]:
        """The nights from first to last that are not stored."""
        stored = set(self.nights())
        return [day for day in days(first, last) if day not in stored]

    def write(self, night: date, records: pd.DataFrame, notes: Notes) -> None:
        """Store a night, replacing it whole where it is stored already."""
        last_use = records["last_used"].max()
        notes = replace(notes, last_use=None if pd.isna(last_use) else last_use.to_pydatetime())
        table = pa.Table.from_pandas(conform(records, RECORD_COLUMNS), preserve_index=False)
        table = table.replace_schema_metadata({_METADATA: notes.to_json()})
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd", write_page_checksum=True)
        try:
            self._note(night, buffer, records)
            write_atomically(self.path(night), buffer.getvalue())
        except OSError as error:
            raise HistoryError(f"cannot store the night {night} below {self.root}: {error.strerror}") from error
        self._notes.pop(night, None)
        for entry in [entry for entry in self._cache if entry[0] == night]:
            del self._cache[entry]

    def remove(self, night: date) -> None:
        """Take a stored night away."""
        shutil.rmtree(self.path(night).parent)
        self._notes.pop(night, None)
        if self._ledger is not None:
            self._ledger.forget(night)

    def read(self, night: date) -> pd.DataFrame:
        """The records of a stored night: ``RECORD_COLUMNS``, sorted by key id."""
        frame = pd.DataFrame(
            {
                name: pd.Series(pd.arrays.ArrowExtensionArray(column))
                for name, column in self._columns(night).items()
            }
        )
        return conform(frame, RECORD_COLUMNS)

    def notes(self, night: date) -> Notes:
        """What was noted when the night was pulled."""
        if night not in self._notes:
            with self._reading(night):
                self._notes[night] = Notes.from_json(
                    pq.ParquetFile(self.path(night)).schema_arrow.metadata[_METADATA].decode()
                )
        return self._notes[night]

    def examine(self, night: date) -> Stored:
        """Read a stored night whole; raises HistoryError where it is not what was meant to be stored."""
        self._notes.pop(night, None)  # it is about what the file says now
        notes, columns = self.notes(night), self._columns(night)
        expected = pa.Table.from_pandas(empty(RECORD_COLUMNS), preserve_index=False).schema
        found = {name: column.type for name, column in columns.items()}
        if found != dict(zip(expected.names, expected.types, strict=True)):
            raise self._unreadable(night, "its columns are not those of a night")
        judged = Night(night, self.timezone)
        if notes.last_use is not None and not judged.start <= notes.last_use < judged.end:
            raise self._unreadable(night, f"it is of another night: its last use is {notes.last_use.isoformat()}")
        requests = int(pc.sum(columns["request_count"], min_count=0).as_py())
        return Stored(checksum(self.path(night)), len(columns["key_id"]), requests)

    def known_before(self, night: date) -> pd.DataFrame | None:
        """key_id and ``KNOWN`` as of the start of a night; None where no earlier night is stored."""
        earlier = [stored for stored in self.nights() if stored < night]
        return known_after(self.read(earlier[-1]), Night(earlier[-1], self.timezone)) if earlier else None

    def refreeze(self, after: date) -> None:
        """Carry what a rewritten night taught into the nights after it, as far as it changes them."""
        for night in [stored for stored in self.nights() if stored > after]:
            known, records = self.known_before(night), self.read(night)
            assert known is not None  # the rewritten night itself lies before
            used, registered = records[records["request_count"] > 0], records[records["registered"]]
            frozen = complete_night(used, registered[[*REGISTER]], known, Night(night, self.timezone))
            if frozen.equals(records):
                return
            self.write(night, frozen, self.notes(night))

    def panel(self, night: date, depth: int) -> Panel:
        """The judged night and the ``depth`` nights before it, for the keys that are active or have requests."""
        records, notes = self._judged(night)
        records = records[records["active"] | (records["request_count"] > 0)].reset_index(drop=True)
        nights = list(days(night - timedelta(days=depth), night))
        keys = pd.Index(records["key_id"].to_numpy(dtype=object), name="key_id")
        shape = (len(keys), len(nights))
        requests, errors = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        known, stored = np.zeros(shape, np.bool_), np.zeros(len(nights), np.bool_)
        last_uses = np.full(len(nights), np.datetime64("NaT"), dtype="datetime64[us]")
        available = set(self.nights())
        for column, day in enumerate(nights):
            if day not in available:
                continue
            stored[column] = True
            last_uses[column] = _utc(self.notes(day).last_use)
            places, rows = self._places(day, records["key_id"])
            requests[places, column] = self._column(day, "request_count").to_numpy()[rows]
            errors[places, column] = self._column(day, "error_count").to_numpy()[rows]
            known[places, column] = True
        missing = unseen_nights(requests.sum(axis=0), stored)
        return Panel(
            keys=keys,
            nights=np.array(nights, dtype="datetime64[D]"),
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
            revisions=self._revisions([day for day in nights if day in available]),
            maps=lambda name, wanted: self._maps(nights[:-1], stored[:-1], name, wanted),
            mixes=lambda count: self._mixes(nights[-count:], records["key_id"], "endpoint_distribution"),
            places=lambda count: self._mixes(nights[-count:], records["key_id"], "deployments"),
        )

    def _judged(self, night: date) -> tuple[pd.DataFrame, Notes | None]:
        """The records of a night and its notes; for one that is not stored, the keys known before, without use."""
        earlier = [stored for stored in self.nights() if stored <= night]
        if earlier and earlier[-1] == night:
            return self.read(night), self.notes(night)
        if not earlier:
            return empty(RECORD_COLUMNS), None
        before, known = self.read(earlier[-1]), self.known_before(night)
        assert known is not None  # an earlier night is stored
        register = before.loc[before["registered"], [*REGISTER]]
        return complete_night(empty(MEASURED), register, known, Night(night, self.timezone)), None

    def _revisions(self, nights: Sequence[date]) -> tuple[Revision, ...]:
        """What the pull of the last of these nights changed of them."""
        noted = (revision for night in nights for revision in self.notes(night).revisions)
        return tuple(revision for revision in noted if revision.pulled_with == nights[-1])

    def _places(self, night: date, keys: pd.Series) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Where among ``keys`` the rows of a stored night belong, and which of its rows do."""
        wanted = pa.array(keys.astype(TEXT), type=pa.string())
        places = pc.index_in(self._column(night, "key_id"), value_set=wanted).fill_null(-1).to_numpy()
        rows = places >= 0
        return places[rows], rows

    def _maps(
        self, nights: Sequence[date], stored: NDArray[np.bool_], name: str, wanted: Sequence[str]
    ) -> list[dict[str, dict[str, int]]]:
        keys = pa.array(list(wanted), type=pa.string())
        answers: list[dict[str, dict[str, int]]] = []
        for night, is_stored in zip(nights, stored, strict=True):
            if not is_stored:
                answers.append({})
                continue
            owners = self._column(night, "key_id")
            rows = pc.indices_nonzero(pc.is_in(owners, keys))
            cells = zip(
                owners.take(rows).to_pylist(), self._column(night, name).take(rows).to_pylist(), strict=True
            )
            answers.append({key: dict(pairs) for key, pairs in cells if pairs})
        return answers

    def _mixes(self, nights: Sequence[date], keys: pd.Series[str], column: str) -> Mixes:
        """A map column of every key, night by night, over one vocabulary of its entries."""
        wanted, available = pa.array(keys.astype(TEXT), type=pa.string()), set(self.nights())
        cells = [self._cells(night, wanted, column) if night in available else None for night in nights]
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
        self, night: date, keys: pa.Array, column: str
    ) -> tuple[NDArray[np.int64], pa.Array, NDArray[np.int64]]:
        """A night's maps as rows: place of the key among ``keys``, entry, requests."""
        maps = self._column(night, column)
        offsets = maps.offsets.to_numpy()
        places = pc.index_in(self._column(night, "key_id"), value_set=keys).fill_null(-1).to_numpy()
        owners = np.repeat(places, np.diff(offsets))
        inside, kept = slice(offsets[0], offsets[-1]), owners >= 0
        return owners[kept], maps.keys[inside].filter(pa.array(kept)), maps.items[inside].to_numpy()[kept]

    def _column(self, night: date, name: str) -> pa.Array:
        entry = (night, name)
        if entry not in self._cache:
            table = self._read(night, [name])
            if table.nbytes > CACHE_BYTES:
                return table.column(0).combine_chunks()
            self._cache[entry] = table.combine_chunks()
        column = self._cache[entry].column(0)
        return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column

    def _columns(self, night: date) -> dict[str, pa.ChunkedArray]:
        table = self._read(night)
        return dict(zip(table.column_names, table.columns, strict=True))

    def _read(self, night: date, names: Sequence[str] | None = None) -> pa.Table:
        with self._reading(night):
            return pq.ParquetFile(self.path(night), page_checksum_verification=True).read(names)

    @contextmanager
    def _reading(self, night: date) -> Iterator[None]:
        """Whatever a damaged file raises while it is read, told as what it is."""
        try:
            yield
        except (OSError, pa.ArrowException, ValueError, LookupError, TypeError, AttributeError) as error:
            raise self._unreadable(night, str(error)) from error

    def _unreadable(self, night: date, reason: str) -> HistoryError:
        return HistoryError(
            f"cannot read the stored night {self.path(night)}: {reason}; `doctor --repair` pulls it anew"
        )

    def _note(self, night: date, buffer: io.BytesIO, records: pd.DataFrame) -> None:
        if self._ledger is None:
            return
        path = self.path(night)
        replaced = checksum(path) if path.exists() else None
        digest = hashlib.sha256(buffer.getbuffer()).hexdigest()
        self._ledger.note(night, Stored(digest, len(records), int(records["request_count"].sum())), replaced)

    def path(self, night: date) -> Path:
        """The file of a night, whether it is stored or not."""
        return self.root / f"day={night.isoformat()}" / "usage.parquet"


def as_known(activity: pd.DataFrame) -> pd.DataFrame:
    """A source's ``activity_before`` as a ledger: no silence is known within it."""
    return conform(activity.assign(longest_silence=0), {"key_id": TEXT, **KNOWN})


def _revision(stored: dict[str, Any]) -> Revision:
    days = {name: date.fromisoformat(stored[name]) for name in ("night", "pulled_with")}
    return Revision(**{**stored, **days})


def _utc(instant: datetime | None) -> np.datetime64:
    return np.datetime64(instant.replace(tzinfo=None) if instant else "NaT", "us")

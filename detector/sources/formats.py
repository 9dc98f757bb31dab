"""File formats: what files are there, what columns they have, and how DuckDB reads their rows.

Text is read line by line, one record a line: a stray quote then costs its own line and not the rest of
the file, and every line lost has a number. A ``Table`` is a set of files that read alike; its relation
gives, besides the columns asked for, ``file``, ``broken`` (why the row cannot be read, or null) and
``shown`` (what it was, where it cannot be read).
"""

from __future__ import annotations

import csv
import glob
import gzip
import io
import json
import re
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Protocol, cast

import duckdb
import pyarrow as pa

from detector.errors import SourceError
from detector.sources.presets import Preset

DELIMITERS = {".csv": ",;\t|", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson", ".json", ".log")
PARQUET = (".parquet",)

WRONG_WIDTH = "wrong number of columns"
OPEN_QUOTE = "quoted value not closed on its line"
NOT_JSON = "not a JSON object"
NOT_DOCUMENT = "file is not valid JSON"
NO_RECORDS = "file has no list of records"

_SAMPLED_FILES, _SAMPLED_LINES = 20, 200
_CHUNK = 1 << 20
_BATCH_BYTES = 32 << 20
_LONGEST_HEADER = 1 << 20


class Table(Protocol):
    """Files that read alike."""

    @property
    def files(self) -> Sequence[str]:
        """The files, by full path."""

    @property
    def columns(self) -> Mapping[str, str]:
        """Their name of every column that is known to be there: its SQL type."""

    def relation(self, wanted: Mapping[str, str]) -> str:
        """A SELECT of file, broken, shown and, by our names, the wanted columns."""

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make ready what the relation reads; to be called before every statement."""


@dataclass(frozen=True)
class CsvTable:
    """Delimited text with one header."""

    files: tuple[str, ...]
    names: tuple[str, ...]
    delimiter: str

    @property
    def columns(self) -> Mapping[str, str]:
        """All text."""
        return dict.fromkeys(self.names, "VARCHAR")

    def relation(self, wanted: Mapping[str, str]) -> str:
        """The line split at its delimiters; only lines with a quote pay for a regular expression."""
        delimiter = literal(self.delimiter)
        pattern = '{0}("(?:[^"]|"")*"|[^"{0}][^{0}]*|)'.format(re.escape(self.delimiter))
        values = "".join(
            f", {_unquoted(self.names.index(theirs) + 1)} AS {name}" for name, theirs in wanted.items()
        )
        return f"""
            SELECT file, broken, CASE WHEN broken IS NOT NULL THEN line END AS shown{values}
            FROM (SELECT file, line, broken, CASE WHEN broken IS NULL THEN parts END AS parts FROM (
                SELECT *, CASE
                    WHEN quoted AND {delimiter} || array_to_string(parts, {delimiter}) <> {delimiter} || line
                        THEN {literal(OPEN_QUOTE)}
                    WHEN len(parts) <> {len(self.names)} THEN {literal(WRONG_WIDTH)} END AS broken
                FROM (SELECT *, CASE
                    WHEN quoted THEN regexp_extract_all({delimiter} || line, {literal(pattern)}, 1)
                    ELSE string_split(line, {delimiter}) END AS parts
                    FROM (SELECT *, contains(line, '"') AS quoted FROM {_lines(self.files, skip=1)}))))"""

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """DuckDB reads the files by itself."""


@dataclass(frozen=True)
class JsonTable:
    """JSON lines: one object a line. ``names`` are the members that its first lines have."""

    files: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def columns(self) -> Mapping[str, str]:
        """All text."""
        return dict.fromkeys(self.names, "VARCHAR")

    def relation(self, wanted: Mapping[str, str]) -> str:
        """Each line parsed once, for all members together."""
        pointers = ", ".join(literal(pointer(theirs)) for theirs in wanted.values())
        values = "".join(f", members[{place}] AS {name}" for place, name in enumerate(wanted, start=1))
        return f"""
            SELECT file, broken, CASE WHEN broken IS NOT NULL THEN line END AS shown{values}
            FROM (SELECT file, line, CASE WHEN document IS NULL THEN {literal(NOT_JSON)} END AS broken,
                         json_extract_string(document, [{pointers}]) AS members
                  FROM {_objects(self.files)})"""

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """DuckDB reads the files by itself."""

    def holds(self, name: str, connection: duckdb.DuckDBPyConnection) -> bool:
        """Whether any line has this member, or no line could."""
        found = f"json_exists(document, {literal(pointer(name))})"
        objects = f"FROM {_objects(self.files)} WHERE document IS NOT NULL"
        statement = f"SELECT EXISTS (SELECT 1 {objects} AND {found}) OR NOT EXISTS (SELECT 1 {objects})"
        ((found_or_empty,),) = connection.execute(statement).fetchall()
        return bool(found_or_empty)


@dataclass(frozen=True)
class ParquetTable:
    """Parquet files with the same columns."""

    files: tuple[str, ...]
    columns: Mapping[str, str] = field(hash=False)

    def relation(self, wanted: Mapping[str, str]) -> str:
        """The columns in their own types; a row of Parquet is never broken."""
        values = "".join(f", {identifier(theirs)} AS {name}" for name, theirs in wanted.items())
        return f"""
            SELECT "\x01file" AS file, NULL::VARCHAR AS broken, NULL::VARCHAR AS shown{values}
            FROM read_parquet({_paths(self.files)}, filename='\x01file')"""

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """DuckDB reads the files by itself."""


@dataclass(frozen=True)
class DocumentTable:
    """Whole JSON documents with a list of records, as a preset describes them."""

    files: tuple[str, ...]
    preset: Preset

    @property
    def columns(self) -> Mapping[str, str]:
        """What the preset brings, by our own names."""
        return dict.fromkeys(self.preset.columns, "VARCHAR")

    def relation(self, wanted: Mapping[str, str]) -> str:
        """One row a record, and one for every document that has no list of them."""
        records = literal(pointer(self.preset.records))
        values = "".join(f", {_filled(self.preset.columns[theirs])} AS {name}" for name, theirs in wanted.items())
        return f"""
            SELECT file, broken, {_filled(self.preset.description)} AS shown{values}
            FROM (SELECT file, broken, unnest(CASE
                    WHEN broken IS NULL THEN CAST(json_extract(document, {records}) AS JSON[])
                    ELSE [NULL::JSON] END) AS record
                  FROM (SELECT file, document, CASE
                          WHEN document IS NULL OR NOT json_valid(document) THEN {literal(NOT_DOCUMENT)}
                          WHEN json_type(document, {records}) IS DISTINCT FROM 'ARRAY'
                              THEN {literal(NO_RECORDS)} END AS broken FROM documents))"""

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Hand over the documents as a stream of bounded batches: DuckDB has no reader for gzipped text."""
        schema = pa.schema({"file": pa.string(), "document": pa.string()})
        connection.register("documents", pa.RecordBatchReader.from_batches(schema, self._batches(schema)))

    def _batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        held: list[tuple[str, str | None]] = []
        size = 0
        for file in self.files:
            text = _document(file)
            held.append((file, text))
            size += len(text or "")
            if size > _BATCH_BYTES:
                yield pa.record_batch(list(zip(*held, strict=True)), schema=schema)
                held, size = [], 0
        if held:
            yield pa.record_batch(list(zip(*held, strict=True)), schema=schema)


def find_files(patterns: str | Iterable[str], source: str) -> tuple[str, ...]:
    """The files that the patterns name, each once, in order. A pattern without a file is an error."""
    found: set[str] = set()
    for pattern in (patterns,) if isinstance(patterns, str) else patterns:
        matches = [pattern] if Path(pattern).is_file() else glob.glob(pattern, recursive=True)
        files = {match for match in matches if Path(match).is_file()}
        if not files:
            raise SourceError(f"source {source}: no file matches {pattern}; check the path")
        found |= files
    return tuple(sorted(found))


def check_readable(files: Sequence[str], source: str) -> None:
    """Read gzipped files to their end: DuckDB does not verify checksums, and would stop short in silence."""
    with ThreadPoolExecutor() as pool:
        for file, problem in zip(files, pool.map(_unreadable, files), strict=True):
            if problem:
                raise SourceError(f"source {source}: cannot read {file}: {problem}; restore it or take it out")


def tables(files: Sequence[str], source: str, connection: duckdb.DuckDBPyConnection) -> list[Table]:
    """The files, by format and columns."""
    headers: dict[tuple[tuple[str, ...], str], list[str]] = {}
    schemas: dict[tuple[tuple[str, str], ...], list[str]] = {}
    lines: list[str] = []
    for file in files:
        suffix = _suffix(file)
        if suffix in DELIMITERS:
            header = _header(file, DELIMITERS[suffix], source)
            if header:
                headers.setdefault(header, []).append(file)
        elif suffix in JSON_LINES:
            lines.append(file)
        elif suffix in PARQUET:
            schemas.setdefault(_schema(file, source, connection), []).append(file)
        else:
            known = ", ".join([*DELIMITERS, *JSON_LINES, *PARQUET])
            raise SourceError(
                f"source {source}: cannot tell the format of {file} by its name; known: {known}, and .gz"
            )
    found: list[Table] = [CsvTable(tuple(group), names, mark) for (names, mark), group in headers.items()]
    found += [JsonTable(tuple(lines), _members(lines))] if lines else []
    return found + [ParquetTable(tuple(group), dict(schema)) for schema, group in schemas.items()]


def literal(text: str) -> str:
    """Text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def pointer(name: str) -> str:
    """The JSON pointer (RFC 6901) to a member of the outermost object."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


def _paths(files: Sequence[str]) -> str:
    return "[" + ", ".join(literal(glob.escape(file)) for file in files) + "]"


def _lines(files: Sequence[str], skip: int) -> str:
    """Every line that is not blank. The delimiter is one that no text holds, so a line is one value."""
    return f"""(SELECT filename AS file, line FROM read_csv({_paths(files)}, columns={{'line': 'VARCHAR'}},
        header=false, skip={skip}, auto_detect=false, strict_mode=false, delim=E'\\x01\\x02\\x03\\x04',
        quote='', escape='', filename=true, ignore_errors=true, store_rejects=true, rejects_limit=0)
        WHERE trim(line) <> '')"""


def _objects(files: Sequence[str]) -> str:
    return f"""(SELECT file, line,
            CASE WHEN json_valid(line) AND json_type(line) = 'OBJECT' THEN line END AS document
        FROM {_lines(files, skip=0)})"""


def _unquoted(place: int) -> str:
    part = f"parts[{place}]"
    return f"""CASE WHEN starts_with({part}, '"') THEN replace({part}[2:-2], '""', '"') ELSE {part} END"""


def _filled(template: str) -> str:
    """A preset's template as SQL over ``record``."""
    pieces = [piece for piece in re.split(r"(\{[^}]*\})", template) if piece]
    members = {piece: _first_member(piece) for piece in pieces if piece.startswith("{")}
    if len(pieces) == 1:
        return members[template]
    joined = " || ".join(
        f"coalesce({members[piece]}, '?')" if piece in members else literal(piece) for piece in pieces
    )
    return f"CASE WHEN coalesce({', '.join(members.values())}) IS NOT NULL THEN {joined} END"


def _first_member(piece: str) -> str:
    pointers = piece[1:-1].split("|")
    return "coalesce(" + ", ".join(f"json_extract_string(record, {literal(path)})" for path in pointers) + ")"


def _suffix(file: str) -> str:
    return Path(file.lower().removesuffix(".gz")).suffix


def _open(file: str) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(file, "rb")) if file.lower().endswith(".gz") else open(file, "rb")


def _unreadable(file: str) -> str | None:
    try:
        with _open(file) as stream:
            stream.read(1)
            while file.lower().endswith(".gz") and stream.read(_CHUNK):
                pass
    except (OSError, EOFError, zlib.error) as error:
        return str(error)
    return None


def _document(file: str) -> str | None:
    with _open(file) as stream:
        try:
            return stream.read().decode("utf-8-sig")
        except UnicodeDecodeError:
            return None


def _header(file: str, delimiters: str, source: str) -> tuple[tuple[str, ...], str] | None:
    """The names in the first line and the delimiter that finds most of them; None where the file is empty."""
    with _open(file) as stream:
        raw = stream.readline(_LONGEST_HEADER)
    try:
        line = raw.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise SourceError(f"source {source}: the header of {file} is not UTF-8 text; convert the file") from None
    if not line.strip():
        return None
    rows = [(next(csv.reader(io.StringIO(line), delimiter=mark)), mark) for mark in delimiters]
    names, mark = max(rows, key=lambda row: len(row[0]))
    return tuple(name.strip() for name in names), mark


def _schema(file: str, source: str, connection: duckdb.DuckDBPyConnection) -> tuple[tuple[str, str], ...]:
    try:
        rows = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({_paths([file])})").fetchall()
    except duckdb.Error as error:
        problem = str(error).splitlines()[0]
        raise SourceError(f"source {source}: cannot read {file}: {problem}; restore it or take it out") from None
    return tuple((str(row[0]), str(row[1])) for row in rows)


def _members(files: Sequence[str]) -> tuple[str, ...]:
    """The members that the first objects of the first files have, in order of appearance."""
    names: dict[str, None] = {}
    for file in files[:_SAMPLED_FILES]:
        with _open(file) as stream:
            for line in islice(stream, _SAMPLED_LINES):
                names |= dict.fromkeys(_names(line))
    return tuple(names)


def _names(line: bytes) -> Collection[str]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return ()
    return list(record) if isinstance(record, dict) else ()

"""File formats: what files are there, what columns they have, and how DuckDB reads their rows.

Text is read line by line, one record a line: a stray quote then costs its own line and not the rest of
the file, and every line lost has a number. A ``Table`` is a set of files that read alike; its relation
gives, besides the columns asked for, ``file``, ``broken`` (why the row cannot be read, or null) and
``shown`` (what it was, where it cannot be read).
"""

from __future__ import annotations

import csv
import glob
import io
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import ClassVar, Protocol

import duckdb

from detector.config.source import REGISTER_FIELDS
from detector.model.errors import SourceError
from detector.sources.files.compression import SUFFIXES, format_suffix, opened

DELIMITERS = {".csv": ",;\t|", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson", ".json", ".log")
PARQUET = (".parquet",)

WRONG_WIDTH = "wrong number of columns"
OPEN_QUOTE = "quoted value not closed on its line"
NOT_JSON = "not a JSON object"

OFTEN_LEFT_OUT = {
    *REGISTER_FIELDS,
    "endpoint",
    "status",
    "error",
    "deployment",
    "error_count",
    "last_activity",
} - {"key_id"}
"""Members that a line of JSON may lack where there is nothing to say."""

_SAMPLED_FILES, _SAMPLED_LINES = 20, 200
_LONGEST_HEADER = 1 << 20


class Table(Protocol):
    """Files that read alike."""

    @property
    def by_line(self) -> bool:
        """Whether lines may be rejected before they are rows."""

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

    by_line: ClassVar[bool] = True
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
                    FROM (SELECT *, contains(line, '"') AS quoted FROM {text_lines(self.files, skip=1)}))))"""

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """DuckDB reads the files by itself."""


@dataclass(frozen=True)
class JsonTable:
    """JSON lines: one object a line. ``names`` are the members that its first lines have."""

    by_line: ClassVar[bool] = True
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
                  FROM {objects(self.files)})"""

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """DuckDB reads the files by itself."""

    def holds(self, name: str, connection: duckdb.DuckDBPyConnection) -> bool:
        """Whether any line has this member, or no line could."""
        found = f"json_exists(document, {literal(pointer(name))})"
        rows = f"FROM {objects(self.files)} WHERE document IS NOT NULL"
        statement = f"SELECT EXISTS (SELECT 1 {rows} AND {found}) OR NOT EXISTS (SELECT 1 {rows})"
        ((found_or_empty,),) = connection.execute(statement).fetchall()
        return bool(found_or_empty)


@dataclass(frozen=True)
class ParquetTable:
    """Parquet files with the same columns."""

    by_line: ClassVar[bool] = False
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


def tables(files: Sequence[str], source: str, connection: duckdb.DuckDBPyConnection) -> list[Table]:
    """The files, by format and columns."""
    headers: dict[tuple[tuple[str, ...], str], list[str]] = {}
    schemas: dict[tuple[tuple[str, str], ...], list[str]] = {}
    lines: list[str] = []
    for file in files:
        suffix = format_suffix(file)
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
                f"source {source}: cannot tell the format of {file} by its name; known: {known}, "
                f"compressed as {' or '.join(SUFFIXES)}, rotated or not"
            )
    found: list[Table] = [CsvTable(tuple(group), names, mark) for (names, mark), group in headers.items()]
    found += [JsonTable(tuple(lines), _members(lines))] if lines else []
    return found + [ParquetTable(tuple(group), dict(schema)) for schema, group in schemas.items()]


def available(
    table: Table, mapped: Mapping[str, str], optional: Sequence[str], connection: duckdb.DuckDBPyConnection
) -> set[str]:
    """The columns of a table. JSON lines need not all have the same members, so what its first lines lack
    is looked for in all of them, and what loggers leave out where there is nothing to say may be absent."""
    names = set(table.columns)
    if isinstance(table, JsonTable):
        wanted = {*mapped.values(), "timestamp", "day", "key_id"} - names
        names |= {name for name in sorted(wanted) if table.holds(name, connection)}
        names |= {name for name in optional if name in OFTEN_LEFT_OUT}
    return names


def place(table: Table) -> str:
    """Where a table is, for errors."""
    more = len(table.files) - 1
    return table.files[0] + (f" (and {more} more like it)" if more else "")


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


def text_lines(files: Sequence[str], skip: int) -> str:
    """Every line that is not blank. The delimiter is one that no text holds, so a line is one value."""
    return f"""(SELECT filename AS file, line FROM read_csv({_paths(files)}, columns={{'line': 'VARCHAR'}},
        header=false, skip={skip}, auto_detect=false, strict_mode=false, delim=E'\\x01\\x02\\x03\\x04',
        quote='', escape='', filename=true, ignore_errors=true, store_rejects=true, rejects_limit=0)
        WHERE trim(line) <> '')"""


def objects(files: Sequence[str]) -> str:
    """Every line with the JSON object it is, null where it is none."""
    return f"""(SELECT file, line,
            CASE WHEN json_valid(line) AND json_type(line) = 'OBJECT' THEN line END AS document
        FROM {text_lines(files, skip=0)})"""


def _unquoted(place: int) -> str:
    part = f"parts[{place}]"
    return f"""CASE WHEN starts_with({part}, '"') THEN replace({part}[2:-2], '""', '"') ELSE {part} END"""


def _header(file: str, delimiters: str, source: str) -> tuple[tuple[str, ...], str] | None:
    """The names in the first line and the delimiter that finds most of them; None where the file is empty."""
    with opened(file) as stream:
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
        with opened(file) as stream:
            for line in islice(stream, _SAMPLED_LINES):
                names |= dict.fromkeys(_names(line))
    return tuple(names)


def _names(line: bytes) -> Collection[str]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return ()
    return list(record) if isinstance(record, dict) else ()

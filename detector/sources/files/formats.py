"""File formats: the columns of CSV, JSON lines and Parquet files, and the SQL by which DuckDB reads their rows.

A ``Table`` is a set of files with the same format and columns. Its relation gives the wanted columns and
``file``, ``broken`` (why the row cannot be read, or null) and ``raw_text`` (a broken row's own text, else null).

Text is read line by line, and one line is one record. So a stray quote breaks its own line and not the rest of
the file, and every broken line has a number.
"""

from __future__ import annotations

import csv
import glob
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import ClassVar, Protocol

import duckdb

from detector.config.source import REGISTER_FIELDS
from detector.model.errors import MisconfiguredSourceError, SourceError
from detector.sources.files.compression import SUFFIXES, format_suffix, open_decompressed
from detector.sources.files.repair import documents

DELIMITERS = {".csv": ",;\t|", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson", ".json", ".log")
PARQUET = (".parquet",)

WRONG_WIDTH = "wrong number of columns"
OPEN_QUOTE = "quoted value not closed on its line"
NOT_JSON = "not a JSON object"

OPTIONAL_MEMBERS = {
    *REGISTER_FIELDS,
    "endpoint",
    "status",
    "error",
    "deployment",
    "error_count",
    "last_activity",
} - {"key_id"}
"""Members that may be in no line of JSON at all: loggers omit a member that has no value."""

_SAMPLED_FILES = 20
_SAMPLED_LINES = 200
_HEADER_BYTES = 1 << 20

LONGEST_LINE = 8 << 20
"""The most bytes of a line that is read."""

WRITTEN_ANEW = "written-anew"
"""The folder of the files that are written anew. Each lies in it under a number and its whole original path."""

_WRITTEN_ANEW = re.compile(rf"^.*/{WRITTEN_ANEW}/\d+(?=/)", re.DOTALL)

# DuckDB's own choice grows with the longest line.
_BUFFER_BYTES = 32 << 20


class Table(Protocol):
    """Files with the same format and columns."""

    @property
    def by_line(self) -> bool:
        """Whether DuckDB reads the files line by line and may reject a line before it becomes a row."""

    @property
    def files(self) -> Sequence[str]:
        """The full paths of the files."""

    @property
    def columns(self) -> Mapping[str, str]:
        """SQL types by the files' names of the columns; JSON lines may have more columns."""

    def relation(self, wanted: Mapping[str, str]) -> str:
        """A SELECT of file, broken, raw_text and the wanted columns (our name: the files' name)."""

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Register with the connection what the relation reads. Call it before every statement."""


@dataclass(frozen=True)
class CsvTable:
    """Delimited text. The first line of every file is the same header."""

    by_line: ClassVar[bool] = True
    files: tuple[str, ...]
    names: tuple[str, ...]
    delimiter: str

    @property
    def columns(self) -> Mapping[str, str]:
        """Every column is text."""
        return dict.fromkeys(self.names, "VARCHAR")

    def relation(self, wanted: Mapping[str, str]) -> str:
        """The values of every line."""
        delimiter = literal(self.delimiter)
        # A quoted value, a value without quotes, or an empty value, each behind its delimiter.
        pattern = '{0}("(?:[^"]|"")*"|[^"{0}][^{0}]*|)'.format(re.escape(self.delimiter))
        values = ""
        for name, theirs in wanted.items():
            position = self.names.index(theirs) + 1
            values += f", {_unquoted(position)} AS {name}"
        # Splitting is much faster than the regular expression, so only lines with a quote use the latter.
        # Where its matches do not join up to the line, a quoted value is not closed.
        return f"""
            SELECT file, broken, CASE WHEN broken IS NOT NULL THEN line END AS raw_text{values}
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
        """Nothing to register: the relation names the files."""


@dataclass(frozen=True)
class JsonTable:
    """JSON lines: one object a line. ``names`` are the members of the first lines."""

    by_line: ClassVar[bool] = True
    files: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def columns(self) -> Mapping[str, str]:
        """Every column is text."""
        return dict.fromkeys(self.names, "VARCHAR")

    def relation(self, wanted: Mapping[str, str]) -> str:
        """The members of every line."""
        # One json_extract_string for all members parses each line once.
        pointers = ", ".join(literal(pointer(theirs)) for theirs in wanted.values())
        values = "".join(f", members[{position}] AS {name}" for position, name in enumerate(wanted, start=1))
        return f"""
            SELECT file, broken, CASE WHEN broken IS NOT NULL THEN line END AS raw_text{values}
            FROM (SELECT file, line, CASE WHEN document IS NULL THEN {literal(NOT_JSON)} END AS broken,
                         json_extract_string(document, [{pointers}]) AS members
                  FROM {objects(self.files)})"""

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Nothing to register: the relation names the files."""

    def has_member(self, name: str, connection: duckdb.DuckDBPyConnection) -> bool:
        """Whether any line has this member; also true where no line is an object."""
        has_member = f"json_exists(document, {literal(pointer(name))})"
        rows = f"FROM {objects(self.files)} WHERE document IS NOT NULL"
        statement = f"SELECT EXISTS (SELECT 1 {rows} AND {has_member}) OR NOT EXISTS (SELECT 1 {rows})"
        ((found,),) = connection.execute(statement).fetchall()
        return bool(found)


@dataclass(frozen=True)
class ParquetTable:
    """Parquet files with the same columns."""

    by_line: ClassVar[bool] = False
    files: tuple[str, ...]
    columns: Mapping[str, str] = field(hash=False)

    def relation(self, wanted: Mapping[str, str]) -> str:
        """The columns in their own types; a row of Parquet is never broken."""
        values = "".join(f", {identifier(theirs)} AS {name}" for name, theirs in wanted.items())
        # DuckDB adds the file's name as a column. The control character keeps it apart from the file's columns.
        return f"""
            SELECT "\x01file" AS file, NULL::VARCHAR AS broken, NULL::VARCHAR AS raw_text{values}
            FROM read_parquet({_paths(self.files)}, filename='\x01file')"""

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Nothing to register: the relation names the files."""


def tables(files: Sequence[str], source: str, connection: duckdb.DuckDBPyConnection) -> list[Table]:
    """The files grouped by format and columns. Raises MisconfiguredSourceError for a file of unknown format."""
    csv_files: dict[tuple[tuple[str, ...], str], list[str]] = {}
    parquet_files: dict[tuple[tuple[str, str], ...], list[str]] = {}
    json_files: list[str] = []
    for file in files:
        suffix = format_suffix(file)
        if suffix in DELIMITERS:
            csv_files.setdefault(_header(file, DELIMITERS[suffix]), []).append(file)
        elif suffix in JSON_LINES:
            json_files.append(file)
        elif suffix in PARQUET:
            parquet_files.setdefault(_schema(file, source, connection), []).append(file)
        else:
            known = ", ".join([*DELIMITERS, *JSON_LINES, *PARQUET])
            raise MisconfiguredSourceError(
                f"source {source}: the name of {file} does not show its format; give it one of the suffixes "
                f"{known}; {' or '.join(SUFFIXES)} and what a rotation appends may follow"
            )
    found: list[Table] = []
    for (names, delimiter), group in csv_files.items():
        found.append(CsvTable(tuple(group), names, delimiter))
    if json_files:
        found.append(JsonTable(tuple(json_files), _members(json_files)))
    for schema, group in parquet_files.items():
        found.append(ParquetTable(tuple(group), dict(schema)))
    return found


def available(
    table: Table, mapped: Mapping[str, str], optional: Sequence[str], connection: duckdb.DuckDBPyConnection
) -> set[str]:
    """The names of a table's columns.

    ``mapped`` are the configured columns (our name: the table's name), ``optional`` the names of all columns
    that this project reads.
    """
    names = set(table.columns)
    if isinstance(table, JsonTable):
        # Lines need not have the same members, and only the first lines were sampled. A member that is needed
        # and was not in the sample is searched in all lines.
        needed = {*mapped.values(), "timestamp", "day", "key_id"} - names
        names |= {name for name in sorted(needed) if table.has_member(name, connection)}
        names |= {name for name in optional if name in OPTIONAL_MEMBERS}
    return names


def table_name(table: Table) -> str:
    """The table as an error names it: its first file and the number of the others."""
    first = _WRITTEN_ANEW.sub("", table.files[0])
    others = len(table.files) - 1
    if others:
        return f"{first} (and {others} more like it)"
    return first


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
    """The SQL of every line that is not blank, with its file."""
    # No text holds this delimiter, so read_csv gives each line as one value. It rejects lines that are not
    # UTF-8 or too long, and keeps them in its table of rejects, where ``counts.rejected`` reads them.
    return f"""(SELECT filename AS file, line FROM read_csv({_paths(files)}, columns={{'line': 'VARCHAR'}},
        header=false, skip={skip}, auto_detect=false, strict_mode=false, delim=E'\\x01\\x02\\x03\\x04',
        quote='', escape='', filename=true, max_line_size={LONGEST_LINE + 2}, buffer_size={_BUFFER_BYTES},
        ignore_errors=true, store_rejects=true, rejects_limit=0)
        WHERE trim(line) <> '')"""


def objects(files: Sequence[str]) -> str:
    """The SQL of every JSON object, and of every line or part of a line that holds none.

    ``document`` is the object, ``line`` the text where there is none. The lines that are no object go through
    ``repaired``, which ``plain.PlainFiles`` registers with the connection. A line may hold several objects.
    """
    kept = "[{'document': line, 'line': NULL}]"
    repaired = f"""list_transform(repaired(file, line), lambda piece: CASE WHEN {_is_object("piece")}
        THEN {{'document': piece, 'line': NULL}} ELSE {{'document': NULL, 'line': piece}} END)"""
    return f"""(SELECT file, found.line AS line, found.document AS document
        FROM (SELECT file, unnest(CASE WHEN {_is_object("line")} THEN {kept} ELSE {repaired} END) AS found
              FROM {text_lines(files, skip=0)}))"""


def _is_object(text: str) -> str:
    # To ask for the type of the JSON would parse it once more. An envelope of CloudWatch Logs holds other objects.
    return f"""(starts_with(ltrim({text}), '{{') AND NOT starts_with({text}, '{{"messageType"')
        AND json_valid({text}))"""


def _unquoted(position: int) -> str:
    part = f"parts[{position}]"
    return f"""CASE WHEN starts_with({part}, '"') THEN replace({part}[2:-2], '""', '"') ELSE {part} END"""


def _header(file: str, delimiters: str) -> tuple[tuple[str, ...], str]:
    with open_decompressed(file) as stream:
        raw = stream.readline(_HEADER_BYTES)
    return header_of(raw.decode("utf-8-sig", "replace"), delimiters)


def header_of(line: str, delimiters: str) -> tuple[tuple[str, ...], str]:
    """The names in the header of a CSV file, and the delimiter that gives most names."""
    most_names: list[str] = []
    best_delimiter = ""
    for delimiter in delimiters:
        names = next(csv.reader(io.StringIO(line.rstrip("\r\n")), delimiter=delimiter))
        if len(names) > len(most_names):
            most_names = names
            best_delimiter = delimiter
    return tuple(name.strip() for name in most_names), best_delimiter


def _schema(file: str, source: str, connection: duckdb.DuckDBPyConnection) -> tuple[tuple[str, str], ...]:
    try:
        rows = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({_paths([file])})").fetchall()
    except duckdb.Error as error:
        problem = str(error).splitlines()[0]
        raise SourceError(
            f"source {source}: cannot read {file}: {problem}; restore the file or remove it"
        ) from None
    return tuple((str(row[0]), str(row[1])) for row in rows)


def _members(files: Sequence[str]) -> tuple[str, ...]:
    """The members of the first objects of the first files, in order of appearance."""
    names: dict[str, None] = {}
    for file in files[:_SAMPLED_FILES]:
        with open_decompressed(file) as stream:
            for line in islice(stream, _SAMPLED_LINES):
                names |= dict.fromkeys(_member_names(line))
    return tuple(names)


def _member_names(line: bytes) -> list[str]:
    names: list[str] = []
    found, _ = documents(line.decode("utf-8-sig", "replace"), LONGEST_LINE)
    for text in found:
        try:
            names += json.loads(text)
        except (ValueError, TypeError, RecursionError):
            # Some other row tells its members.
            continue
    return names

"""Files in the format of a preset, and its template language as SQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import duckdb
import pyarrow as pa

from detector.model.errors import SourceError
from detector.sources.files.compression import opened
from detector.sources.files.formats import NOT_JSON, Table, identifier, literal, objects, pointer, text_lines
from detector.sources.presets import Preset

NOT_DOCUMENT = "file is not valid JSON"
NO_RECORDS = "file has no list of records"
NO_MATCH = "line is not in the format of the preset"

_BATCH_BYTES = 32 << 20
_PIECES = re.compile(r"(\{[^}]*\})")
_MEMBERS = re.compile(r"\{/[^|{}?]+(\?[^|{}?]+)?(\|/[^|{}?]+(\?[^|{}?]+)?)*\}")
_UUID = "-".join(f"[0-9a-fA-F]{{{length}}}" for length in (8, 4, 4, 4, 12))
_IDENTIFIERS = rf"/(?:\d+|{_UUID})(/|$)"
_SCHEME = r"^(?i:bearer|apikey|token)\s+"


def preset_table(preset: Preset, files: tuple[str, ...]) -> Table:
    """The files, read as the preset says."""
    if preset.records is not None:
        return DocumentTable(files, preset)
    return JsonRecords(files, preset) if preset.line is None else TextRecords(files, preset)


def with_columns(preset: Preset, columns: Mapping[str, str], source: str) -> Preset:
    """The preset with some of its columns taken from elsewhere; SourceError where a template is none."""
    for name, template in columns.items():
        pieces = [piece for piece in _PIECES.split(template) if piece.startswith("{")]
        if not pieces or not all(_MEMBERS.fullmatch(piece) for piece in pieces):
            raise SourceError(
                f"source {source}: columns.{name} beside a preset is a template such as {{/member}} or "
                f"{{/url?parameter}}, not '{template}'; write one, or take it out for what the preset brings"
            )
    changed = replace(preset, columns={**preset.columns, **columns})
    unknown = [path for path in _paths(changed, changed.columns) if path[1:] not in _groups(changed)]
    if changed.line is not None and unknown:
        known = ", ".join(f"/{name}" for name in _groups(changed))
        raise SourceError(f"source {source}: the preset has no member {unknown[0]}; it has: {known}")
    return changed


@dataclass(frozen=True)
class JsonRecords:
    """JSON lines, whose members may be nested."""

    by_line: ClassVar[bool] = True
    files: tuple[str, ...]
    preset: Preset

    @property
    def columns(self) -> Mapping[str, str]:
        """What the preset brings, by our own names."""
        return dict.fromkeys(self.preset.columns, "VARCHAR")

    def relation(self, wanted: Mapping[str, str]) -> str:
        """Each line parsed once, for all members together."""
        paths = list(_paths(self.preset, wanted))
        members = {path: f"members[{place}]" for place, path in enumerate(paths, start=1)}
        pointers = ", ".join(map(literal, paths))
        return f"""
            SELECT file, broken, CASE WHEN broken IS NOT NULL THEN line END AS shown
                   {_values(self.preset, wanted, members.__getitem__)}
            FROM (SELECT file, line, CASE WHEN document IS NULL THEN {literal(NOT_JSON)} END AS broken,
                         json_extract_string(document, [{pointers}]) AS members
                  FROM {objects(self.files)})"""

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """DuckDB reads the files by itself."""


@dataclass(frozen=True)
class TextRecords:
    """Lines of text that match a regular expression."""

    by_line: ClassVar[bool] = True
    files: tuple[str, ...]
    preset: Preset

    @property
    def columns(self) -> Mapping[str, str]:
        """What the preset brings, by our own names."""
        return dict.fromkeys(self.preset.columns, "VARCHAR")

    def relation(self, wanted: Mapping[str, str]) -> str:
        """Each line matched once, for all groups together; where it does not match, all of them are empty."""
        groups = _groups(self.preset)
        listed = ", ".join(map(literal, groups))
        return f"""
            SELECT file, broken, CASE WHEN broken IS NOT NULL THEN line END AS shown
                   {_values(self.preset, wanted, lambda path: f"members.{identifier(path[1:])}")}
            FROM (SELECT *, CASE WHEN members.{identifier(groups[0])} = '' THEN {literal(NO_MATCH)} END AS broken
                  FROM (SELECT file, line,
                               regexp_extract(line, {literal(str(self.preset.line))}, [{listed}]) AS members
                        FROM {text_lines(self.files, skip=0)}))"""

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """DuckDB reads the files by itself."""


@dataclass(frozen=True)
class DocumentTable:
    """Whole JSON documents with a list of records."""

    by_line: ClassVar[bool] = False
    files: tuple[str, ...]
    preset: Preset

    @property
    def columns(self) -> Mapping[str, str]:
        """What the preset brings, by our own names."""
        return dict.fromkeys(self.preset.columns, "VARCHAR")

    def relation(self, wanted: Mapping[str, str]) -> str:
        """One row a record, and one for every document that has no list of them."""
        records = literal(pointer(str(self.preset.records)))
        return f"""
            SELECT file, broken, {_filled(self.preset.description, _of_record)} AS shown
                   {_values(self.preset, wanted, _of_record)}
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


def _document(file: str) -> str | None:
    with opened(file) as stream:
        try:
            return stream.read().decode("utf-8-sig")
        except UnicodeDecodeError:
            return None


def _groups(preset: Preset) -> Sequence[str]:
    """The members of a line of text, in order."""
    return list(re.compile(preset.line or "").groupindex)


def _paths(preset: Preset, wanted: Mapping[str, str]) -> dict[str, None]:
    """The pointers that the templates of the wanted columns name, each once."""
    pieces = [piece for theirs in wanted for piece in _PIECES.findall(preset.columns[theirs])]
    return dict.fromkeys(path.partition("?")[0] for piece in pieces for path in piece[1:-1].split("|"))


def _values(preset: Preset, wanted: Mapping[str, str], member: Callable[[str], str]) -> str:
    """The wanted columns as SQL. No query becomes part of an endpoint, no scheme part of a key.

    The commonest ids in paths are folded here, twice since neighbours share a slash: the aggregation folds
    all of them, but counting must not see each id as an endpoint of its own.
    """
    values = {name: _filled(preset.columns[theirs], member) for name, theirs in wanted.items()}
    if "endpoint" in values:
        path = f"split_part(split_part({values['endpoint']}, '?', 1), '#', 1)"
        for _ in range(2):
            path = rf"regexp_replace({path}, {literal(_IDENTIFIERS)}, '/{{id}}\1', 'g')"
        values["endpoint"] = path
    if "key_id" in values:
        values["key_id"] = f"regexp_replace({values['key_id']}, {literal(_SCHEME)}, '')"
    return "".join(f", {value} AS {name}" for name, value in values.items())


def _filled(template: str, member: Callable[[str], str]) -> str:
    """A template as SQL; ``member`` gives the SQL of the text at a pointer."""
    pieces = [piece for piece in _PIECES.split(template) if piece]
    found = {piece: _first(piece, member) for piece in pieces if piece.startswith("{")}
    if len(pieces) == 1:
        return found[template]
    joined = " || ".join(
        f"coalesce({found[piece]}, '?')" if piece in found else literal(piece) for piece in pieces
    )
    return f"CASE WHEN coalesce({', '.join(found.values())}) IS NOT NULL THEN {joined} END"


def _first(piece: str, member: Callable[[str], str]) -> str:
    """The first alternative of a ``{...}`` that is there."""
    values = [_value(alternative, member) for alternative in piece[1:-1].split("|")]
    return f"coalesce({', '.join(values)})"


def _value(alternative: str, member: Callable[[str], str]) -> str:
    path, question, parameter = alternative.partition("?")
    text = member(path)
    if question:
        pattern = rf"[?&]{re.escape(parameter)}=([^&#\s]*)"
        text = f"decoded(regexp_extract({text}, {literal(pattern)}, 1))"
    return f"nullif(nullif({text}, ''), '-')"


def _of_record(path: str) -> str:
    return f"json_extract_string(record, {literal(path)})"

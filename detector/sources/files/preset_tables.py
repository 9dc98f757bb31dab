"""Files in the format of a preset.

A preset is data (``detector.sources.presets``). This module alone knows the three ways in which records lie in a
file: one JSON object a line, one line of text that a regular expression matches, JSON whose content says where
they lie.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, ClassVar

import duckdb
import pyarrow as pa

from detector.boundary.words import counted
from detector.model.errors import MisconfiguredSourceError
from detector.model.usage import WHOLE_FILE
from detector.sources.files.compression import open_decompressed
from detector.sources.files.formats import NOT_JSON, Table, identifier, literal, objects, text_lines
from detector.sources.files.json_items import Damage, items
from detector.sources.files.templates import (
    columns_of,
    is_template,
    pointers_in,
    register_functions,
    text_of,
    value_columns,
)
from detector.sources.presets import Documents, Preset, UnknownItemError

_LOG = logging.getLogger(__name__)

NOT_DOCUMENT = f"{WHOLE_FILE}is not valid JSON"
NO_RECORDS = f"{WHOLE_FILE}has no records of the preset"
NO_MATCH = "line is not in the format of the preset"

_BATCH_ROWS = 20_000
_MOST_NAMES = 5


def preset_table(preset: Preset, files: tuple[str, ...]) -> Table:
    """The files as a table in the format of the preset."""
    if preset.documents is not None:
        return DocumentTable(files, preset, preset.documents)
    if preset.line is not None:
        return TextRecords(files, preset)
    return JsonRecords(files, preset)


def with_columns(preset: Preset, columns: Mapping[str, str], source: str) -> Preset:
    """The preset with some templates replaced. Raises MisconfiguredSourceError for a wrong template."""
    for name, template in columns.items():
        if not is_template(template):
            raise MisconfiguredSourceError(
                f"source {source}: source.columns.{name} is '{template}', but beside a preset or a template it "
                f"must be a template such as {{/member}} or {{/url?parameter}}; write one, or remove it"
            )
    changed = replace(preset, columns={**preset.columns, **columns})
    if changed.line is not None:
        groups = _groups(changed)
        unknown = [path for path in pointers_in(changed, changed.columns) if path[1:] not in groups]
        if unknown:
            known = ", ".join(f"/{name}" for name in groups)
            raise MisconfiguredSourceError(
                f"source {source}: the preset has no member {unknown[0]} for source.columns; it has: {known}"
            )
    return changed


@dataclass(frozen=True)
class JsonRecords:
    """JSON lines. Members may be nested."""

    by_line: ClassVar[bool] = True
    files: tuple[str, ...]
    preset: Preset

    @property
    def columns(self) -> Mapping[str, str]:
        """The columns of the preset, by our own names."""
        return columns_of(self.preset)

    def relation(self, wanted: Mapping[str, str]) -> str:
        """The values of every line."""
        # One json_extract_string for all members parses each line once.
        paths = list(pointers_in(self.preset, wanted))
        members = {path: f"members[{position}]" for position, path in enumerate(paths, start=1)}
        pointers = ", ".join(map(literal, paths))
        return f"""
            SELECT file, broken, CASE WHEN broken IS NOT NULL THEN line END AS raw_text
                   {value_columns(self.preset, wanted, members.__getitem__)}
            FROM (SELECT file, line, CASE WHEN document IS NULL THEN {literal(NOT_JSON)} END AS broken,
                         json_extract_string(document, [{pointers}]) AS members
                  FROM {objects(self.files)})"""

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Register the functions of the relation."""
        register_functions(connection)


@dataclass(frozen=True)
class TextRecords:
    """Lines of text that match a regular expression."""

    by_line: ClassVar[bool] = True
    files: tuple[str, ...]
    preset: Preset

    @property
    def columns(self) -> Mapping[str, str]:
        """The columns of the preset, by our own names."""
        return columns_of(self.preset)

    def relation(self, wanted: Mapping[str, str]) -> str:
        """The values of every line."""
        # One regexp_extract for all groups matches each line once. Where a line does not match, all groups are
        # empty; the first group of a matching line never is.
        groups = _groups(self.preset)
        listed = ", ".join(map(literal, groups))
        return f"""
            SELECT file, broken, CASE WHEN broken IS NOT NULL THEN line END AS raw_text
                   {value_columns(self.preset, wanted, lambda path: f"members.{identifier(path[1:])}")}
            FROM (SELECT *, CASE WHEN members.{identifier(groups[0])} = '' THEN {literal(NO_MATCH)} END AS broken
                  FROM (SELECT file, line,
                               regexp_extract(line, {literal(str(self.preset.line))}, [{listed}]) AS members
                        FROM {text_lines(self.files, skip=0)}))"""

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Register the functions of the relation."""
        register_functions(connection)


@dataclass(frozen=True)
class DocumentTable:
    """Files of JSON whose content says where the records lie."""

    by_line: ClassVar[bool] = False
    files: tuple[str, ...]
    preset: Preset
    documents: Documents

    @property
    def columns(self) -> Mapping[str, str]:
        """The columns of the preset, by our own names."""
        return dict.fromkeys(self.preset.columns, "VARCHAR")

    def relation(self, wanted: Mapping[str, str]) -> str:
        """One row for each record, and one for each part of a file that holds no record."""
        members = {path: f"member_{number}" for number, path in enumerate(self._pointers)}
        description = text_of(self.preset.description, members.__getitem__)
        return f"""
            SELECT file, broken, CASE WHEN broken IS NULL THEN {description} ELSE found END AS raw_text
                   {value_columns(self.preset, wanted, members.__getitem__)}
            FROM records"""

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Register the functions of the relation, and the records as a stream of batches of bounded size."""
        names = ["file", "broken", "found", *(f"member_{number}" for number in range(len(self._pointers)))]
        schema = pa.schema([(name, pa.string()) for name in names])
        register_functions(connection)
        connection.register("records", pa.RecordBatchReader.from_batches(schema, self._batches(schema)))

    @property
    def _pointers(self) -> list[str]:
        templates = {**self.preset.columns, "description": self.preset.description}
        return list(pointers_in(replace(self.preset, columns=templates), templates))

    def _batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        rows = self._rows()
        while batch := list(islice(rows, _BATCH_ROWS)):
            yield pa.record_batch(list(zip(*batch, strict=True)), schema=schema)

    def _rows(self) -> Iterator[tuple[str | None, ...]]:
        steps = [_steps(path) for path in self._pointers]
        no_members = (None,) * len(steps)
        passed_files = 0
        passed_items = 0
        for file in self.files:
            if any(part in file for part in self.documents.passed_over):
                passed_files += 1
                continue
            unknown = None
            with open_decompressed(file) as stream:
                for item in items(stream, self.documents.lists):
                    if isinstance(item, Damage):
                        yield file, NOT_JSON if item.is_line else NOT_DOCUMENT, item.text, *no_members
                        continue
                    try:
                        record = self.documents.record(item)
                    except UnknownItemError:
                        # A foreign file is one fault, whatever the number of items in it.
                        unknown = unknown or _described(item)
                        continue
                    if record is None:
                        passed_items += 1
                        continue
                    yield file, None, None, *(_member(record, names) for names in steps)
            if unknown:
                yield file, NO_RECORDS, unknown, *no_members
        if passed_files or passed_items:
            passed = f"{counted(passed_files, 'file')} and {counted(passed_items, 'item')}"
            _LOG.info("%s passed over: known to hold no request", passed)


def _described(item: Any) -> str:
    """What stands in a file in the place of a record."""
    if isinstance(item, dict):
        return f"an object with {', '.join(islice(item, _MOST_NAMES)) or 'no member'}"
    return "an array" if isinstance(item, list) else "a single value"


def _steps(path: str) -> list[str]:
    """The names in a JSON pointer."""
    return [name.replace("~1", "/").replace("~0", "~") for name in path.split("/")[1:]]


def _member(value: Any, names: Iterable[str]) -> str | None:
    """The text of a member of a record; of an object or array, its JSON."""
    for name in names:
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value)
    # A lone surrogate is no text.
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _groups(preset: Preset) -> Sequence[str]:
    """The named groups of the regular expression of a line of text, in order."""
    return list(re.compile(preset.line or "").groupindex)

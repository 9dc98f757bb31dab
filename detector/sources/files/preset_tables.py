"""Files in the format of a preset, and the SQL of its templates.

A preset is data (``detector.sources.presets``). This module alone knows the three ways in which records lie in a
file: one JSON object a line, one line of text that a regular expression matches, JSON whose content says where
they lie.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, takewhile
from typing import Any, ClassVar

import duckdb
import pyarrow as pa

from detector.boundary.words import counted
from detector.model.errors import SourceError
from detector.model.usage import WHOLE_FILE
from detector.sources.files.compression import open_decompressed
from detector.sources.files.formats import NOT_JSON, Table, identifier, literal, objects, text_lines
from detector.sources.files.json_items import Damage, items
from detector.sources.presets import Documents, Preset, UnknownItemError

_LOG = logging.getLogger(__name__)

NOT_DOCUMENT = f"{WHOLE_FILE}is not valid JSON"
NO_RECORDS = f"{WHOLE_FILE}has no records of the preset"
NO_MATCH = "line is not in the format of the preset"

_BATCH_ROWS = 20_000
_MOST_NAMES = 5
_PLACEHOLDER = re.compile(r"(\{[^}]*\})")
_ALTERNATIVES = re.compile(r"\{/[^|{}?]+(\?[^|{}?]+)?(\|/[^|{}?]+(\?[^|{}?]+)?)*\}")
_UUID = "-".join(f"[0-9a-fA-F]{{{length}}}" for length in (8, 4, 4, 4, 12))
_IDENTIFIERS = rf"/(?:\d+|{_UUID})(/|$)"
_ABSOLUTE = r"^(\S+ )?[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*"

TWO_KEYS = "two different keys in one request, the first counts"
_NOTE = "note"
"""The column of what there is to tell of a request that counts, or null."""

_SCHEMES = r"^((?i:bearer|apikey|token)(\s+|$))+"
_BASIC = r"^(?i:basic)\s+"
_LISTED_KEYS = r"([A-Za-z]+\s+)?[^\s,=\"]+=*(, ([A-Za-z]+\s+)?[^\s,=\"]+=*)+"
"""Keys that a server joined, because a request has the same header several times. Parameters of a scheme such as
``Digest username="a", realm="b"`` are no keys."""

MACROS = (
    # Percent encoding as servers read it; the text itself where the encoding is wrong.
    "CREATE OR REPLACE MACRO unescaped(value) AS coalesce(TRY(url_decode(replace(value, '+', ' '))), value)",
    # All values of a query parameter, in order. ``pattern`` finds them where nothing is encoded, which is fast.
    """CREATE OR REPLACE MACRO query_values(url, parameter, pattern) AS CASE
        WHEN NOT contains(url, '?') THEN []
        WHEN contains(url, '%') OR contains(url, '+') THEN
            [unescaped(substr(part, strpos(part, '=') + 1))
             FOR part IN string_split(split_part(substr(url, strpos(url, '?') + 1), '#', 1), '&')
             IF contains(part, '=') AND unescaped(split_part(part, '=', 1)) = parameter]
        ELSE regexp_extract_all('&' || split_part(substr(url, strpos(url, '?') + 1), '#', 1), pattern, 1) END""",
    # All values of a header. Loggers write several values as an array, or joined with commas.
    f"""CREATE OR REPLACE MACRO header_values(value) AS CASE
        WHEN value IS NULL THEN []
        WHEN starts_with(value, '["') AND json_valid(value) THEN json_extract_string(value, '$[*]')
        WHEN contains(value, ', ') AND regexp_full_match(value, {literal(_LISTED_KEYS)})
            THEN string_split(value, ', ')
        ELSE [value] END""",
    # A key without its authorization scheme. Basic credentials stay together, because who verifies them says
    # which part is the key; their scheme marks that their end is the end of a password.
    f"""CREATE OR REPLACE MACRO key_in(value) AS trim(CASE lower(left(ltrim(value), 5))
        WHEN 'basic' THEN regexp_replace(ltrim(value), {literal(_BASIC)}, 'Basic ')
        WHEN 'beare' THEN regexp_replace(ltrim(value), {literal(_SCHEMES)}, '')
        WHEN 'token' THEN regexp_replace(ltrim(value), {literal(_SCHEMES)}, '')
        WHEN 'apike' THEN regexp_replace(ltrim(value), {literal(_SCHEMES)}, '')
        ELSE value END)""",
    # The keys in some values. DuckDB computes an argument of ``nullif`` twice, so it is not used here.
    """CREATE OR REPLACE MACRO keys_in(found) AS
        list_filter([key_in(value) FOR value IN found], lambda value: value NOT IN ('', '-'))""",
)
"""The functions that the relations of this module need."""


def preset_table(preset: Preset, files: tuple[str, ...]) -> Table:
    """The files as a table in the format of the preset."""
    if preset.documents is not None:
        return DocumentTable(files, preset, preset.documents)
    if preset.line is not None:
        return TextRecords(files, preset)
    return JsonRecords(files, preset)


def with_columns(preset: Preset, columns: Mapping[str, str], source: str) -> Preset:
    """The preset with the templates of some columns replaced. Raises SourceError for a wrong template."""
    for name, template in columns.items():
        placeholders = _PLACEHOLDER.findall(template)
        if not placeholders or not all(_ALTERNATIVES.fullmatch(placeholder) for placeholder in placeholders):
            raise SourceError(
                f"source {source}: source.columns.{name} is '{template}', but with a preset it must be a template "
                f"such as {{/member}} or {{/url?parameter}}; write one, or remove it to use the preset's own"
            )
    changed = replace(preset, columns={**preset.columns, **columns})
    if changed.line is not None:
        groups = _groups(changed)
        unknown = [path for path in _paths(changed, changed.columns) if path[1:] not in groups]
        if unknown:
            known = ", ".join(f"/{name}" for name in groups)
            raise SourceError(
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
        return _columns(self.preset)

    def relation(self, wanted: Mapping[str, str]) -> str:
        """The values of every line."""
        # One json_extract_string for all members parses each line once.
        paths = list(_paths(self.preset, wanted))
        members = {path: f"members[{position}]" for position, path in enumerate(paths, start=1)}
        pointers = ", ".join(map(literal, paths))
        return f"""
            SELECT file, broken, CASE WHEN broken IS NOT NULL THEN line END AS raw_text
                   {_values(self.preset, wanted, members.__getitem__)}
            FROM (SELECT file, line, CASE WHEN document IS NULL THEN {literal(NOT_JSON)} END AS broken,
                         json_extract_string(document, [{pointers}]) AS members
                  FROM {objects(self.files)})"""

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Register the functions of the relation."""
        _register_functions(connection)


@dataclass(frozen=True)
class TextRecords:
    """Lines of text that match a regular expression."""

    by_line: ClassVar[bool] = True
    files: tuple[str, ...]
    preset: Preset

    @property
    def columns(self) -> Mapping[str, str]:
        """The columns of the preset, by our own names."""
        return _columns(self.preset)

    def relation(self, wanted: Mapping[str, str]) -> str:
        """The values of every line."""
        # One regexp_extract for all groups matches each line once. Where a line does not match, all groups are
        # empty; the first group of a matching line never is.
        groups = _groups(self.preset)
        listed = ", ".join(map(literal, groups))
        return f"""
            SELECT file, broken, CASE WHEN broken IS NOT NULL THEN line END AS raw_text
                   {_values(self.preset, wanted, lambda path: f"members.{identifier(path[1:])}")}
            FROM (SELECT *, CASE WHEN members.{identifier(groups[0])} = '' THEN {literal(NO_MATCH)} END AS broken
                  FROM (SELECT file, line,
                               regexp_extract(line, {literal(str(self.preset.line))}, [{listed}]) AS members
                        FROM {text_lines(self.files, skip=0)}))"""

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Register the functions of the relation."""
        _register_functions(connection)


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
        description = _template_sql(self.preset.description, lambda text: _first_value(text, members.__getitem__))
        return f"""
            SELECT file, broken, CASE WHEN broken IS NULL THEN {description} ELSE found END AS raw_text
                   {_values(self.preset, wanted, members.__getitem__)}
            FROM records"""

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Register the functions of the relation, and the records as a stream of batches of bounded size."""
        names = ["file", "broken", "found", *(f"member_{number}" for number in range(len(self._pointers)))]
        schema = pa.schema([(name, pa.string()) for name in names])
        _register_functions(connection)
        connection.register("records", pa.RecordBatchReader.from_batches(schema, self._batches(schema)))

    @property
    def _pointers(self) -> list[str]:
        templates = {**self.preset.columns, "description": self.preset.description}
        return list(_paths(replace(self.preset, columns=templates), templates))

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


def _key_template(preset: Preset, template: str, member: Callable[[str], str]) -> str:
    """The SQL of the key; null where it is what the log writes for requests without a key."""
    key = _template_sql(template, lambda placeholder: _key(preset, placeholder, member))
    for path in preset.no_key:
        key = f"nullif({key}, {member(path)})"
    return key


def _columns(preset: Preset) -> dict[str, str]:
    """The columns of the preset, by our own names, and the note."""
    columns = dict.fromkeys(preset.columns, "VARCHAR")
    if preset.clear_keys:
        columns[_NOTE] = "VARCHAR"
    return columns


def _register_functions(connection: duckdb.DuckDBPyConnection) -> None:
    for macro in MACROS:
        connection.execute(macro)


def _paths(preset: Preset, columns: Iterable[str]) -> dict[str, None]:
    """The JSON pointers in the templates of these columns of the preset, each once."""
    paths = dict.fromkeys(preset.no_key if "key_id" in columns else ())
    for name in columns:
        template = preset.columns["key_id" if name == _NOTE else name]
        for placeholder in _PLACEHOLDER.findall(template):
            for path, _ in _alternatives(placeholder):
                paths[path] = None
    return paths


def _values(preset: Preset, wanted: Mapping[str, str], member: Callable[[str], str]) -> str:
    """The SQL of the wanted columns. An endpoint has no host and no query, a key no authorization scheme."""
    values = {}
    for name, theirs in wanted.items():
        if name == _NOTE:
            values[name] = _note(preset, member)
        elif name == "key_id" and preset.clear_keys:
            values[name] = _key_template(preset, preset.columns[theirs], member)
        else:
            values[name] = _template_sql(preset.columns[theirs], lambda text: _first_value(text, member))
    if "endpoint" in values:
        values["endpoint"] = _path_of(values["endpoint"])
    return "".join(f", {value} AS {name}" for name, value in values.items())


def _path_of(endpoint: str) -> str:
    """The SQL of an endpoint without scheme, host and query string, and with the commonest ids folded."""
    path = f"split_part(split_part({endpoint}, '?', 1), '#', 1)"
    # A request to a proxy names the whole URL.
    path = rf"regexp_replace({path}, {literal(_ABSOLUTE)}, '\1')"
    # The aggregation folds all ids in paths. The commonest ones are folded here already: otherwise DuckDB would
    # count each id as an endpoint of its own. Two rounds, since neighbouring ids share a slash.
    for _ in range(2):
        path = rf"regexp_replace({path}, {literal(_IDENTIFIERS)}, '/{{id}}\1', 'g')"
    return path


def _template_sql(template: str, value_of: Callable[[str], str]) -> str:
    """The SQL of a template's value; ``value_of`` gives the SQL of the value of a placeholder.

    A value is null where all its placeholders are missing; a single missing placeholder becomes ``?``.
    """
    pieces = [piece for piece in _PLACEHOLDER.split(template) if piece]
    placeholders = {piece: value_of(piece) for piece in pieces if piece.startswith("{")}
    if len(pieces) == 1:
        return placeholders[template]
    parts = []
    for piece in pieces:
        if piece in placeholders:
            parts.append(f"coalesce({placeholders[piece]}, '?')")
        else:
            parts.append(literal(piece))
    joined = " || ".join(parts)
    return f"CASE WHEN coalesce({', '.join(placeholders.values())}) IS NOT NULL THEN {joined} END"


def _alternatives(placeholder: str) -> list[tuple[str, str]]:
    """The alternatives in ``{...}``: the pointer to a member, and the query parameter in it or nothing."""
    found = []
    for alternative in placeholder[1:-1].split("|"):
        path, _, parameter = alternative.partition("?")
        found.append((path, parameter))
    return found


def _first_value(placeholder: str, member: Callable[[str], str]) -> str:
    """The SQL of the first alternative in ``{...}`` that has a value."""
    values = []
    for path, parameter in _alternatives(placeholder):
        text = f"{_query_values(member(path), parameter)}[1]" if parameter else member(path)
        # Most logs write a dash for a missing value.
        values.append(f"nullif(nullif({text}, ''), '-')")
    return f"coalesce({', '.join(values)})"


def _query_values(url: str, parameter: str) -> str:
    pattern = f"&{re.escape(parameter)}=([^&]*)"
    return f"query_values({url}, {literal(parameter)}, {literal(pattern)})"


def _key(preset: Preset, placeholder: str, member: Callable[[str], str]) -> str:
    """The SQL of the key in ``{...}``: what the gateway verified, or else the first of the keys that were sent."""
    verified, sent = _verified_and_sent(preset, placeholder)
    values = [_first_value(verified, member)] if verified else []
    for keys in _sent_keys(sent, member) if sent else []:
        values.append(f"{keys}[1]")
    return f"coalesce({', '.join(values)})"


def _note(preset: Preset, member: Callable[[str], str]) -> str:
    """The SQL of the note: a request with several keys that differ, none of them verified, has one.

    A caller could otherwise choose in silence who is counted.
    """
    conditions = ["false"]
    for placeholder in _PLACEHOLDER.findall(preset.columns["key_id"]):
        verified, sent = _verified_and_sent(preset, placeholder)
        if not sent:
            continue
        differ = f"len(list_distinct(flatten([{', '.join(_sent_keys(sent, member))}]))) > 1"
        conditions.append(f"({_first_value(verified, member)} IS NULL AND {differ})" if verified else differ)
    return f"CASE WHEN {' OR '.join(conditions)} THEN {literal(TWO_KEYS)} END"


def _verified_and_sent(preset: Preset, placeholder: str) -> tuple[str, str]:
    """Two placeholders: of the first alternatives, as far as the gateway verified them, and of the others.

    Each may be empty.
    """
    alternatives = placeholder[1:-1].split("|")
    verified = list(takewhile(lambda alternative: _is_verified(preset, alternative), alternatives))
    sent = alternatives[len(verified) :]
    return _placeholder_of(verified), _placeholder_of(sent)


def _placeholder_of(alternatives: Sequence[str]) -> str:
    return f"{{{'|'.join(alternatives)}}}" if alternatives else ""


def _is_verified(preset: Preset, alternative: str) -> bool:
    return any(alternative == path or alternative.startswith(f"{path}/") for path in preset.verified)


def _sent_keys(placeholder: str, member: Callable[[str], str]) -> list[str]:
    """The SQL of the list of the keys at each alternative in ``{...}``."""
    lists = []
    for path, parameter in _alternatives(placeholder):
        values = _query_values(member(path), parameter) if parameter else f"header_values({member(path)})"
        lists.append(f"keys_in({values})")
    return lists

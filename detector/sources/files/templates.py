"""Templates: the SQL by which DuckDB takes the columns of a preset from the members of a record.

The caller gives the SQL of the text at a JSON pointer, so these functions do not know how records are stored.

Nobody but a gateway knows whose request it is. Where only the caller says so, and says two different things, the
first counts and a note tells of it; a caller could otherwise choose in silence who is counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import takewhile

import duckdb

from detector.sources.files.formats import literal
from detector.sources.presets import Preset

Member = Callable[[str], str]
"""Gives the SQL of the text at a JSON pointer."""

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
_COMMA = " *, *"
_LISTED_KEYS = rf"([A-Za-z]+\s+)?[^\s,=\"]+=*({_COMMA}([A-Za-z]+\s+)?[^\s,=\"]+=*)+"
"""Keys that a server joined, because a request has the same header several times. Parameters of a scheme such as
``Digest username="a", realm="b"`` are no keys."""

_MACROS = (
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
        WHEN contains(value, ',') AND regexp_full_match(value, {literal(_LISTED_KEYS)})
            THEN string_split_regex(value, {literal(_COMMA)})
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


def is_template(text: str) -> bool:
    """Whether a text has placeholders, and all of them are written correctly."""
    placeholders = _PLACEHOLDER.findall(text)
    return bool(placeholders) and all(_ALTERNATIVES.fullmatch(placeholder) for placeholder in placeholders)


def columns_of(preset: Preset) -> dict[str, str]:
    """The columns of the preset, by our own names, and the note."""
    columns = dict.fromkeys(preset.columns, "VARCHAR")
    if preset.clear_keys:
        columns[_NOTE] = "VARCHAR"
    return columns


def register_functions(connection: duckdb.DuckDBPyConnection) -> None:
    """Give a connection the functions that the SQL of this module needs."""
    for macro in _MACROS:
        connection.execute(macro)


def pointers_in(preset: Preset, columns: Iterable[str]) -> dict[str, None]:
    """The JSON pointers in the templates of these columns of the preset, each once."""
    paths: dict[str, None] = {}
    if "key_id" in columns:
        paths |= dict.fromkeys(text for text in preset.no_key if text.startswith("/"))
    for name in columns:
        template = preset.columns["key_id" if name == _NOTE else name]
        for placeholder in _PLACEHOLDER.findall(template):
            for path, _ in _alternatives(placeholder):
                paths[path] = None
    return paths


def value_columns(preset: Preset, wanted: Mapping[str, str], member: Member) -> str:
    """The SQL of the wanted columns. An endpoint has no host and no query, a key no authorization scheme."""
    values = {}
    for name, theirs in wanted.items():
        if name == _NOTE:
            values[name] = _note(preset, member)
        elif name == "key_id" and preset.clear_keys:
            values[name] = _key_template(preset, preset.columns[theirs], member)
        else:
            values[name] = text_of(preset.columns[theirs], member)
    if "endpoint" in values:
        values["endpoint"] = _path_of(values["endpoint"])
    return "".join(f", {value} AS {name}" for name, value in values.items())


def text_of(template: str, member: Member) -> str:
    """The SQL of the text that a template makes."""
    return _template_sql(template, lambda placeholder: _first_value(placeholder, member))


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


def _key_template(preset: Preset, template: str, member: Member) -> str:
    """The SQL of the key; null where it is what the log writes for requests without a key."""
    key = _template_sql(template, lambda placeholder: _key(preset, placeholder, member))
    for text in preset.no_key:
        key = f"nullif({key}, {member(text) if text.startswith('/') else literal(text)})"
    return key


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


def _first_value(placeholder: str, member: Member) -> str:
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


def _key(preset: Preset, placeholder: str, member: Member) -> str:
    """The SQL of the key in ``{...}``: what the gateway verified, or else the first of the keys that were sent."""
    verified, sent = _verified_and_sent(preset, placeholder)
    values = [_first_value(verified, member)] if verified else []
    for keys in _sent_keys(sent, member) if sent else []:
        values.append(f"{keys}[1]")
    return f"coalesce({', '.join(values)})"


def _note(preset: Preset, member: Member) -> str:
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


def _sent_keys(placeholder: str, member: Member) -> list[str]:
    """The SQL of the list of the keys at each alternative in ``{...}``."""
    lists = []
    for path, parameter in _alternatives(placeholder):
        values = _query_values(member(path), parameter) if parameter else f"header_values({member(path)})"
        lists.append(f"keys_in({values})")
    return lists

"""Known log formats. A preset is one small file that says how to read one, and one line in ``PRESETS``.

A log format is data, not code: a preset maps our columns to templates over a record. CloudTrail alone also needs
code, because a rule and not a place in the record says whose event it is.
``files.preset_tables`` alone knows how records are stored in a file (a line of JSON, a line of text under
one regular expression, a document with a list). Users override single columns in the same template
language, so a key in another header needs no new preset.

The key of a preset is the credential that the gateway verified, where its log has one. A preset names an event id
only where callers cannot choose it. Otherwise a caller who repeats an id hides requests. Therefore the preset for
API Gateway takes the extended request id and not the plain one, and the preset for Envoy takes no request id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from detector.boundary.plugins import load_plug_in
from detector.config.plugins import PRESETS


@dataclass(frozen=True)
class Documents:
    """How records lie in files of JSON that are not one record a line.

    ``lists`` are the members of an object that hold a list of records. ``record`` gives the record that an item
    of such a file holds. It is None for an item that is known and holds no request, and raises
    ``UnknownItemError`` for any other. A file whose path contains one of ``passed_over`` is known to hold no
    request, and is not opened.
    """

    lists: tuple[str, ...]
    record: Callable[[Any], Mapping[str, Any] | None]
    passed_over: tuple[str, ...] = ()


class UnknownItemError(Exception):
    """An item of a file that is not in the format of the preset."""


@dataclass(frozen=True)
class Preset:
    """A log format: one record a line, or files of JSON with records in lists.

    ``line`` is a regular expression that matches a line of text. Its named groups are the members of the record;
    the first group must not be empty. Without ``line`` and ``documents``, a line is a JSON object.

    ``columns`` maps our column names to templates. In a template, ``{/a/b|/c}`` is the value of the first of
    these JSON pointers that the record has, and ``{/url?name}`` is a query parameter of the URL in ``/url``. All
    other text is literal. A column is missing where all its placeholders are missing. A dash is a missing value,
    because most logs write one.

    ``verified`` are members that hold what the gateway verified or made itself; other members may hold what a
    caller chose to send. A key that is not verified counts with a note where the request has another one.
    ``no_key`` are what the log writes in the place of the key of a request without one: texts, or the pointers to
    members.

    ``secret`` is true for a log that holds keys in clear. ``clear_keys`` is false for a log that never holds one,
    in no member; then a configured template for the key needs no protection either. ``description`` is the
    template of the sample that a report shows of a record that cannot be used. Only texts that look like secrets
    are masked in it.
    """

    columns: Mapping[str, str]
    line: str | None = None
    documents: Documents | None = None
    verified: tuple[str, ...] = ()
    no_key: tuple[str, ...] = ()
    secret: bool = False
    clear_keys: bool = True
    description: str = ""


def preset_named(name: str) -> Preset:
    """The preset of this name. Raises KeyError for an unknown name."""
    preset: Preset = load_plug_in(PRESETS, name)
    return preset

"""Known log formats. A preset is one small file that says how to read one, and one line in ``PRESETS``.

A log format is data, not code: a preset maps our columns to templates over a record.
``files.preset_tables`` alone knows how records are stored in a file (a line of JSON, a line of text under
one regular expression, a document with a list). Users override single columns in the same template
language, so a key in another header needs no new preset.

A preset names an event id only where callers cannot choose it. Otherwise a caller who repeats an id hides
requests. Therefore the preset for API Gateway takes the extended request id and not the plain one, and the
preset for Envoy takes no request id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from detector.boundary.plugins import load_plug_in
from detector.config.plugins import PRESETS


@dataclass(frozen=True)
class Preset:
    """A log format: one record a line, or JSON documents that hold a list of records.

    A line is a JSON object, or text that matches the regular expression ``line``, whose named groups are
    then its members; the first group is never empty. With ``records``, files are whole JSON documents and
    this is their member with the list.

    ``columns`` maps our column names to templates. ``{/a/b|/c}`` stands for the first of these JSON pointers
    that is there, ``{/url?name}`` for a query parameter of the URL in ``/url``, and other text for itself;
    the value is missing where all its parts are. A dash is a missing value, as most logs write one.

    ``secret`` says that the log holds keys in clear. ``description`` is a template that says what a record of
    a document was; it is shown, unmasked but for tokens, where it cannot be used.
    """

    columns: Mapping[str, str]
    line: str | None = None
    records: str | None = None
    secret: bool = False
    description: str = ""


def preset_named(name: str) -> Preset:
    """The preset of this name; KeyError where there is none."""
    preset: Preset = load_plug_in(PRESETS, name)
    return preset

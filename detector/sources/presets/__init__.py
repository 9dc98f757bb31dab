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
    """A log format: one record a line, or JSON documents with a list of records.

    ``line`` is a regular expression that matches a line of text. Its named groups are the members of the record;
    the first group must not be empty. Without ``line``, a line is a JSON object. ``records`` is the member of a
    JSON document that holds the list of records.

    ``columns`` maps our column names to templates. In a template, ``{/a/b|/c}`` is the value of the first of
    these JSON pointers that the record has, and ``{/url?name}`` is a query parameter of the URL in ``/url``. All
    other text is literal. A column is missing where all its placeholders are missing. A dash is a missing value,
    because most logs write one.

    ``secret`` is true for a log that holds keys in clear. ``description`` is the template of the sample that a
    report shows of a record that cannot be used. Only texts that look like secrets are masked in it.
    """

    columns: Mapping[str, str]
    line: str | None = None
    records: str | None = None
    secret: bool = False
    description: str = ""


def preset_named(name: str) -> Preset:
    """The preset of this name. Raises KeyError for an unknown name."""
    preset: Preset = load_plug_in(PRESETS, name)
    return preset

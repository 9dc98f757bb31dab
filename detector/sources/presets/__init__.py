"""Known log formats. A preset is one small file that says how to read one, and one line in ``PRESETS``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

from detector.errors import SourceError

PRESETS = {"cloudtrail": "detector.sources.presets.cloudtrail:CLOUDTRAIL"}
"""Name in the configuration: where its ``Preset`` is."""


@dataclass(frozen=True)
class Preset:
    """A log format of JSON documents that hold a list of records.

    ``records`` is the document's member with the list. ``columns`` maps our column names to templates:
    ``{/a/b|/c}`` stands for the first of these JSON pointers that is there, other text for itself; the
    value is missing where all its parts are. ``description`` is a template that says what a record was;
    it is shown, unmasked but for tokens, where a record cannot be used.
    """

    records: str
    columns: Mapping[str, str]
    description: str


def preset_named(name: str) -> Preset:
    """The preset of this name; SourceError where there is none."""
    if name not in PRESETS:
        raise SourceError(f"source.preset: there is no preset '{name}'; known: {', '.join(sorted(PRESETS))}")
    module, constant = PRESETS[name].split(":")
    preset: Preset = getattr(import_module(module), constant)
    return preset

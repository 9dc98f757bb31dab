"""Columns: what a source's columns are called, checked against what is really there."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from detector.boundary.suggestions import did_you_mean
from detector.config.source import REGISTER_FIELDS, USAGE_FIELDS, SourceBase
from detector.model.errors import SourceError

REQUIRED = {"events": ("timestamp", "key_id"), "daily": ("day", "key_id")}
FALSE_TEXTS = ("", "0", "0.0", "f", "false", "n", "no", "none", "null", "off", "-")
"""What an ``error`` column says where there was none; anything else is an error."""


def usage_columns(
    config: SourceBase, available: Collection[str], place: str, listed: bool = True
) -> dict[str, str]:
    """Our name of a usage column: theirs. Mapped and required columns must be there, others may be.

    Columns of the register in the map do not count here. An error names the columns that there are where
    they may be ``listed``; in a file without a header they are its first row.
    """
    mapped = {name: theirs for name, theirs in config.columns.items() if name in USAGE_FIELDS[config.shape]}
    wanted = {**{name: name for name in REQUIRED[config.shape]}, **mapped}
    _demand(wanted, available, place, config.name, listed)
    return {name: name for name in USAGE_FIELDS[config.shape] if name in available} | wanted


def register_columns(
    config: SourceBase, available: Collection[str], place: str, listed: bool = True
) -> dict[str, str]:
    """Our name of a register column: theirs.

    The key id may carry the name it has in the usage, or plain ``key_id``.
    """
    mapped = {name: theirs for name, theirs in config.columns.items() if name in REGISTER_FIELDS}
    if mapped.get("key_id") not in available and "key_id" in available:
        mapped["key_id"] = "key_id"
    wanted = {"key_id": "key_id", **mapped}
    _demand(wanted, available, place, config.name, listed)
    return {name: name for name in REGISTER_FIELDS if name in available} | wanted


def missing(
    name: str, theirs: str, available: Collection[str], place: str, source: str, listed: bool = True
) -> SourceError:
    """The error for a column that is not there: which, where, and what may have been meant."""
    hint = did_you_mean(theirs, available) if listed else ""
    there = f". It has: {', '.join(sorted(available)) or 'none'}" if listed else ""
    return SourceError(
        f"source {source}: {place} has no column '{theirs}' for {name}"
        f"{hint}; name the right one under source.columns.{name}{there}"
    )


def _demand(wanted: Mapping[str, str], available: Collection[str], place: str, source: str, listed: bool) -> None:
    for name, theirs in wanted.items():
        if theirs not in available:
            raise missing(name, theirs, available, place, source, listed)

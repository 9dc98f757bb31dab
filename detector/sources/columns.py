"""Columns: the configured names of a source's columns, checked against the columns that the source has."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from detector.boundary.suggestions import did_you_mean
from detector.config.source import REGISTER_FIELDS, USAGE_FIELDS, SourceBase
from detector.model.errors import MisconfiguredSourceError

REQUIRED = {"events": ("timestamp", "key_id"), "daily": ("day", "key_id")}

ONLY_CONFIGURED = frozenset({"event_id"})
"""Columns that are read only where the configuration names them: elsewhere the same name may mean a type of event,
and its rows would count as repeats."""


def usage_columns(
    config: SourceBase, available: Collection[str], table_name: str, listed: Collection[str] | None = None
) -> dict[str, str]:
    """The table's name of every usage column, by our name.

    Raises MisconfiguredSourceError for a required or configured column that the table does not have. Other
    columns are optional. ``available`` are the columns that can be read, ``listed`` those that the error may name
    (None: the same). A file whose first row may hold keys in clear instead of a header lists none.
    """
    # ``source.columns`` also has the columns of the register, which are not checked here.
    configured = {name: theirs for name, theirs in config.columns.items() if name in USAGE_FIELDS[config.shape]}
    required = {name: name for name in REQUIRED[config.shape]}
    wanted = required | configured
    _check(wanted, available, table_name, config.name, listed, "source.columns")
    optional = [name for name in USAGE_FIELDS[config.shape] if name in available and name not in ONLY_CONFIGURED]
    return {name: name for name in optional} | wanted


def register_columns(
    config: SourceBase, available: Collection[str], table_name: str, listed: Collection[str] | None = None
) -> dict[str, str]:
    """The table's name of every register column, by our name. Raises an error as ``usage_columns`` does."""
    configured = config.columns_of_register
    # The name of the key id in ``source.columns`` may be that of the usage only.
    is_shared = "key_id" not in config.key_columns
    if is_shared and configured.get("key_id") not in available and "key_id" in available:
        configured["key_id"] = "key_id"
    wanted = {"key_id": "key_id"} | configured
    _check(wanted, available, table_name, config.name, listed, "source.key_columns")
    return {name: name for name in REGISTER_FIELDS if name in available} | wanted


def _check(
    wanted: Mapping[str, str],
    available: Collection[str],
    table_name: str,
    source: str,
    listed: Collection[str] | None,
    setting: str,
) -> None:
    if listed is None:
        listed = available
    for name, theirs in wanted.items():
        if theirs in available:
            continue
        hint = ""
        columns = ""
        if listed:
            hint = did_you_mean(theirs, listed)
            columns = f". It has: {', '.join(sorted(listed))}"
        raise MisconfiguredSourceError(
            f"source {source}: {table_name} has no column '{theirs}' for {name}{hint}; "
            f"set {setting}.{name} to the right name{columns}"
        )

"""Where usage comes from. A source is one file here and one line in ``SOURCES``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from importlib import import_module
from typing import Any, Protocol

import pandas as pd

from detector.model import Fault

SOURCES = {
    "files": "detector.sources.files:FilesReader",
    "sql": "detector.sources.sql:SqlReader",
}
"""Kind in the configuration: where its class is."""


class Source(Protocol):
    """A place that holds usage. Every method raises SourceError with what, where and what to do."""

    def keys(self) -> pd.DataFrame:
        """The key register in ``REGISTER`` columns, revoked keys included; no rows where there is none."""

    def usage(self, first: date, last: date) -> Iterator[tuple[date, pd.DataFrame]]:
        """``MEASURED`` records of every night from first to last, both included, in order."""

    def faults(self, night: date) -> tuple[Fault, ...]:
        """What could not be used of a night that ``usage`` has yielded, and of the register read before."""

    def watermark(self) -> datetime | None:
        """How far the source's data reach: its latest usable instant, None where it holds nothing."""

    def activity_before(self, night: date) -> pd.DataFrame:
        """key_id, first_seen, last_seen of all use before a night, as far back as the source reaches."""


def open_source(config: Any, timezone: Any) -> Source:
    """The source that the configuration's ``source`` section describes."""
    module, name = SOURCES[config.kind].split(":")
    source: Source = getattr(import_module(module), name)(config, timezone)
    return source

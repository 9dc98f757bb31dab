"""Where usage comes from: files, databases and by-key endpoints.

A source is one room here and one line in ``SOURCES``. Here belongs everything that reads from the outside,
and the pull that stores what was read. What the usage means does not belong here. The rooms ``files``,
``sql`` and ``http`` do not import one another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, Protocol, runtime_checkable

import pandas as pd

from detector.boundary.plugins import load_plug_in
from detector.model.usage import Fault

SOURCES = {
    "files": "detector.sources.files.reader:FilesReader",
    "http": "detector.sources.http.reader:HttpReader",
    "sql": "detector.sources.sql.reader:SqlReader",
}
"""Kind in the configuration: where its class is."""


class Source(Protocol):
    """A place that holds usage. Every method raises SourceError with what, where and what to do."""

    def columns(self) -> Mapping[str, str]:
        """Our name of each column that usage is read from: what it is called there."""

    def keys(self) -> pd.DataFrame:
        """The key register in ``REGISTER`` columns, revoked keys included; no rows where there is none."""

    def usage(self, first: date, last: date) -> Iterator[tuple[date, pd.DataFrame]]:
        """``MEASURED`` records of the days from first to last, both included, in order.

        A day that the source cannot tell about is left out; one without requests is an empty frame.
        """

    def faults(self, day: date) -> tuple[Fault, ...]:
        """What could not be used of a day that ``usage`` has yielded, and of the register read before."""

    def watermark(self) -> datetime | None:
        """How far the source's data reach: its latest usable instant, None where it holds nothing."""

    def activity_before(self, day: date) -> pd.DataFrame:
        """key_id, first_seen, last_seen of all use before a day, as far back as the source reaches."""


@runtime_checkable
class NightlyRegister(Protocol):
    """A source whose answer for a day names the keys that existed by its end."""

    def keys_of(self, day: date) -> pd.DataFrame:
        """The register that came with a day which ``usage`` has yielded last."""


@runtime_checkable
class LimitedSource(Protocol):
    """A source that can say what it does not guarantee."""

    def not_guaranteed(self) -> tuple[str, ...]:
        """What is not guaranteed of the way it is read, each as the end of a sentence: that ..."""


def open_source(config: Any, timezone: Any) -> Source:
    """The source that the configuration's ``source`` section describes."""
    source: Source = load_plug_in(SOURCES, config.kind)(config, timezone)
    return source

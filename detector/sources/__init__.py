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

from detector.boundary.instants import Clock, utc_now
from detector.boundary.plugins import load_plug_in
from detector.model.usage import Accounting, Fault
from detector.sources.timeline import Timeline

SOURCES = {
    "files": "detector.sources.files.reader:FilesReader",
    "http": "detector.sources.http.reader:HttpReader",
    "sql": "detector.sources.sql.reader:SqlReader",
}
"""``source.kind``: the module and class of the source."""


class Source(Protocol):
    """A place that holds usage. Every method raises SourceError, which says what failed, where and what to do."""

    def columns(self) -> Mapping[str, str]:
        """The source's name of every column that usage is read from, by our name."""

    def keys(self) -> pd.DataFrame:
        """The key register in ``REGISTER`` columns, with revoked keys; no rows without a register."""

    def usage(self, first: date, last: date) -> Iterator[tuple[date, pd.DataFrame]]:
        """``MEASURED`` records of the days from first to last, both included, in order.

        A day for which the source has no data is left out. A day without requests is an empty frame.
        """

    def faults(self, day: date) -> tuple[Fault, ...]:
        """The faults of a day that ``usage`` has yielded, and of the register that was read before."""

    def accounting(self, day: date) -> Accounting:
        """What became of the records of a day that ``usage`` has yielded, those without a day excepted."""

    def watermark(self) -> datetime | None:
        """The instant of the latest record, never beyond now; None where the source has none."""

    def timeline(self, first: date, last: date) -> Timeline | None:
        """When the records lie, at least those of the days from first to last; None where the source tells only
        the day of a record."""

    def activity_before(self, day: date) -> pd.DataFrame:
        """key_id, first_seen and last_seen of every key used before a day, from all data of the source."""


@runtime_checkable
class DailyRegister(Protocol):
    """A source that gives a register with every day: the keys that existed by the end of the day."""

    def keys_of(self, day: date) -> pd.DataFrame:
        """The register of the day that ``usage`` yielded last."""


@runtime_checkable
class LimitedSource(Protocol):
    """A source that knows what it does not guarantee."""

    def not_guaranteed(self) -> tuple[str, ...]:
        """The guarantees that its sessions lack, each as the end of a sentence: that ..."""


def open_source(config: Any, timezone: Any, clock: Clock = utc_now) -> Source:
    """The source that the configuration's ``source`` section describes. ``clock`` gives the present instant."""
    source: Source = load_plug_in(SOURCES, config.kind)(config, timezone, clock)
    return source

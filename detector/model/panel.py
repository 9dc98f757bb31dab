"""The history of every key up to the evaluated day, as arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any, cast
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from detector.model.day import Day
from detector.model.usage import Accounting, Fault, Revision, Strangers


def row_of(frame: pd.DataFrame, key: str) -> pd.Series[Any]:
    """The one row of a frame that is indexed by key id."""
    return cast("pd.Series[Any]", frame.loc[key])


GROWN_DAYS = 28
"""A reference key is known for this many days, or for all days of a shorter history."""
REFERENCE_DAYS = 56
"""A reference key had an accepted request within this many days."""

MapReader = Callable[[str, Sequence[str]], list[dict[str, dict[str, int]]]]
"""``read(column, key_ids)`` returns one dictionary per day of the panel except the last, from key id to map. A key
without a map on a day has no entry."""


@dataclass(frozen=True)
class LostKeys:
    """The keys that the register held lately and does not hold on the evaluated day, not even as revoked ones."""

    keys: int
    of: int
    """The keys that the register held then."""


@dataclass(frozen=True)
class DailyCounts:
    """Requests by key and by endpoint or deployment: one sparse matrix (keys x ``names``) per day, in order.

    The evaluated day is last. A day without data is an empty matrix.
    """

    names: pd.Index
    days: list[csr_array]


@dataclass(frozen=True)
class Panel:
    """The history up to and including the evaluated day, as arrays of keys x days.

    ``days`` are consecutive days, and the evaluated day is the last one. ``known`` is False for a key on a day
    before the key existed. ``missing`` marks days with missing data; the zeros of these days mean nothing.
    ``records`` holds the rows of the evaluated day in the order of ``keys``. ``last_uses`` holds the fleet's last
    use within each day in UTC, NaT for a day without use.

    These functions read on demand. ``maps`` reads the endpoint and deployment maps of earlier days,
    ``endpoint_counts(count)`` the endpoint counts of all keys on the last ``count`` days, and
    ``deployment_counts(count)`` their deployment counts. ``trusted_before(day)`` reads the ids of the keys that
    were trusted on an earlier stored day. ``unreadable()`` gives the stored days that could not be read until
    now, each with the reason; a day is read as if it were not stored where its file is damaged.

    ``watermark``, ``pulled_at`` and ``faults`` are notes from the pull of the evaluated day. ``revisions`` lists
    the changes that this pull made to days stored before.
    """

    keys: pd.Index
    days: NDArray[np.datetime64]
    requests: NDArray[np.int64]
    errors: NDArray[np.int64]
    known: NDArray[np.bool_]
    missing: NDArray[np.bool_]
    records: pd.DataFrame
    last_uses: NDArray[np.datetime64]
    timezone: ZoneInfo
    maps: MapReader
    endpoint_counts: Callable[[int], DailyCounts]
    deployment_counts: Callable[[int], DailyCounts]
    lost_keys: LostKeys = LostKeys(0, 0)
    unreadable: Callable[[], Mapping[date, str]] = dict
    trusted_before: Callable[[date], frozenset[str]] = lambda day: frozenset()
    watermark: datetime | None = None
    pulled_at: datetime | None = None
    faults: tuple[Fault, ...] = ()
    revisions: tuple[Revision, ...] = ()
    accountings: tuple[Accounting | None, ...] = ()
    """What became of the records of each day, None where it is not known; empty where it is known of no day."""
    earlier_faults: tuple[tuple[Fault, ...] | None, ...] = ()
    """The faults of each day before the evaluated one, None where its accounting is not known."""
    strangers: Strangers = field(default_factory=Strangers)
    """The keys of the evaluated day that count together. They are none of ``keys``, and in none of the arrays."""

    @property
    def accounting(self) -> Accounting | None:
        """What became of the records of the evaluated day; None where it is not known."""
        return self.accountings[-1] if self.accountings else None

    @property
    def day(self) -> Day:
        """The evaluated day."""
        return Day(self.days[-1].item(), self.timezone)

    @property
    def weekdays(self) -> NDArray[np.int64]:
        """The weekday of each day, 0 for Monday."""
        since_1970: NDArray[np.int64] = self.days.astype("datetime64[D]").astype(np.int64)
        return (since_1970 + 3) % 7  # 1 January 1970 was a Thursday

    def record(self, key: str) -> pd.Series[Any]:
        """The row of one key on the evaluated day."""
        return row_of(self.records, key)

    @property
    def trusted(self) -> NDArray[np.bool_]:
        """The active keys of the register, or all active keys where there is no register."""
        registered = self.records["registered"].to_numpy(dtype=bool)
        trusted = self.records["active"].to_numpy(dtype=bool)
        return trusted & registered if registered.any() else trusted

    @cached_property
    def reference(self) -> NDArray[np.bool_]:
        """The keys that the statistics of the fleet rest on. Nobody outside can create one within four weeks.

        A reference key is trusted, the history knew it on each of the ``GROWN_DAYS`` before the evaluated day, and
        it had an accepted request on one of the ``REFERENCE_DAYS`` before it.
        """
        recent = slice(-1 - GROWN_DAYS, -1)
        grown = (self.known[:, recent] | self.missing[recent]).all(axis=1)
        before = slice(-1 - REFERENCE_DAYS, -1)
        accepted = ((self.requests[:, before] > self.errors[:, before]) & ~self.missing[before]).any(axis=1)
        reference: NDArray[np.bool_] = self.trusted & grown & accepted
        return reference

    @property
    def observed(self) -> NDArray[np.bool_]:
        """Keys x days: whether the key existed and the day has data, so that the count is an observation."""
        return self.known & ~self.missing[None, :]

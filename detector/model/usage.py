"""The columns of usage frames, and the records about their pull.

A *usage frame* is a pandas frame with one row per key. A source yields the columns of ``MEASURED``.
``aggregation.complete_day`` joins these with the register and the history to ``RECORD_COLUMNS``. Maps are
Arrow-backed columns (``map<string, int64>``), which keeps a hundred thousand of them small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

import pandas as pd
import pyarrow as pa

COUNT_MAP = pd.ArrowDtype(pa.map_(pa.string(), pa.int64()))
INSTANT = pd.ArrowDtype(pa.timestamp("us", tz="UTC"))
TEXT = pd.ArrowDtype(pa.string())
DAY = pd.ArrowDtype(pa.date32())

GROUP_COLUMNS = {
    "key_id": TEXT,
    "endpoint": TEXT,
    "deployment": TEXT,
    "request_count": "int64",
    "error_count": "int64",
    "last_used": INSTANT,
}
"""The result of an engine's GROUP BY for one day: one row per (key, endpoint, deployment)."""

MEASURED = {
    "key_id": TEXT,
    "request_count": "int64",
    "error_count": "int64",
    "endpoint_distribution": COUNT_MAP,
    "deployments": COUNT_MAP,
    "client_count": pd.ArrowDtype(pa.int64()),
    "last_used": INSTANT,
}
"""The columns that a source yields, one row per key with requests. ``last_used`` lies within the period.
``client_count`` is the number of distinct client addresses, null if the source does not give any."""

REGISTER = {
    "key_id": TEXT,
    "name": TEXT,
    "environment": TEXT,
    "team": TEXT,
    "application": TEXT,
    "organization": TEXT,
    "created_at": INSTANT,
    "revoked_at": INSTANT,
}
"""The columns of a key register. Only ``key_id`` is never null."""

KNOWN = {"first_seen": DAY, "last_seen": INSTANT, "longest_silence": "int64", "last_registered": DAY}
"""What was known about a key before a day: the day of its first use, the instant of its last use, its longest
silence in days, and the last day on which the register held it. Every stored day holds these columns, so that a
replay never uses later data."""

RECORD_COLUMNS = {
    **REGISTER,
    "registered": "bool",
    "active": "bool",
    **{name: kind for name, kind in MEASURED.items() if name != "key_id"},
    "last_activity": INSTANT,
    **KNOWN,
}
"""The columns of a stored day: one row per known key, and at most one for the strangers that count together
(``usage.strangers``), sorted by ``key_id``. The by-key answer consists of the ``active`` keys."""


FaultKind = Literal["unusable", "keyless", "repeated", "note"]
"""What became of the records that a fault is about: they could not be used, they have no key, they are repeats of
counted records, or they count with one of their values replaced (``note``)."""


@dataclass(frozen=True)
class Fault:
    """Records with the same defect, with a count and samples for the report.

    ``dated`` says whether the records belong to one day. Records without a usable time belong to the source as a
    whole, and every day that is pulled from the source repeats them. ``bytes`` is the size of text in which
    records cannot be told apart, otherwise 0.
    """

    reason: str
    count: int
    samples: tuple[str, ...] = ()
    dated: bool = True
    kind: FaultKind = "unusable"
    bytes: int = 0


@dataclass(frozen=True)
class Amount:
    """A number of records, and the bytes of the text in which records cannot be told apart (otherwise 0)."""

    records: int
    bytes: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.records + other.records, self.bytes + other.bytes)


@dataclass(frozen=True)
class Accounting:
    """What became of every record that a source holds of one day.

    ``counted`` records are in the usage of a key. ``keyless`` records name no key, ``repeated`` records are
    repeats of counted ones, and ``unusable`` records could not be used, by reason.
    """

    counted: int
    keyless: int = 0
    repeated: int = 0
    unusable: Mapping[str, Amount] = field(default_factory=dict)
    hours: tuple[int, ...] | None = None
    """The records of each of the 24 local hours; None where the source does not tell the hour."""

    @property
    def unusable_records(self) -> int:
        """The number of records that could not be used, for any reason."""
        return sum(amount.records for amount in self.unusable.values())

    @property
    def read(self) -> int:
        """The number of all records."""
        return self.counted + self.keyless + self.repeated + self.unusable_records

    def __add__(self, other: Accounting) -> Accounting:
        """The accounting of two periods together, without their hours."""
        unusable = dict(self.unusable)
        for reason, amount in other.unusable.items():
            unusable[reason] = unusable.get(reason, Amount(0)) + amount
        return Accounting(
            counted=self.counted + other.counted,
            keyless=self.keyless + other.keyless,
            repeated=self.repeated + other.repeated,
            unusable=unusable,
        )

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Accounting:
        """The accounting from the plain values of ``dataclasses.asdict``, as JSON gives them back."""
        unusable = {reason: Amount(**amount) for reason, amount in plain["unusable"].items()}
        hours = plain.get("hours")
        return cls(**{**plain, "unusable": unusable, "hours": None if hours is None else tuple(hours)})


@dataclass(frozen=True)
class Strangers:
    """The keys of a day that count together, and their requests."""

    keys: int = 0
    requests: int = 0


@dataclass(frozen=True)
class Revision:
    """The change of a stored day that was pulled again together with the day ``pulled_with``."""

    day: date
    pulled_with: date
    requests_before: int
    requests_after: int
    keys: int


MISSING_FILE = "no file of the day"
"""The beginning of the reason of every fault about missing files of the day."""

WHOLE_FILE = "file "
"""The beginning of the reason of every fault that counts files and not rows."""

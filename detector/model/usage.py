"""The records that every part passes on: days, usage, panels, findings, reports.

A *usage frame* is a pandas frame with one row per key. A source yields the columns of ``MEASURED``;
``aggregation.complete_day`` joins what the register and the history know and gives ``RECORD_COLUMNS``.
Maps are Arrow-backed columns (``map<string, int64>``), so a hundred thousand of them stay columnar.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

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
"""One row per (key, endpoint, deployment): what an engine's GROUP BY answers for one day."""

MEASURED = {
    "key_id": TEXT,
    "request_count": "int64",
    "error_count": "int64",
    "endpoint_distribution": COUNT_MAP,
    "deployments": COUNT_MAP,
    "client_count": pd.ArrowDtype(pa.int64()),
    "last_used": INSTANT,
}
"""What a source measures: one row per key that has requests. ``last_used`` lies within the period,
``client_count`` is the number of distinct client addresses (null where the source does not know)."""

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
"""What a key register says. Only ``key_id`` is never null."""

KNOWN = {"first_seen": DAY, "last_seen": INSTANT, "longest_silence": "int64"}
"""What was known of a key before a day: the day of its first use, the instant of its last use and
its longest silence in days. Frozen into every stored day, so that a replay never sees the future."""

RECORD_COLUMNS = {
    **REGISTER,
    "registered": "bool",
    "active": "bool",
    **{name: kind for name, kind in MEASURED.items() if name != "key_id"},
    "last_activity": INSTANT,
    **KNOWN,
}
"""A whole day: every key ever known, sorted by ``key_id``. ``active`` keys form the by-key answer."""


@dataclass(frozen=True)
class Fault:
    """Input that could not be used, counted and sampled instead of dropped in silence.

    ``dated`` tells whether the rows belong to one day; rows without a usable time belong to the
    source as a whole and are repeated with every day pulled from it.
    """

    reason: str
    count: int
    samples: tuple[str, ...] = ()
    dated: bool = True


@dataclass(frozen=True)
class Revision:
    """What a stored day became when it was pulled again together with the day ``pulled_with``."""

    day: date
    pulled_with: date
    requests_before: int
    requests_after: int
    keys: int


NO_KEY = "no key id"
"""How the reason of a fault begins that counts requests which carry no key, and so belong to none."""

MISSING_FILE = "no file of the day"
"""How the reason of a fault begins that counts files which should hold the day's requests and are not there."""

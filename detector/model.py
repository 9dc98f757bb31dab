"""The records that every part passes on: nights, usage, panels, findings, reports.

A *usage frame* is a pandas frame with one row per key. A source yields the columns of ``MEASURED``;
``aggregation.complete_night`` joins what the register and the history know and gives ``RECORD_COLUMNS``.
Maps are Arrow-backed columns (``map<string, int64>``), so a hundred thousand of them stay columnar.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, cast
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_array

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
"""One row per (key, endpoint, deployment): what an engine's GROUP BY answers for one night."""

MEASURED = {
    "key_id": TEXT,
    "request_count": "int64",
    "error_count": "int64",
    "endpoint_distribution": COUNT_MAP,
    "deployments": COUNT_MAP,
    "source_count": pd.ArrowDtype(pa.int64()),
    "last_used": INSTANT,
}
"""What a source measures: one row per key that has requests. ``last_used`` lies within the period,
``source_count`` is the number of distinct client addresses (null where the source does not know)."""

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
"""What was known of a key before a night: the night of its first use, the instant of its last use and
its longest silence in nights. Frozen into every stored night, so that a replay never sees the future."""

RECORD_COLUMNS = {
    **REGISTER,
    "registered": "bool",
    "active": "bool",
    **{name: kind for name, kind in MEASURED.items() if name != "key_id"},
    "last_activity": INSTANT,
    **KNOWN,
}
"""A whole night: every key ever known, sorted by ``key_id``. ``active`` keys form the by-key answer."""


class Severity(StrEnum):
    """How much a finding matters, least first."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info to 4 for critical."""
        return list(Severity).index(self)


class Status(StrEnum):
    """Where a finding stands in its life; the first four are open."""

    NEW = "new"
    REOPENED = "reopened"
    ESCALATED = "escalated"
    ONGOING = "ongoing"
    RESOLVED = "resolved"
    MUTED = "muted"

    @property
    def raised(self) -> bool:
        """Whether tonight is the night to say so (new, reopened or escalated)."""
        return self in (Status.NEW, Status.REOPENED, Status.ESCALATED)


@dataclass(frozen=True)
class Night:
    """One local day ``[00:00, 24:00)``; 23 or 25 hours long where the clocks change."""

    day: date
    timezone: ZoneInfo

    @property
    def start(self) -> datetime:
        """The first instant of the night, in UTC."""
        return datetime.combine(self.day, time(), self.timezone).astimezone(UTC)

    @property
    def end(self) -> datetime:
        """The first instant after the night, in UTC."""
        return Night(self.day + timedelta(days=1), self.timezone).start

    @classmethod
    def last_complete(cls, now: datetime, timezone: ZoneInfo) -> Night:
        """The night that ended most recently before ``now``."""
        return cls(now.astimezone(timezone).date() - timedelta(days=1), timezone)


@dataclass(frozen=True)
class Fault:
    """Input that could not be used, counted and sampled instead of dropped in silence.

    ``dated`` tells whether the rows belong to one night; rows without a usable time belong to the
    source as a whole and are repeated with every night pulled from it.
    """

    reason: str
    count: int
    samples: tuple[str, ...] = ()
    dated: bool = True


@dataclass(frozen=True)
class Revision:
    """What a stored night became when it was pulled again together with the night ``pulled_with``."""

    night: date
    pulled_with: date
    requests_before: int
    requests_after: int
    keys: int


NO_KEY = "no key id"
"""How the reason of a fault begins that counts requests which carry no key, and so belong to none."""

MISSING_FILE = "no file of the night"
"""How the reason of a fault begins that counts files which should hold the night's requests and are not there."""


def row_of(frame: pd.DataFrame, key: str) -> pd.Series[Any]:
    """The one row of a frame that is indexed by key id."""
    return cast("pd.Series[Any]", frame.loc[key])


MapReader = Callable[[str, Sequence[str]], list[dict[str, dict[str, int]]]]
"""``read(column, key_ids)``: per night of the panel but the last, key id to map; keys without one are left out."""


@dataclass(frozen=True)
class Mixes:
    """Requests by endpoint (or deployment): one sparse keys x endpoints matrix a night, in order.

    The judged night is last; a night nobody saw is an empty matrix.
    """

    endpoints: pd.Index
    nights: list[csr_array]


@dataclass(frozen=True)
class Panel:
    """The history up to and including the judged night, as arrays of keys x nights.

    ``nights`` are consecutive days, the judged one last. ``known`` is False where a key did not exist
    yet; ``missing`` marks nights that nobody saw: their zeros mean nothing. ``records`` holds the judged
    night's rows in the order of ``keys``. ``maps`` reads the endpoint and deployment maps of earlier
    nights on demand, ``mixes(count)`` the endpoint counts of all keys on the last ``count`` nights and
    ``places(count)`` their counts by deployment. ``last_uses`` holds the fleet's last use within each night
    (NaT where none); ``watermark``, ``pulled_at`` and ``faults`` are what the pull of the judged night noted,
    and ``revisions`` what that pull changed of nights stored before.
    """

    keys: pd.Index
    nights: NDArray[np.datetime64]
    requests: NDArray[np.int64]
    errors: NDArray[np.int64]
    known: NDArray[np.bool_]
    missing: NDArray[np.bool_]
    records: pd.DataFrame
    last_uses: NDArray[np.datetime64]
    timezone: ZoneInfo
    maps: MapReader
    mixes: Callable[[int], Mixes]
    places: Callable[[int], Mixes]
    watermark: datetime | None = None
    pulled_at: datetime | None = None
    faults: tuple[Fault, ...] = ()
    revisions: tuple[Revision, ...] = ()

    @property
    def night(self) -> Night:
        """The judged night."""
        return Night(self.nights[-1].item(), self.timezone)

    def record(self, key: str) -> pd.Series[Any]:
        """The judged night's row of one key."""
        return row_of(self.records, key)

    @property
    def observed(self) -> NDArray[np.bool_]:
        """Keys x nights: the key existed and the night was seen, so its count means what it says."""
        return self.known & ~self.missing[None, :]


@dataclass(frozen=True)
class Technique:
    """An attacker's technique that a finding may be the trace of, and the ``condition`` that was observed."""

    id: str
    name: str
    catalogue: str
    condition: str


@dataclass(frozen=True)
class Finding:
    """One key (or the fleet, ``key_id`` None), one kind of behaviour, one night.

    ``acknowledged`` and ``muted`` are sentences (who, why, until when), ``verdict`` is true, false, benign or
    planned: what people said about it, laid over the finding when a report is made.
    """

    finding_id: str
    episode: int
    type: str
    title: str
    status: Status
    severity: Severity
    confidence: str
    key_id: str | None
    name: str | None
    environment: str | None
    team: str | None
    application: str | None
    night: date
    score: float | None
    observed: float | None
    expected: float | None
    low: float | None
    high: float | None
    reason: str
    first_seen: date
    last_seen: date
    nights: int
    changes: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    prevalence: str | None = None
    severity_reasons: tuple[str, ...] = ()
    endpoints_usual: Mapping[str, int] = field(default_factory=dict)
    endpoints_tonight: Mapping[str, int] = field(default_factory=dict)
    terms: Mapping[str, float] = field(default_factory=dict)
    techniques: tuple[Technique, ...] = ()
    acknowledged: str | None = None
    muted: str | None = None
    verdict: str | None = None


@dataclass(frozen=True)
class TriageEntry:
    """What a person said about findings, from one night on and, where it ends by itself, until another.

    ``action`` is ack, mute or verdict; ``target_kind`` is finding, key, team or pattern, narrowed to one
    ``type`` of finding where that is set. ``until_night`` is included. ``episode`` binds an entry to one
    episode of its finding. ``ended_at`` is when somebody took the entry back; nothing is ever deleted.
    ``id`` is given by the log.
    """

    action: str
    target_kind: str
    target: str
    type: str | None
    reason: str | None
    by: str
    from_night: date
    until_night: date | None
    created_at: datetime
    ended_at: datetime | None = None
    verdict: str | None = None
    episode: int | None = None
    id: int = 0


@dataclass(frozen=True)
class MuteInForce:
    """A mute that applies to the night, and how many of the night's findings it covers."""

    id: int
    target_kind: str
    target: str
    type: str | None
    reason: str | None
    by: str
    from_night: date
    until_night: date | None
    findings: int


@dataclass(frozen=True)
class Precision:
    """Of the findings of one type that people judged, how many were real."""

    judged: int
    true: int


@dataclass(frozen=True)
class Sighting:
    """The latest night on which a finding's condition held, before some other night.

    ``open`` is False once a complete night without it has been judged since.
    """

    finding_id: str
    night: date
    type: str
    title: str
    key_id: str | None
    severity: Severity
    score: float | None
    episode: int
    first_seen: date
    nights: int
    open: bool


@dataclass(frozen=True)
class NotJudged:
    """A group of keys that one detector could not judge tonight, and why, in words."""

    type: str
    reason: str
    count: int
    key_ids: tuple[str, ...]


@dataclass(frozen=True)
class SourceStatus:
    """What one source delivered for the night."""

    name: str
    kind: str
    shape: str
    watermark: datetime | None
    error: str | None = None
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class Coverage:
    """What was looked at, and what was not."""

    complete: bool
    problems: tuple[str, ...]
    keys_active: int
    keys_judged: int
    not_judged: tuple[NotJudged, ...]
    baseline_nights: int
    missing_nights: tuple[date, ...]
    unregistered_keys: tuple[str, ...]
    revoked_keys_in_use: tuple[str, ...]
    withheld: tuple[str, ...]
    failures: tuple[str, ...] = ()
    revisions: tuple[Revision, ...] = ()


@dataclass(frozen=True)
class Budget:
    """The alert budget of the night: what it allows by chance, and what was raised.

    ``expected`` and ``raised`` are counts of alarms of the statistical types; ``thresholds`` maps a
    type to the score from which it raises; ``at_half`` and ``at_double`` are the keys that half and double
    the budget would name; ``calibrated`` is False while the fleet's own past is too short and the
    documented default serves.
    """

    alerts_per_1000_keys: float
    expected: float
    raised: int
    at_half: int
    at_double: int
    thresholds: Mapping[str, float]
    calibrated: bool


@dataclass(frozen=True)
class Fleet:
    """All active keys together; ``expected``, ``low`` and ``high`` are null without a history."""

    requests: int
    errors: int
    expected: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Summary:
    """The verdict and the counts behind it. ``outcome`` is findings, clear or not_judged.

    Muted findings are in ``by_status`` alone. ``precision`` is by type of finding, from people's verdicts.
    """

    outcome: str
    verdict: str
    subline: str
    open: int
    raised: int
    resolved: int
    by_severity: Mapping[str, int]
    by_type: Mapping[str, int]
    by_status: Mapping[str, int]
    budget: Budget
    fleet: Fleet
    precision: Mapping[str, Precision] = field(default_factory=dict)


@dataclass(frozen=True)
class Trends:
    """Requests per night behind the charts; the judged night is last, keys in the order of the usage frame.

    ``known`` is False where a key did not exist yet; ``missing`` marks nights that were not seen.
    """

    nights: tuple[date, ...]
    key_ids: tuple[str, ...]
    requests: NDArray[np.int64]
    known: NDArray[np.bool_]
    missing: NDArray[np.bool_]


@dataclass(frozen=True)
class RunReport:
    """Everything one night has to say; every format is a rendering of this object.

    ``usage`` holds the active keys in by-key order (requests descending, then key id) with
    ``RECORD_COLUMNS``. ``findings`` are open ones, most severe first, then the muted, then the resolved.
    ``run`` describes the execution (run id, start, duration) and, with ``generated_at``, is the only part that
    differs between two runs on the same data. ``policy`` maps a deployment pattern to the environment that
    belongs there; ``mutes`` are those in force, also where they cover nothing tonight.
    """

    night: Night
    organization: str | None
    generated_at: datetime
    run: Mapping[str, Any]
    sources: tuple[SourceStatus, ...]
    coverage: Coverage
    summary: Summary
    findings: tuple[Finding, ...]
    usage: pd.DataFrame
    trends: Trends
    policy: Mapping[str, str]
    mutes: tuple[MuteInForce, ...] = ()

"""Everything one day has to say, before it is rendered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.model.day import Day
from detector.model.finding import Finding
from detector.model.triage import MuteInForce, Precision
from detector.model.usage import Fault, Revision


@dataclass(frozen=True)
class NotJudged:
    """A group of keys that one detector could not judge that day, and why, in words."""

    type: str
    reason: str
    count: int
    key_ids: tuple[str, ...]


@dataclass(frozen=True)
class SourceStatus:
    """What one source delivered for the day."""

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
    baseline_days: int
    missing_days: tuple[date, ...]
    unregistered_keys: tuple[str, ...]
    revoked_keys_in_use: tuple[str, ...]
    withheld: tuple[str, ...]
    failures: tuple[str, ...] = ()
    revisions: tuple[Revision, ...] = ()


@dataclass(frozen=True)
class Budget:
    """The alert budget of the day: what it allows by chance, and what was raised.

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
    """Requests per day behind the charts; the judged day is last, keys in the order of the usage frame.

    ``known`` is False where a key did not exist yet; ``missing`` marks days that were not seen.
    """

    days: tuple[date, ...]
    key_ids: tuple[str, ...]
    requests: NDArray[np.int64]
    known: NDArray[np.bool_]
    missing: NDArray[np.bool_]


@dataclass(frozen=True)
class RunReport:
    """Everything one day has to say; every format is a rendering of this object.

    ``usage`` holds the active keys in by-key order (requests descending, then key id) with
    ``RECORD_COLUMNS``. ``findings`` are open ones, most severe first, then the muted, then the resolved.
    ``run`` describes the execution (run id, start, duration) and, with ``generated_at``, is the only part that
    differs between two runs on the same data. ``policy`` maps a deployment pattern to the environment that
    belongs there; ``mutes`` are those in force, also where they cover nothing that day.
    """

    day: Day
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

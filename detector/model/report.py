"""The content of a day's report, before a format renders it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.model.day import Day
from detector.model.finding import Finding
from detector.model.triage import MuteInForce, Precision
from detector.model.usage import Accounting, Fault, Revision


class Outcome(StrEnum):
    """The verdict on a day as one word for programs."""

    CLEAR = "clear"
    """All was evaluated, and no finding above info is open but acknowledged and muted ones."""
    NOTHING_NEW = "nothing_new"
    """All was evaluated, and the open findings were raised on earlier days."""
    FINDINGS = "findings"
    """All was evaluated, and something needs a look."""
    PARTLY_JUDGED = "partly_judged"
    """A part of the day was not seen or not evaluated. The findings of the other parts stand."""
    COULD_NOT_JUDGE = "could_not_judge"
    """No key was evaluated."""

    @property
    def is_judged(self) -> bool:
        """Whether the whole day was evaluated."""
        return self not in (Outcome.PARTLY_JUDGED, Outcome.COULD_NOT_JUDGE)


@dataclass(frozen=True)
class NotJudged:
    """A group of keys that one detector could not evaluate, and the reason in words."""

    type: str
    reason: str
    count: int
    key_ids: tuple[str, ...]


@dataclass(frozen=True)
class SourceStatus:
    """The state of the source when it delivered the day."""

    name: str
    kind: str
    shape: str
    watermark: datetime | None
    error: str | None = None
    faults: tuple[Fault, ...] = ()
    accounting: Accounting | None = None
    """What became of the records of the day; None where it is not known."""


@dataclass(frozen=True)
class Coverage:
    """What was evaluated on a day, and what was not.

    ``problems`` are the problems of the day's data and of its evaluation. ``shortfalls`` are those of them that
    left something unseen or not evaluated, the most severe first; with one, the day is never clear. ``failures``
    are all parts of the run that failed.
    """

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
    shortfalls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Budget:
    """The alert budget of the day and its use.

    ``expected`` is the number of alarms of the statistical types that chance alone would raise, and ``raised`` the
    number that was raised. ``thresholds`` maps a type to the score above which it raises. ``at_half`` and
    ``at_double`` are the numbers of keys that half and double the budget would report. ``calibrated`` is False
    while the fleet's own past is too short and the default threshold applies.
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
    """The totals of all active keys; ``expected``, ``low`` and ``high`` are None without a history.

    An ordinary day leaves the range from ``lowest`` to ``highest`` once in 1,000; both are None with too little
    past.
    """

    requests: int
    errors: int
    expected: float | None
    low: float | None
    high: float | None
    lowest: float | None = None
    highest: float | None = None

    @property
    def is_usual(self) -> bool:
        """Whether the total lies inside that range, or nobody can say."""
        return self.lowest is None or self.highest is None or self.lowest <= self.requests <= self.highest


@dataclass(frozen=True)
class Summary:
    """The verdict on a day and its counts.

    Only ``by_status`` counts muted findings. ``precision`` comes from people's verdicts, by type of finding.
    """

    outcome: Outcome
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
    """The requests per key and day for the charts, with the keys in the order of the usage frame.

    The evaluated day is last. ``known`` is False for a key on a day before the key existed. ``missing`` marks
    days with missing data.
    """

    days: tuple[date, ...]
    key_ids: tuple[str, ...]
    requests: NDArray[np.int64]
    known: NDArray[np.bool_]
    missing: NDArray[np.bool_]


@dataclass(frozen=True)
class RunReport:
    """The content of a day's report. Every format renders this object.

    ``usage`` holds the active keys in by-key order (requests descending, then key id) with
    ``RECORD_COLUMNS``. ``findings`` holds open findings first (most severe first), then muted, then resolved ones.
    ``run`` describes the execution (run id, start, duration). Only ``run`` and ``generated_at`` differ between two
    runs on the same data. ``policy`` maps a deployment pattern to the environment of the deployment. ``mutes``
    lists all mutes in force, including those without a finding.
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

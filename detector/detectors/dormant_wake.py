"""Dormant keys that wake: long silence, then a request."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.boundary.words import counted, long_day
from detector.config.sections import Detection
from detector.detectors import Detector, techniques
from detector.detectors.description import LEVELS, Description, live_or_not, owner_of
from detector.detectors.judgement import Judgement, excuses, score_frame
from detector.detectors.statistics.baseline import Flags
from detector.model.finding import Severity, Technique
from detector.model.finding_type import FindingType
from detector.model.panel import Panel
from detector.usage.aggregation import local_days

RHYTHM_GAPS = 5
RHYTHM_QUANTILE = 0.9
DORMANCIES = 4
"""A key's own silences are looked for in so many times ``dormant_after_days``."""


class DormantWake(Detector):
    """A key with requests that day after at least ``dormant_after_days`` observed silent days.

    A key that has been silent five times or more must also exceed the 90th percentile of its own
    silences, so that a monthly job is not dormant on day 29. Days that nobody saw do not count as
    silent: an outage is no dormancy and the recovery after it no wake. A registered key never seen used
    counts its observed days. Score: silent days over what would be usual for the key; 0 for no wake.
    """

    kind = "dormant_wake"
    is_rule = True
    types = (
        FindingType(
            kind,
            is_rule,
            title="Dormant key woke",
            tag="woke",
            singular="dormant key that woke",
            plural="dormant keys that woke",
            severities=LEVELS,
            counts_requests=True,
        ),
    )

    @classmethod
    def days_before(cls, settings: Detection) -> int:
        """As many as it takes to see a key's usual silences."""
        return DORMANCIES * settings.dormant_after_days

    def judge(self, panel: Panel) -> Judgement:
        """Score every active key by how long it was silent before that day's first request."""
        silent, known = silence_before(panel)
        least = self.settings.dormant_after_days
        score = np.zeros(len(panel.keys))
        used = (panel.requests[:, -1] > 0) & panel.records["active"].to_numpy()
        for row in np.flatnonzero(used & known & (silent >= least)):
            rhythm = _rhythm(panel, row)
            score[row] = silent[row] / max(least, rhythm) if silent[row] > rhythm else 0.0
        scores = score_frame(
            panel,
            score,
            observed=panel.requests[:, -1].astype(float),
            expected=0.0,
            low=0.0,
            high=0.0,
            not_judged=excuses(
                panel, (~known, f"dormancy unknown: no use seen, and fewer than {counted(least, 'day')}")
            ),
        )
        return Judgement(scores, partial(_describe_keys, panel, silent))


def _describe_keys(panel: Panel, silent: NDArray[np.int64], keys: list[str]) -> dict[str, Description]:
    """How long each key was silent, and how unusual that is."""
    rows = panel.keys.get_indexer(pd.Index(keys))
    return {
        key: _describe_key(panel, int(silent[row]), panel.records.iloc[row])
        for key, row in zip(keys, rows, strict=True)
    }


def _describe_key(panel: Panel, silent: int, record: pd.Series[Any]) -> Description:
    requests = counted(record["request_count"], "request")
    first_use = pd.isna(record["last_seen"])
    if first_use:
        reason = f"{requests}: the first use of this key; no use seen for at least {counted(silent, 'day')}."
        changes = ("First use ever seen.",)
    else:
        last = record["last_seen"].astimezone(panel.timezone).date()
        longest = f"its longest silence before was {record['longest_silence']:,}"
        reason = f"{requests} after {counted(silent, 'silent day')}; {longest}."
        changes = (f"First use since {long_day(last)}.",)
    live = record["environment"] == "live"
    severity, reasons = _severity(record, silent)
    return Description(
        title="Unused key woke" if first_use else "Dormant key woke",
        reason=reason,
        severity=severity,
        severity_reasons=reasons,
        confidence="certain",
        actions=(
            f"Ask {owner_of(record)} who uses this key again, and why now.",
            "Disable it unless someone claims it today: a sleeping key is a favourite for moving sideways.",
        ),
        changes=changes,
        techniques=_techniques(record, silent) if live and not first_use else (),
    )


def _severity(record: pd.Series[Any], silent: int) -> tuple[Severity, tuple[str, ...]]:
    """A live key that was used before may have been found by somebody else; a pause as long as one before is
    less of a sign."""
    live = record["environment"] == "live"
    key = live_or_not(record)
    if pd.isna(record["last_seen"]):
        return Severity.MEDIUM, (key, "never used before")
    if silent <= record["longest_silence"]:
        level = Severity.MEDIUM if live else Severity.LOW
        return level, (key, f"silent for {counted(silent, 'day')}, no longer than once before")
    return Severity.HIGH if live else Severity.MEDIUM, (key, f"silent for {counted(silent, 'day')}")


def _techniques(record: pd.Series[Any], silent: int) -> tuple[Technique, ...]:
    """Only where requests were accepted: a key that is refused opens nothing."""
    accepted = record["request_count"] - record["error_count"]
    if not accepted:
        return ()
    why = f"a live key nobody used for {counted(silent, 'day')} made {counted(accepted, 'accepted request')}"
    return (techniques.access_token(why),)


def silence_before(panel: Panel) -> tuple[NDArray[np.int64], Flags]:
    """Per key the observed silent days before that day, and whether that is known at all.

    Known is what follows a last use that history or source report, or at least the whole life of a
    registered key within the panel. Days nobody saw are taken off.
    """
    last_days = local_days(panel.records["last_seen"], panel.day)
    used = ~np.isnat(last_days)
    days = panel.days[:-1]
    since = (panel.days[-1] - last_days).astype("timedelta64[D]").astype("float64") - 1
    seen_from = int(np.argmin(panel.missing)) if not panel.missing.all() else len(panel.missing)
    gaps = panel.missing[:-1] & (np.arange(len(days)) >= seen_from)
    unseen = ((days[None, :] > last_days[:, None]) & gaps[None, :]).sum(axis=1)
    observed = panel.observed[:, :-1].sum(axis=1)
    silent = np.where(used, since - unseen, observed)
    registered = panel.records["registered"].to_numpy(dtype=bool)
    return np.maximum(np.nan_to_num(silent), 0).astype(np.int64), used | registered


def _rhythm(panel: Panel, row: np.intp) -> float:
    """The 90th percentile of a key's own silences in days; 0 while it has had fewer than five."""
    uses = np.flatnonzero((panel.requests[row, :-1] > 0) & panel.observed[row, :-1])
    unseen = np.cumsum(panel.missing)
    silences = np.diff(uses) - 1 - (unseen[uses[1:]] - unseen[uses[:-1]] if len(uses) else 0)
    silences = silences[silences > 0]
    return float(np.quantile(silences, RHYTHM_QUANTILE)) if len(silences) >= RHYTHM_GAPS else 0.0

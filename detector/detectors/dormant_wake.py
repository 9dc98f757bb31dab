"""Dormant keys in use again: a long silence, then a request."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.boundary.words import counted, long_day
from detector.config.sections import DetectionSettings
from detector.detectors import Detector, techniques
from detector.detectors.description import LEVELS, Description, live_or_not, owner_of
from detector.detectors.judgement import Judgement, excuses, score_frame
from detector.detectors.statistics.baseline import Flags
from detector.model.finding import Severity, Technique
from detector.model.finding_type import FindingType
from detector.model.panel import Panel
from detector.usage.aggregation import local_days

FEWEST_SILENCES = 5
SILENCE_QUANTILE = 0.9
DORMANCIES = 4
"""The panel reaches back this many times ``dormant_after_days``, to show a key's usual silences."""


class DormantWake(Detector):
    """A key with requests after at least ``dormant_after_days`` observed silent days.

    A key with five or more silences must also exceed the 90th percentile of its own silences, so that a
    monthly job is not dormant on day 29. Days with missing data do not count as silent: an outage of the
    source makes no key dormant. For a registered key without any use, every observed day counts as silent.

    Score: the number of silent days divided by the key's usual longest silence; 0 for every other key.
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
    def days_before(cls, settings: DetectionSettings) -> int:
        """Enough days to show a key's usual silences."""
        return DORMANCIES * settings.dormant_after_days

    def judge(self, panel: Panel) -> Judgement:
        """Score every active key by the length of its silence before the evaluated day."""
        silent, known = silence_before(panel)
        least = self.settings.dormant_after_days
        score = np.zeros(len(panel.keys))
        used = (panel.requests[:, -1] > 0) & panel.records["active"].to_numpy()
        for row in np.flatnonzero(used & known & (silent >= least)):
            usual_silence = _usual_silence(panel, row)
            if silent[row] > usual_silence:
                score[row] = silent[row] / max(least, usual_silence)
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
    """The length of each key's silence, compared with its longest silence before."""
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
    """The severity of a dormant key in use, and its reasons."""
    live = record["environment"] == "live"
    key = live_or_not(record)
    # An attacker who found an old live key is the worst case. A pause that the key made before is a weaker sign.
    if pd.isna(record["last_seen"]):
        return Severity.MEDIUM, (key, "never used before")
    if silent <= record["longest_silence"]:
        level = Severity.MEDIUM if live else Severity.LOW
        return level, (key, f"silent for {counted(silent, 'day')}, no longer than once before")
    return Severity.HIGH if live else Severity.MEDIUM, (key, f"silent for {counted(silent, 'day')}")


def _techniques(record: pd.Series[Any], silent: int) -> tuple[Technique, ...]:
    """The technique that accepted requests may show; none while every request failed."""
    accepted = record["request_count"] - record["error_count"]
    if not accepted:
        return ()
    why = f"a live key nobody used for {counted(silent, 'day')} made {counted(accepted, 'accepted request')}"
    return (techniques.access_token(why),)


def silence_before(panel: Panel) -> tuple[NDArray[np.int64], Flags]:
    """Per key the number of observed silent days before the evaluated day, and whether that number is known.

    The number is known for a key with a last use in the history or the source. It is also known for a
    registered key, whose whole life within the panel counts. Days with missing data are subtracted.
    """
    last_days = local_days(panel.records["last_seen"], panel.day)
    used = ~np.isnat(last_days)
    days = panel.days[:-1]
    since = (panel.days[-1] - last_days).astype("timedelta64[D]").astype("float64") - 1
    # The days before the first day with data are no gap: the history does not reach back to them.
    first_present = len(panel.missing) if panel.missing.all() else int(np.argmin(panel.missing))
    gaps = panel.missing[:-1] & (np.arange(len(days)) >= first_present)
    gaps_since_use = ((days[None, :] > last_days[:, None]) & gaps[None, :]).sum(axis=1)
    observed = panel.observed[:, :-1].sum(axis=1)
    silent = np.where(used, since - gaps_since_use, observed)
    registered = panel.records["registered"].to_numpy(dtype=bool)
    return np.maximum(np.nan_to_num(silent), 0).astype(np.int64), used | registered


def _usual_silence(panel: Panel, row: np.intp) -> float:
    """The 90th percentile of a key's own silences in days; 0 for a key with fewer than five silences."""
    uses = np.flatnonzero((panel.requests[row, :-1] > 0) & panel.observed[row, :-1])
    missing_so_far = np.cumsum(panel.missing)
    silences = np.diff(uses) - 1 - np.diff(missing_so_far[uses])
    silences = silences[silences > 0]
    if len(silences) < FEWEST_SILENCES:
        return 0.0
    return float(np.quantile(silences, SILENCE_QUANTILE))

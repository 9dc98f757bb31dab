"""Usage spikes: a key makes far more requests than its own history leads us to expect.

A spike is named only on a key in recent use. After ``dormant_after_days`` of silence the waking is what is
unusual, and one day is not reported twice. The first use ever of a key is no spike, because the key has no usage
to compare with.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.boundary.words import counted
from detector.config.sections import Detection
from detector.detectors import Description, judgement, owner_of
from detector.detectors.statistics.baseline import (
    Expectation,
    anscombe,
    burst_score,
    counts_of,
    day_view,
    expectation,
)
from detector.model.finding import Severity
from detector.model.panel import Panel, row_of

CALIBRATION_DAYS = 28
CALIBRATION_KEYS = 5_000
BAND = 2.0
"""The usual range of a key is its mean plus or minus this many SD, about 95 of 100 ordinary days."""

BURST_SLACK, BURST_WEIGHT = 2.0, 0.5
RECORD_WEIGHT = 2.0
RATIO_FLOOR = 3
"""Added to both counts of a ratio, so that 2 requests against 1 are no doubling."""


class UsageSpike:
    """How far a day lies above what the key's own history leads us to expect. Four terms add up:

    - *own*: ``z = (t(day) - mean) / SD`` on the Anscombe scale, against a baseline that weighs recent
      days more, knows the key's weekdays and the days on which the whole fleet rose, and forgets one
      outlier; then centred and scaled across all keys of the day.
    - *bursts*: a discount of half of what z exceeds the negative binomial deviance by, beyond 2: a key that
      bursts, bursts again.
    - *recent*: the log ratio to the second-highest of the last 14 days, at least -1.
    - *record*: twice the log ratio to the second-highest day of the baseline, where it is beaten.

    All are taken relative to what the whole fleet did that day.

    A key is named only with at least ``minimum_requests``, and only when it was in use during the last
    ``dormant_after_days``: else its waking is what is unusual.
    """

    kind: ClassVar[str] = "usage_spike"

    def __init__(self, settings: Detection) -> None:
        self.settings = settings

    def judge(self, panel: Panel) -> pd.DataFrame:
        """Score the last day of every active key."""
        last = panel.requests.shape[1] - 1
        usual = self._expect(panel, last, slice(None))
        terms = self._terms(panel, last, slice(None), usual)
        return judgement(
            panel,
            sum_of(terms),
            terms=terms,
            observed=panel.requests[:, last].astype(float),
            expected=counts_of(usual.mean),
            low=counts_of(usual.mean - BAND * usual.spread),
            high=counts_of(usual.mean + BAND * usual.spread),
            eligible=self._recently_used(panel) & (panel.requests[:, last] >= self.settings.minimum_requests),
            not_judged=self._excuses(panel, usual),
        )

    def past_scores(self, panel: Panel) -> NDArray[np.float64]:
        """Scores of the seen days before, for a fixed sample of at most ``CALIBRATION_KEYS`` keys."""
        step = slice(None, None, max(len(panel.keys) // CALIBRATION_KEYS, 1))
        days = [day for day in range(len(panel.days) - 1) if not panel.missing[day]]
        scores = [np.empty(0)]
        for day in days[-CALIBRATION_DAYS:]:
            usual = self._expect(panel, day, step)
            in_use = panel.requests[step, self._window(day)].any(axis=1)
            scores.append(sum_of(self._terms(panel, day, step, usual))[in_use])
        past = np.concatenate(scores)
        return past[~np.isnan(past)]

    def describe(self, panel: Panel, keys: list[str], judged: pd.DataFrame) -> dict[str, Description]:
        """What is unusual about each key's volume."""
        return {key: self._describe(row_of(judged, key), panel.record(key)) for key in keys}

    def _window(self, day: int) -> slice:
        return slice(max(day - self.settings.baseline_days, 0), day)

    def _expect(self, panel: Panel, day: int, rows: slice) -> Expectation:
        """What the days before lead us to expect of one day, an index into the panel's days."""
        window = self._window(day)
        weekdays = (panel.days.astype(int) % 7).astype(np.int64)
        return expectation(
            panel.requests[rows, window], panel.observed[rows, window], weekdays[window], int(weekdays[day])
        )

    def _terms(self, panel: Panel, day: int, rows: slice, usual: Expectation) -> dict[str, NDArray[np.float64]]:
        counts = panel.requests[rows, day]
        active = panel.records["active"].to_numpy()[rows]
        enough = (usual.days >= self.settings.minimum_days) & panel.observed[rows, day] & active

        def of_day(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], float, float]:
            judged = np.where(enough, values, np.nan)
            return judged, *day_view(judged)

        z, centre, scale = of_day((anscombe(counts) - usual.mean) / usual.spread)
        own = (z - centre) / scale
        deviance, usual_deviance, deviance_scale = of_day(burst_score(counts, usual))
        bursts = (deviance - usual_deviance) / deviance_scale
        recent, common, _ = of_day(_log_ratio(counts, usual.recent))
        record, common_record, _ = of_day(_log_ratio(counts, usual.record))
        return {
            "own history": own,
            "bursts": -BURST_WEIGHT * np.maximum(own - bursts - BURST_SLACK, 0),
            "recent days": np.maximum(recent - common, -1) / scale,
            "record": RECORD_WEIGHT * np.maximum(record - common_record, 0) / scale,
        }

    def _recently_used(self, panel: Panel) -> NDArray[np.bool_]:
        recent = panel.requests[:, -1 - self.settings.dormant_after_days : -1]
        in_use: NDArray[np.bool_] = recent.sum(axis=1) > 0
        return in_use

    def _excuses(self, panel: Panel, usual: Expectation) -> NDArray[np.object_]:
        excuses = np.full(len(panel.keys), None, dtype=object)
        excuses[usual.days < self.settings.minimum_days] = (
            f"too young: fewer than {counted(self.settings.minimum_days, 'observed day')}"
        )
        excuses[~panel.records["active"].to_numpy()] = "revoked"
        if panel.missing[-1]:
            excuses[:] = "no data for the day"
        return excuses

    def _describe(self, judged: pd.Series[Any], record: pd.Series[Any]) -> Description:
        times = judged["observed"] / max(judged["expected"], 1.0)
        severity, reasons = _severity(times, record["environment"])
        return Description(
            title="Usage spike",
            reason=(
                f"{counted(judged['observed'], 'request')}, {_times(times)} its usual {judged['expected']:,.0f} "
                f"(range {judged['low']:,.0f} to {judged['high']:,.0f})."
            ),
            severity=severity,
            severity_reasons=reasons,
            confidence="high" if judged["score"] >= 8 else "medium",
            actions=(
                f"Ask {owner_of(record)} whether a new job or release explains the extra requests.",
                "If nobody expected it, rotate the key. Revoking it stops every caller at once: find them first.",
                "Read the access log of this key for the day: new addresses, endpoints and errors.",
            ),
        )


def _severity(times: float, environment: str) -> tuple[Severity, tuple[str, ...]]:
    steps, reasons = 1, []
    if times >= 10:
        steps += 1
        reasons.append("ten times its usual volume or more")
    elif times < 3:
        steps -= 1
        reasons.append("less than three times its usual volume")
    if environment == "test":
        steps -= 1
        reasons.append("a test key")
    elif environment == "live":
        reasons.append("a live key")
    level = (Severity.LOW, Severity.MEDIUM, Severity.HIGH)[max(steps, 0)]
    return level, tuple(reasons)


def _times(times: float) -> str:
    return f"{times:,.0f} times" if times >= 10 else f"{times:,.1f} times"


def sum_of(terms: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """The score."""
    total: NDArray[np.float64] = np.sum(list(terms.values()), axis=0)
    return total


def _log_ratio(counts: NDArray[np.int64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio: NDArray[np.float64] = np.log((counts + RATIO_FLOOR) / (reference + RATIO_FLOOR))
    return ratio

"""Usage spikes: a key makes far more requests than its own history predicts.

Only a key in recent use can have a spike. After ``dormant_after_days`` of silence, ``dormant_wake`` reports the
key instead, so that one event has one finding. The first use ever of a key is no spike, because the key has no
usage to compare with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.boundary.words import counted
from detector.config.sections import DetectionSettings
from detector.detectors import Detector
from detector.detectors.description import LEVELS, Description, confidence_of, graded, owner_of
from detector.detectors.judgement import ABSOLUTE, Judgement, excuses, key_by_key, score_frame, young_or_revoked
from detector.detectors.statistics.baseline import (
    Expectation,
    Flags,
    Floats,
    Rows,
    anscombe,
    burst_score,
    counts_of,
    expect_day,
)
from detector.detectors.statistics.calibration import CALIBRATION_DAYS, past_scores
from detector.detectors.statistics.fleet_levels import Level, level_of, limited
from detector.model.finding import Severity
from detector.model.finding_type import FindingType
from detector.model.panel import Panel

ALL_KEYS = slice(None)
ABSOLUTE_REQUESTS = 300
ABSOLUTE_TIMES = 10
ABSOLUTE_RECORDS = 5
"""A key with at least ``ABSOLUTE_REQUESTS``, this many times the second-highest day of its baseline, and
``ABSOLUTE_TIMES`` its usual requests is reported whatever the fleet does. In 720,000 ordinary key-days of five
real fleets this happened once."""
BAND = 2.0
"""A key's usual range is its mean plus or minus this many SD. It holds about 95 of 100 ordinary days."""

BURST_SLACK = 2.0
BURST_WEIGHT = 0.5
RECORD_WEIGHT = 2.0
RATIO_FLOOR = 3
"""This number is added to both counts of a ratio, so that 2 requests after 1 do not count as a doubling."""


class UsageSpike(Detector):
    """The distance of a day above the expectation of the key's own history. The score is a sum of four terms:

    - *own*: ``z = (t(day) - mean) / SD`` on the Anscombe scale. The baseline gives recent days more weight,
      knows the key's weekdays and the days on which the whole fleet rose, and excludes one outlier. z is then
      centred and scaled across the reference keys of the day.
    - *bursts*: a discount. If z exceeds the negative binomial deviance by more than 2, the discount is half of
      the rest, because a key with bursts in its past will have bursts again.
    - *recent*: the log ratio to the second-highest of the last 14 days, at least -1.
    - *record*: twice the log ratio to the second-highest day of the baseline, if the day exceeds it.

    Every term is relative to the reference keys on the evaluated day, within the limits of past days. A key is
    reported only with at least ``minimum_requests``, and only if it was in use during the last
    ``dormant_after_days``. A key at ten times its usual and five times its record, with 300 requests or more, is
    reported whatever its score: no fleet excuses it.
    """

    kind = "usage_spike"
    is_rule = False
    methods = ("zscore", "both")
    types = (
        FindingType(
            kind,
            is_rule,
            title="Usage spike",
            tag="spike",
            singular="usage spike",
            plural="usage spikes",
            severities=LEVELS,
            counts_requests=True,
        ),
    )

    @classmethod
    def days_before(cls, settings: DetectionSettings) -> int:
        """The baseline of the evaluated day and of the days that calibrate the threshold."""
        return settings.baseline_days + CALIBRATION_DAYS

    def judge(self, panel: Panel) -> Judgement:
        """Score the last day of every active key."""
        last = panel.requests.shape[1] - 1
        usual = expect_day(panel, last, ALL_KEYS, self.settings.baseline_days)
        past_levels: list[_Levels] = []
        past = past_scores(panel, lambda day, rows: self._score_past_day(panel, day, rows, past_levels))
        distances = self._distances(panel, last, ALL_KEYS, usual)
        terms = _terms(distances, _Levels.of(distances, panel.reference).limited_by(past_levels))
        young = usual.days < self.settings.minimum_days
        dormant = self.settings.dormant_after_days
        least = self.settings.minimum_requests
        scores = score_frame(
            panel,
            sum_of(terms),
            terms=terms,
            observed=panel.requests[:, last].astype(float),
            expected=counts_of(usual.mean),
            low=counts_of(usual.mean - BAND * usual.spread),
            high=counts_of(usual.mean + BAND * usual.spread),
            not_raised=excuses(
                panel,
                (~self._recently_used(panel), f"not used in the {counted(dormant, 'day')} before"),
                (panel.requests[:, last] < least, f"fewer than {counted(least, 'request')}"),
            ),
            not_judged=excuses(panel, *young_or_revoked(panel, young, self.settings.minimum_days)),
        )
        scores[ABSOLUTE] = _far_beyond_everything(panel.requests[:, last], usual)
        return Judgement(scores, key_by_key(panel, scores, _describe_key), past)

    def _score_past_day(self, panel: Panel, day: int, rows: Rows, levels: list[_Levels]) -> Floats:
        """The scores of the reference keys that were in use during the baseline of a past day.

        The levels of the day join the levels.
        """
        usual = expect_day(panel, day, rows, self.settings.baseline_days)
        window = slice(max(day - self.settings.baseline_days, 0), day)
        in_use = panel.requests[rows, window].any(axis=1)
        distances = self._distances(panel, day, rows, usual)
        levels.append(_Levels.of(distances, panel.reference[rows]))
        return sum_of(_terms(distances, levels[-1]))[in_use]

    def _distances(self, panel: Panel, day: int, rows: Rows, usual: Expectation) -> _Distances:
        counts = panel.requests[rows, day]
        active = panel.records["active"].to_numpy()[rows]
        enough = (usual.days >= self.settings.minimum_days) & panel.observed[rows, day] & active

        def judged(values: Floats) -> Floats:
            return np.where(enough, values, np.nan)

        return _Distances(
            own=judged((anscombe(counts) - usual.mean) / usual.spread),
            bursts=judged(burst_score(counts, usual)),
            recent=judged(_log_ratio(counts, usual.recent)),
            record=judged(_log_ratio(counts, usual.record)),
        )

    def _recently_used(self, panel: Panel) -> Flags:
        recent = panel.requests[:, -1 - self.settings.dormant_after_days : -1]
        in_use: Flags = recent.sum(axis=1) > 0
        return in_use


@dataclass(frozen=True)
class _Distances:
    """Per key how far a day lies above its own history, in the measures of the four terms; NaN if not judged."""

    own: Floats
    bursts: Floats
    recent: Floats
    record: Floats


@dataclass(frozen=True)
class _Levels:
    """The levels of one day across the reference keys, by measure."""

    own: Level
    bursts: Level
    recent: Level
    record: Level

    @classmethod
    def of(cls, distances: _Distances, reference: Flags) -> _Levels:
        """The levels of a day."""
        return cls(*(level_of(getattr(distances, measure.name)[reference]) for measure in fields(cls)))

    def limited_by(self, past: Sequence[_Levels]) -> _Levels:
        """The levels that past days allow."""
        names = [measure.name for measure in fields(self)]
        return _Levels(*(limited(getattr(self, name), [getattr(day, name) for day in past]) for name in names))


def _terms(distances: _Distances, levels: _Levels) -> dict[str, Floats]:
    """The terms of each key's score, relative to the levels of the day."""
    own = levels.own.relative(distances.own)
    bursts = levels.bursts.relative(distances.bursts)
    scale = levels.own.scale
    return {
        "own history": own,
        "bursts": -BURST_WEIGHT * np.maximum(own - bursts - BURST_SLACK, 0),
        "recent days": np.maximum(distances.recent - levels.recent.centre, -1) / scale,
        "record": RECORD_WEIGHT * np.maximum(distances.record - levels.record.centre, 0) / scale,
    }


def _describe_key(judged: pd.Series[Any], record: pd.Series[Any]) -> Description:
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
        confidence=confidence_of(judged["score"]),
        actions=(
            f"Ask {owner_of(record)} whether a new job or release explains the extra requests.",
            "If nobody expected it, rotate the key. Revoking it stops every caller at once: find them first.",
            "Read the access log of this key for the day: new addresses, endpoints and errors.",
        ),
    )


def _severity(times: float, environment: str) -> tuple[Severity, tuple[str, ...]]:
    if times >= 10:
        return graded(2, ["ten times its usual volume or more"], environment)
    if times < 3:
        return graded(0, ["less than three times its usual volume"], environment)
    return graded(1, [], environment)


def _times(times: float) -> str:
    return f"{times:,.0f} times" if times >= 10 else f"{times:,.1f} times"


def sum_of(terms: dict[str, Floats]) -> Floats:
    """The score of each key: the sum of its terms."""
    total: Floats = np.sum(list(terms.values()), axis=0)
    return total


def _far_beyond_everything(counts: NDArray[np.int64], usual: Expectation) -> Flags:
    """The keys so far beyond their own usual and highest days that the fleet does not matter."""
    times = counts / np.maximum(counts_of(usual.mean), 1)
    records = counts / np.maximum(usual.record, 1)
    far: Flags = (counts >= ABSOLUTE_REQUESTS) & (times >= ABSOLUTE_TIMES) & (records >= ABSOLUTE_RECORDS)
    return far


def _log_ratio(counts: NDArray[np.int64], reference: Floats) -> Floats:
    ratio: Floats = np.log((counts + RATIO_FLOOR) / (reference + RATIO_FLOOR))
    return ratio

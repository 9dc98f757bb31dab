"""Centre and scale of one day's scores across the fleet, and their limits by the days before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from detector.detectors.statistics.baseline import Floats, fleet_weight

FEWEST_PAST = 7
"""Fewer past levels limit no level."""
PAST_QUANTILE = 0.95
"""The past level that an ordinary day rarely exceeds; the highest past day may be an attack."""


@dataclass(frozen=True)
class Level:
    """Centre and scale of the scores of one day, and the number of keys with a score."""

    centre: float
    scale: float
    keys: int

    def relative(self, scores: Floats) -> Floats:
        """The scores in units of the scale, from the centre."""
        relative: Floats = (scores - self.centre) / self.scale
        return relative


def level_of(scores: Floats) -> Level:
    """Centre and scale of one day's scores of the reference keys; NaN for a key without a score.

    The centre is the median, at least 0, so that a quiet fleet does not make an ordinary key stand out. The
    scale is the upper spread (90th percentile, as a normal SD), at least 1. Both fade out between 50 and 10
    keys, because in a small fleet two spikes would hide each other.
    """
    judged = scores[~np.isnan(scores)]
    weight = fleet_weight(len(judged))
    if weight == 0:
        return Level(0.0, 1.0, len(judged))
    median, upper = np.quantile(judged, [0.5, 0.9])
    centre = weight * max(float(median), 0.0)
    scale = 1 + weight * max(float(upper - median) / 1.2816 - 1, 0.0)
    return Level(centre, scale, len(judged))


def limited(level: Level, past: Sequence[Level]) -> Level:
    """The level of a day with the scale that its past days allow, so that attacked keys do not excuse each other.

    The limit is the 95th percentile of the past scales. Where more than half of the keys rise together, the scale
    may rise with the centre: keys that multiply their requests alike move apart on the scale of the scores.
    Past days without a judged key do not count.
    """
    judged = [day for day in past if day.keys]
    if len(judged) < FEWEST_PAST:
        return level
    centre = float(np.quantile([day.centre for day in judged], PAST_QUANTILE))
    scale = float(np.quantile([day.scale for day in judged], PAST_QUANTILE))
    allowed = scale * (1 + max(level.centre - centre, 0.0))
    return replace(level, scale=min(level.scale, allowed))

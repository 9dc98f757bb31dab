"""What a key's history leads us to expect, and how far a night lies from it.

Counts are compared on the scale ``t(x) = 2 sqrt(x + 3/8)`` (Anscombe 1948), on which a Poisson count has
a standard deviation of about 1 whatever its mean. A spread below 1 is therefore never believed, and a
constant or all-zero history needs no special case.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

USUAL_SHARE = 0.9
LOOK_BACK = 28


def unseen_nights(totals: NDArray[np.int64], stored: Flags) -> Flags:
    """Which nights nobody saw, from the fleet's requests a night and whether the night is stored.

    An empty night is a gap in the data, not a quiet fleet, when the same weekday usually had requests in
    the four weeks before (while none of those was seen: when nine in ten of all nights had), or when it
    lies before the first request of all.
    """
    missing = ~stored
    missing[: int(np.argmax(totals > 0)) if totals.any() else len(totals)] = True
    for night in np.flatnonzero((totals == 0) & ~missing).tolist():
        earlier = np.arange(max(night - LOOK_BACK, 0), night)
        weekday = earlier[((night - earlier) % 7 == 0) & ~missing[earlier]]
        if len(weekday):
            missing[night] = np.mean(totals[weekday] > 0) > 1 / 2
        else:
            missing[night] = np.mean(totals[earlier[stored[earlier]]] > 0) >= USUAL_SHARE
    return missing


def anscombe(counts: NDArray[np.int64] | Floats) -> Floats:
    """Counts on the scale where a Poisson count has SD 1."""
    transformed: Floats = 2 * np.sqrt(counts + 0.375)
    return transformed


def counts_of(transformed: Floats) -> Floats:
    """The inverse of ``anscombe``; below the image of zero it is zero."""
    counts: Floats = np.maximum((np.maximum(transformed, 0) / 2) ** 2 - 0.375, 0)
    return counts


@dataclass(frozen=True)
class Baseline:
    """Per key: mean and SD (at least 1) on the Anscombe scale, and the nights they rest on."""

    mean: Floats
    spread: Floats
    nights: NDArray[np.int64]


def baseline(counts: NDArray[np.int64], observed: Flags) -> Baseline:
    """The baseline of every key (rows) over the observed nights (columns); NaN where there is none."""
    transformed = anscombe(counts)
    nights = observed.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(observed, transformed, 0).sum(axis=1) / nights
        squares = np.where(observed, (transformed - mean[:, None]) ** 2, 0).sum(axis=1)
        spread = np.maximum(np.sqrt(squares / (nights - 1)), 1)
    return Baseline(mean, np.where(nights > 1, spread, np.nan), nights)


def night_view(scores: Floats, floor: int = 10, full: int = 50) -> tuple[float, float]:
    """Centre and scale of one night's scores across the fleet, to judge keys against what all did.

    The centre is the median, counted upward only: a quiet fleet excuses nobody. The scale is the upper
    spread (90th percentile, as a normal SD), at least 1. Both fade out between ``full`` and ``floor``
    keys, since in a small fleet two spikes would excuse each other.
    """
    judged = scores[~np.isnan(scores)]
    weight = float(np.clip((len(judged) - floor) / (full - floor), 0, 1))
    if weight == 0:
        return 0.0, 1.0
    median, upper = np.quantile(judged, [0.5, 0.9])
    return weight * max(median, 0.0), 1 + weight * max((upper - median) / 1.2816 - 1, 0.0)

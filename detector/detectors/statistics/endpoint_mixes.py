"""How far a day's endpoint mix lies from a key's usual one, for all keys and days at once.

``Panel.mixes(n)`` gives one sparse matrix (keys x endpoints) per day over one vocabulary. All other arrays are
keys x days. So the mixes of all keys are compared without a loop over keys and without a Python object per key.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import gammaln

from detector.detectors.statistics.baseline import Floats

LEAST_HISTORY = 20
"""Requests with an endpoint that a key's usual mix rests on, at least."""
TYPICAL_SCATTER = 0.01
SMALLEST_SCATTER, LARGEST_SCATTER = 1e-4, 0.5
PRIOR_DAYS = 8
"""The fleet's scatter counts like this many days of the key's own."""
PRIOR_REQUESTS = 100
"""The fleet's share of requests to endpoints that a key never used counts like this many of its own."""
LEAST_NEW = 1e-3
FORGOTTEN_EVERY, FORGOTTEN_BEYOND = 28, 12.0
"""One day in this many may be left out of a key's scatter, when it lies this many times above chance."""
_GRID = np.linspace(np.log(1e-6), np.log(100), 2_000)


@dataclass(frozen=True)
class Distances:
    """Keys x days, the judged one last: each day against the mix of all the earlier ones but itself."""

    requests: Floats
    """Requests with an endpoint."""
    history: Floats
    """Requests that the usual mix rests on; heavy days count for less."""
    deviance: Floats
    chance: Floats
    """The mean of the deviance by chance, the scatter of the mix from day to day included."""
    freedom: Floats
    """Degrees of freedom of the chi-square with that mean and variance."""
    moved: Floats
    """The share of requests that lies off the usual mix."""


def distances(days: list[csr_array]) -> Distances:
    """Compare the last day with all before it, and each day before with the others before."""
    requests = np.column_stack([day.sum(axis=1) for day in days]).astype(np.float64)
    weights = 1 / (1 + requests * TYPICAL_SCATTER)
    weights[:, -1] = 0.0
    usual = _usual(days, weights)
    places = _places(usual)
    history = (weights * requests).sum(axis=1, keepdims=True) - weights * requests
    own, new, moved = (np.zeros(requests.shape) for _ in range(3))
    for column, day in enumerate(days):
        rows, counts, left = _beside(day, usual, places, weights[:, column])
        total, known = requests[rows, column], left > 0
        share = np.where(known, left, 1) / np.maximum(history[rows, column], 1e-9)
        deviances = np.where(known, counts * np.log(counts / (total * share)), 0)
        own[:, column] = np.bincount(rows, deviances, len(requests))
        new[:, column] = np.bincount(rows, np.where(known, 0, counts), len(requests))
        above = np.where(known, np.maximum(counts / total - share, 0), counts / total)
        moved[:, column] = np.bincount(rows, above, len(requests))
    novelty = _novelty(new, weights, history)
    fresh = new * np.log(np.maximum(new, 1) / (np.maximum(requests, 1) * novelty))
    deviance = np.maximum(2 * (own - (requests - new) * np.log1p(-novelty) + fresh), 0)
    mean, variance = _by_chance(usual, requests, novelty)
    inflation = _inflation(deviance / mean, requests, np.maximum(history, 1))
    return Distances(requests, history, deviance, mean * inflation, 2 * mean**2 / variance, moved)


def _rows(matrix: csr_array) -> NDArray[np.int64]:
    """The row of each stored entry."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


def _usual(days: list[csr_array], weights: Floats) -> csr_array:
    """The sum of the days, each key's by its weight on the day."""
    total = csr_array(days[0].shape, dtype=np.float64)
    for column, day in enumerate(days[:-1]):
        data = day.data * weights[_rows(day), column]
        total = total + csr_array((data, day.indices, day.indptr), shape=day.shape)
    return total.sorted_indices()


def _places(matrix: csr_array) -> NDArray[np.int64]:
    """Row and column of each stored entry as one ascending number."""
    places: NDArray[np.int64] = _rows(matrix) * max(matrix.shape[1], 1) + matrix.indices
    return places


def _beside(
    day: csr_array, usual: csr_array, places: NDArray[np.int64], weight: Floats
) -> tuple[NDArray[np.int64], Floats, Floats]:
    """A day's entries as rows and counts, and what the usual mix holds there beside the day itself."""
    rows, counts, wanted = _rows(day), day.data.astype(np.float64), _places(day)
    at = np.minimum(np.searchsorted(places, wanted), max(len(places) - 1, 0))
    held = np.where(places[at] == wanted, usual.data[at], 0.0) if len(places) else np.zeros(len(rows))
    left = held - counts * weight[rows]
    left[left < 1e-9 * held] = 0.0  # what rounding leaves of a sum of one
    return rows, counts, left


def _novelty(new: Floats, weights: Floats, history: Floats) -> Floats:
    """The share of requests to expect on endpoints never used before: the key's own, drawn to the fleet's."""
    own = np.where(history >= LEAST_HISTORY, weights * new, 0)  # without a history, all is new and nothing said
    fleet = max(own.sum() / max(history[:, -1].sum(), 1e-9), LEAST_NEW)
    others = own.sum(axis=1, keepdims=True) - own
    share: Floats = (others + PRIOR_REQUESTS * fleet) / (history + PRIOR_REQUESTS)
    return share.clip(LEAST_NEW, 0.9)


def _by_chance(usual: csr_array, requests: Floats, novelty: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of the deviance, were each day drawn from the usual mix; never tiny."""
    means, variances = _poisson_deviance()
    rows = _rows(usual)
    share = usual.data / np.maximum(usual.sum(axis=1), 1e-9)[rows]
    rest, log_share = 1 - share, np.log(share)
    log_requests = np.log(np.maximum(requests, 1e-6))
    at = _nearest(log_requests + np.log(novelty))
    mean, variance = (1 - novelty) * means[at], (1 - novelty) ** 2 * variances[at]
    for column in range(requests.shape[1]):
        at = _nearest(log_requests[rows, column] + log_share)
        mean[:, column] += np.bincount(rows, rest * means[at], len(requests))
        variance[:, column] += np.bincount(rows, rest**2 * variances[at], len(requests))
    return np.maximum(mean, 0.5), np.maximum(variance, 1.0)


def _nearest(log_mean: Floats) -> NDArray[np.int64]:
    """Where in ``_GRID`` the logarithm of a mean lies."""
    at = (log_mean - _GRID[0]) * ((len(_GRID) - 1) / (_GRID[-1] - _GRID[0])) + 0.5
    places: NDArray[np.int64] = at.clip(0, len(_GRID) - 1).astype(np.int64)
    return places


@cache
def _poisson_deviance() -> tuple[Floats, Floats]:
    """Mean and variance of the deviance of a Poisson count, by the logarithm of its mean as in ``_GRID``."""
    mean, count = np.exp(_GRID)[:, None], np.arange(300.0)
    chance = np.exp(count * _GRID[:, None] - mean - gammaln(count + 1))
    deviance = 2 * (count * (np.log(np.maximum(count, 1)) - _GRID[:, None]) - (count - mean))
    first = (chance * deviance).sum(axis=1)
    return first, (chance * deviance**2).sum(axis=1) - first**2


def _inflation(ratio: Floats, requests: Floats, history: Floats) -> Floats:
    """By how much deviances exceed chance, from the scatter of each key's mix on its other days.

    ``ratio`` is deviance over its mean by chance. One day in 28 far off all others is forgotten: else
    the last shift would teach that shifts are normal.
    """
    information = requests * TYPICAL_SCATTER / (1 + requests * TYPICAL_SCATTER)
    excess = (ratio - 1 - requests / history) / (1 + requests * TYPICAL_SCATTER)
    told = (requests > 0) & (history >= LEAST_HISTORY)
    told[:, -1] = False
    limit = FORGOTTEN_BEYOND * (1 + requests * TYPICAL_SCATTER)
    rank = np.where(told, ratio / limit, 0.0)
    allowed = (told.sum(axis=1) + FORGOTTEN_EVERY // 2) // FORGOTTEN_EVERY
    rows = np.arange(len(ratio))
    for round_ in range(int(allowed.max(initial=0))):
        worst = rank.argmax(axis=1)
        out = (allowed > round_) & (rank[rows, worst] > 1)
        told[rows[out], worst[out]] = False
        rank[rows, worst] = 0.0
    information, excess = np.where(told, information, 0), np.where(told, excess, 0)
    known = information.sum(axis=1)
    telling = known >= 1
    fleet = np.median(excess.sum(axis=1)[telling] / known[telling]) if telling.any() else 1.0
    others = excess.sum(axis=1, keepdims=True) - excess + PRIOR_DAYS * max(float(fleet), 0.0)
    scatter = TYPICAL_SCATTER * others / (known[:, None] - information + PRIOR_DAYS)
    inflation: Floats = 1 + requests * np.clip(scatter, SMALLEST_SCATTER, LARGEST_SCATTER) + requests / history
    return inflation

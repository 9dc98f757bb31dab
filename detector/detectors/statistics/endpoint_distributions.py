"""The distance of a day's endpoint distribution from a key's usual distribution, for all keys and days at once.

``Panel.endpoint_counts(n)`` gives one sparse matrix (keys x endpoints) per day over one vocabulary. All other
arrays are keys x days. So the comparison needs no loop over keys and no Python object per key.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import gammaln

from detector.detectors.statistics.baseline import Flags, Floats
from detector.detectors.statistics.outliers import outliers

LEAST_HISTORY = 20
"""A key's usual distribution needs at least this many requests with an endpoint."""
TYPICAL_SCATTER = 0.01
SMALLEST_SCATTER = 1e-4
LARGEST_SCATTER = 0.5
PRIOR_DAYS = 8
"""The fleet's scatter counts like this many days of a key."""
PRIOR_REQUESTS = 100
"""The fleet's share of requests to new endpoints counts like this many requests of a key."""
LEAST_NEW = 1e-3
OUTLIER_LIMIT = 12.0
"""A day is an outlier if its distance is this many times the distance by chance."""
_GRID = np.linspace(np.log(1e-6), np.log(100), 2_000)


@dataclass(frozen=True)
class Distances:
    """Keys x days, the evaluated day last. The usual distribution of a day is that of all other earlier days."""

    requests: Floats
    """Requests with an endpoint."""
    history: Floats
    """Requests behind the usual distribution; days with many requests have less weight."""
    deviance: Floats
    chance: Floats
    """The mean of the deviance by chance, including the scatter of the distribution from day to day."""
    freedom: Floats
    """Degrees of freedom of the chi-square distribution with this mean and variance."""
    moved: Floats
    """The share of requests outside the usual distribution."""


def distances(days: list[csr_array], reference: Flags) -> Distances:
    """Compare the last day with all earlier days, and each earlier day with the other earlier days.

    ``reference`` marks the keys that the values of the fleet rest on.
    """
    requests = np.column_stack([day.sum(axis=1) for day in days]).astype(np.float64)
    weights = 1 / (1 + requests * TYPICAL_SCATTER)
    weights[:, -1] = 0.0
    usual = _usual(days, weights)
    positions = _positions(usual)
    history = (weights * requests).sum(axis=1, keepdims=True) - weights * requests
    known_deviance = np.zeros(requests.shape)
    new = np.zeros(requests.shape)
    moved = np.zeros(requests.shape)
    for column, day in enumerate(days):
        rows, counts, others = _entries(day, usual, positions, weights[:, column])
        total = requests[rows, column]
        known = others > 0
        share = np.where(known, others, 1) / np.maximum(history[rows, column], 1e-9)
        deviances = np.where(known, counts * np.log(counts / (total * share)), 0)
        known_deviance[:, column] = np.bincount(rows, deviances, len(requests))
        new[:, column] = np.bincount(rows, np.where(known, 0, counts), len(requests))
        above = np.where(known, np.maximum(counts / total - share, 0), counts / total)
        moved[:, column] = np.bincount(rows, above, len(requests))
    novelty = _novelty(new, weights, history, reference)
    # All new endpoints together count as one more endpoint, whose usual share is the novelty.
    new_deviance = new * np.log(np.maximum(new, 1) / (np.maximum(requests, 1) * novelty))
    deviance = np.maximum(2 * (known_deviance - (requests - new) * np.log1p(-novelty) + new_deviance), 0)
    mean, variance = _by_chance(usual, requests, novelty)
    inflation = _inflation(deviance / mean, requests, np.maximum(history, 1), reference)
    return Distances(requests, history, deviance, mean * inflation, 2 * mean**2 / variance, moved)


def _rows(matrix: csr_array) -> NDArray[np.int64]:
    """The row of each stored entry."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


def _usual(days: list[csr_array], weights: Floats) -> csr_array:
    """The sum of all days but the last, weighted by key and day."""
    total = csr_array(days[0].shape, dtype=np.float64)
    for column, day in enumerate(days[:-1]):
        data = day.data * weights[_rows(day), column]
        total = total + csr_array((data, day.indices, day.indptr), shape=day.shape)
    return total.sorted_indices()


def _positions(matrix: csr_array) -> NDArray[np.int64]:
    """Row and column of each stored entry as one number; the numbers ascend."""
    positions: NDArray[np.int64] = _rows(matrix) * max(matrix.shape[1], 1) + matrix.indices
    return positions


def _entries(
    day: csr_array, usual: csr_array, positions: NDArray[np.int64], weight: Floats
) -> tuple[NDArray[np.int64], Floats, Floats]:
    """A day's entries: their rows, their counts, and the weighted counts of the other days at the same positions.

    ``positions`` are those of the entries of ``usual``; ``weight`` is the day's weight in ``usual``, by key.
    """
    rows = _rows(day)
    counts = day.data.astype(np.float64)
    if not len(positions):
        return rows, counts, np.zeros(len(rows))
    day_positions = _positions(day)
    found = np.minimum(np.searchsorted(positions, day_positions), len(positions) - 1)
    all_days = np.where(positions[found] == day_positions, usual.data[found], 0.0)
    others = all_days - counts * weight[rows]
    others[others < 1e-9 * all_days] = 0.0  # rounding leaves a tiny rest if only this day has the endpoint
    return rows, counts, others


def _novelty(new: Floats, weights: Floats, history: Floats, reference: Flags) -> Floats:
    """The expected share of requests to new endpoints: an average of the key's own share and the fleet's."""
    # Without a history all endpoints are new, which says nothing about the key.
    own = np.where(history >= LEAST_HISTORY, weights * new, 0)
    fleet = max(own[reference].sum() / max(history[reference, -1].sum(), 1e-9), LEAST_NEW)
    others = own.sum(axis=1, keepdims=True) - own
    share: Floats = (others + PRIOR_REQUESTS * fleet) / (history + PRIOR_REQUESTS)
    return share.clip(LEAST_NEW, 0.9)


def _by_chance(usual: csr_array, requests: Floats, novelty: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of the deviance if chance draws each day from the usual distribution; never tiny."""
    means, variances = _poisson_deviance()
    rows = _rows(usual)
    share = usual.data / np.maximum(usual.sum(axis=1), 1e-9)[rows]
    rest = 1 - share
    log_share = np.log(share)
    log_requests = np.log(np.maximum(requests, 1e-6))
    nearest = _nearest(log_requests + np.log(novelty))
    mean = (1 - novelty) * means[nearest]
    variance = (1 - novelty) ** 2 * variances[nearest]
    for column in range(requests.shape[1]):
        nearest = _nearest(log_requests[rows, column] + log_share)
        mean[:, column] += np.bincount(rows, rest * means[nearest], len(requests))
        variance[:, column] += np.bincount(rows, rest**2 * variances[nearest], len(requests))
    return np.maximum(mean, 0.5), np.maximum(variance, 1.0)


def _nearest(log_mean: Floats) -> NDArray[np.int64]:
    """The position in ``_GRID`` that is nearest to the logarithm of a mean."""
    steps = (log_mean - _GRID[0]) * ((len(_GRID) - 1) / (_GRID[-1] - _GRID[0])) + 0.5
    positions: NDArray[np.int64] = steps.clip(0, len(_GRID) - 1).astype(np.int64)
    return positions


@cache
def _poisson_deviance() -> tuple[Floats, Floats]:
    """Mean and variance of the deviance of a Poisson count, for each logarithm of its mean in ``_GRID``."""
    mean = np.exp(_GRID)[:, None]
    count = np.arange(300.0)
    chance = np.exp(count * _GRID[:, None] - mean - gammaln(count + 1))
    deviance = 2 * (count * (np.log(np.maximum(count, 1)) - _GRID[:, None]) - (count - mean))
    first = (chance * deviance).sum(axis=1)
    return first, (chance * deviance**2).sum(axis=1) - first**2


def _inflation(ratio: Floats, requests: Floats, history: Floats, reference: Flags) -> Floats:
    """The factor by which deviances exceed chance, from the scatter of each key's distribution on its other days.

    ``ratio`` is the deviance divided by its mean by chance.
    """
    information = requests * TYPICAL_SCATTER / (1 + requests * TYPICAL_SCATTER)
    excess = (ratio - 1 - requests / history) / (1 + requests * TYPICAL_SCATTER)
    usable = (requests > 0) & (history >= LEAST_HISTORY)
    usable[:, -1] = False  # the evaluated day must not explain itself
    limit = OUTLIER_LIMIT * (1 + requests * TYPICAL_SCATTER)
    usable &= ~outliers(ratio / limit, usable)
    information = np.where(usable, information, 0)
    excess = np.where(usable, excess, 0)
    total = information.sum(axis=1)
    informative = reference & (total >= 1)
    fleet = 1.0
    if informative.any():
        fleet = float(np.median(excess.sum(axis=1)[informative] / total[informative]))
    others = excess.sum(axis=1, keepdims=True) - excess + PRIOR_DAYS * max(fleet, 0.0)
    scatter = TYPICAL_SCATTER * others / (total[:, None] - information + PRIOR_DAYS)
    inflation: Floats = 1 + requests * np.clip(scatter, SMALLEST_SCATTER, LARGEST_SCATTER) + requests / history
    return inflation

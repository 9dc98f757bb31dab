"""The error rate to expect from a key by its history, and the surprise of a day's errors.

The model of errors is beta-binomial: the rate varies from day to day around its mean. The estimates are the moment
estimates of Kleinman (1973), Proportions with extraneous variance, JASA 68 (341).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, gammaln, ndtri_exp

from detector.detectors.statistics.baseline import Flags, Floats
from detector.detectors.statistics.outliers import outliers

LOWEST_RATE = 0.005
"""The lowest error rate to expect: one request in 200 may always fail."""
TYPICAL_SCATTER = 0.01
SMALLEST_SCATTER = 5e-4
LARGEST_SCATTER = 0.5
PRIOR_DAYS = 8
"""The fleet's scatter counts like this many days of a key."""
LEAST_STRENGTH = 2.0
"""The fleet's rate counts like at least this many requests of a key."""
OUTLIER_LIMIT = 5.0
"""A day is an outlier if its error rate lies this many SD above the mean rate."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)


@dataclass(frozen=True)
class Rates:
    """Per key: the error rate to expect, and its scatter.

    A scatter of 0 is a fixed rate. With a scatter of 1, all requests of a day fail or none.
    """

    mean: Floats
    scatter: Floats


def usual_rates(requests: Floats, errors: Floats, reference: Flags) -> Rates:
    """Estimate error rates from counts of keys x days. Days without requests have no weight.

    ``reference`` marks the keys that the values of the fleet rest on.
    """
    weights = requests / (1 + np.maximum(requests - 1, 0) * TYPICAL_SCATTER)
    rates = errors / np.maximum(requests, 1)
    mean, _ = _mean(rates, weights, reference)
    weights = _without_outliers(rates - mean[:, None], weights, mean)
    mean, strength = _mean(rates, weights, reference)
    own = _scatter(requests, rates, weights, mean, reference)
    return Rates(mean, np.clip(own + 1 / (strength + 1), SMALLEST_SCATTER, LARGEST_SCATTER))


def surprise(errors: Floats, requests: Floats, usual: Rates) -> Floats:
    """The distance of each count of errors above its expectation, in SD of a normal value with the same tail."""
    expected = requests * usual.mean
    z: Floats = (errors - expected) / np.sqrt(np.maximum(variance(requests, usual), 1e-12))
    z = np.where(requests > 0, np.minimum(z, 0), 0.0)
    above = np.flatnonzero(errors > expected)
    total = 1 / usual.scatter[above] - 1
    a = usual.mean[above] * total
    b = (1 - usual.mean[above]) * total
    sd = np.sqrt(variance(requests, usual))[above]
    z[above] = -ndtri_exp(np.minimum(log_tail(errors[above], requests[above], a, b, sd), -1e-9))
    return z


def log_tail(errors: Floats, requests: Floats, a: Floats, b: Floats, sd: Floats) -> Floats:
    """The logarithm of P(X > errors) + P(X = errors) / 2 for beta-binomial X, for errors above the mean.

    A Gauss-Legendre integral approximates the sum. Its scale is fine near ``errors``, where the slope there sets
    the step, and coarse far out. The result is exact to a few percent, also for tiny probabilities.
    """

    def log_mass(count: Floats, n: Floats, a: Floats, b: Floats) -> Floats:
        mass: Floats = -gammaln(count + 1) - gammaln(n - count + 1) + betaln(count + a, n - count + b)
        return mass

    top = log_mass(errors, requests, a, b)
    reach = requests + 0.5 - errors
    ahead = np.minimum(0.5, reach / 2)
    slope = (top - log_mass(errors + ahead, requests, a, b)) / ahead
    step = np.minimum(1 / (np.maximum(slope, 0) + 1 / np.maximum(sd, 0.1)), reach)
    length = np.log1p(reach / step)
    grid = length[:, None] * (_NODES + 1) / 2
    count = np.minimum(errors[:, None] + step[:, None] * np.expm1(grid), requests[:, None] + 0.5)
    relative = log_mass(count, requests[:, None], a[:, None], b[:, None]) - top[:, None]
    area = np.maximum((np.exp(relative + grid) * _WEIGHTS).sum(axis=1) * length / 2 * step, 0.5)
    constant = gammaln(requests + 1) - betaln(a, b)
    tail: Floats = top + constant + np.log(area)
    return tail


def _mean(rates: Floats, weights: Floats, reference: Flags) -> tuple[Floats, Floats]:
    """Each key's mean rate, averaged with the fleet's rate, and its strength as a number of requests.

    The rates of the reference keys follow a beta distribution, whose mean and strength are moment estimates from
    the observed rates (empirical Bayes).
    """
    total = weights.sum(axis=1)
    own = (weights * rates).sum(axis=1) / np.maximum(total, 1e-9)
    key_weights = np.where(reference, total / (total + 1 / TYPICAL_SCATTER), 0.0)
    fleet = float(np.clip((key_weights * own).sum() / max(key_weights.sum(), 1e-9), LOWEST_RATE, 0.5))
    noise = fleet * (1 - fleet) / np.maximum(total, 1)
    between = (key_weights * ((own - fleet) ** 2 - noise)).sum() / max(key_weights.sum(), 1e-9)
    strength = float(np.clip(fleet * (1 - fleet) / max(between, 1e-9) - 1, LEAST_STRENGTH, 1_000))
    if not key_weights.any():
        strength = LEAST_STRENGTH
    mean = (total * own + strength * fleet) / (total + strength)
    return np.clip(mean, LOWEST_RATE, 1 - LOWEST_RATE), total + strength


def _without_outliers(residuals: Floats, weights: Floats, mean: Floats) -> Floats:
    """The weights with zero for each key's few days far above its other days."""
    limit = OUTLIER_LIMIT * np.sqrt(mean * (1 - mean))
    ratio = residuals * np.sqrt(weights) / limit[:, None]
    return np.where(outliers(ratio, weights > 0), 0.0, weights)


def _scatter(requests: Floats, rates: Floats, weights: Floats, mean: Floats, reference: Flags) -> Floats:
    """Each key's scatter by moments, averaged with the fleet's scatter."""
    share = weights / np.maximum(weights.sum(axis=1), 1e-9)[:, None]
    factor = weights * (1 - share)
    chance = (factor / np.maximum(requests, 1)).sum(axis=1)
    squares = (weights * (rates - mean[:, None]) ** 2).sum(axis=1) / (mean * (1 - mean))
    days = factor.sum(axis=1) - chance
    # Keys with more errors tell more about the scatter of the fleet.
    key_weights = np.where(reference, days * mean * (1 - mean), 0.0)
    own = np.minimum((squares - chance) / np.maximum(days, 1e-9), LARGEST_SCATTER)
    fleet = TYPICAL_SCATTER
    if key_weights.any():
        fleet = float((key_weights * own).sum() / key_weights.sum())
    pooled = (squares - chance) * TYPICAL_SCATTER + PRIOR_DAYS * max(fleet, 0.0)
    scatter: Floats = np.maximum(pooled, 0) / (days * TYPICAL_SCATTER + PRIOR_DAYS)
    return scatter


def variance(requests: Floats, usual: Rates) -> Floats:
    """The variance of the errors among each key's requests."""
    variance: Floats = requests * usual.mean * (1 - usual.mean) * (1 + np.maximum(requests - 1, 0) * usual.scatter)
    return variance

"""The share of a key's requests that fails: what its history leads us to expect, and how surprising a day is.

Errors are counted as beta-binomial: the rate moves from day to day around its mean. The moments are
those of Kleinman (1973), Proportions with extraneous variance, JASA 68 (341).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, gammaln, ndtri_exp

from detector.detectors.statistics.baseline import Floats

LOWEST_RATE = 0.005
"""No error rate is believed to be below this: one request in 200 may always fail."""
TYPICAL_SCATTER = 0.01
SMALLEST_SCATTER, LARGEST_SCATTER = 5e-4, 0.5
PRIOR_DAYS = 8
"""The fleet's scatter counts like this many days of the key's own."""
FORGOTTEN_EVERY, FORGOTTEN_BEYOND = 28, 5.0
"""One bad day in this many may be left out of a key's history, when it lies this many SD above the rest."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)


@dataclass(frozen=True)
class Rates:
    """Per key: the error rate to expect, and its scatter, 0 for a fixed rate and 1 for all or nothing."""

    mean: Floats
    scatter: Floats


def usual_rates(requests: Floats, errors: Floats) -> Rates:
    """Error rates to expect from keys x days of counts; days without requests say nothing."""
    weights = requests / (1 + np.maximum(requests - 1, 0) * TYPICAL_SCATTER)
    rates = errors / np.maximum(requests, 1)
    mean, _ = _mean(rates, weights)
    weights = _forget(rates - mean[:, None], weights, mean)
    mean, strength = _mean(rates, weights)
    own = _scatter(requests, rates, weights, mean)
    return Rates(mean, np.clip(own + 1 / (strength + 1), SMALLEST_SCATTER, LARGEST_SCATTER))


def surprise(errors: Floats, requests: Floats, usual: Rates) -> Floats:
    """How far each count of errors lies above what is usual, in SD of a normal with the same tail."""
    expected = requests * usual.mean
    z: Floats = (errors - expected) / np.sqrt(np.maximum(variance(requests, usual), 1e-12))
    z = np.where(requests > 0, np.minimum(z, 0), 0.0)
    above = np.flatnonzero(errors > expected)
    total = 1 / usual.scatter[above] - 1
    a, b = usual.mean[above] * total, (1 - usual.mean[above]) * total
    sd = np.sqrt(variance(requests, usual))[above]
    z[above] = -ndtri_exp(np.minimum(log_tail(errors[above], requests[above], a, b, sd), -1e-9))
    return z


def log_tail(errors: Floats, requests: Floats, a: Floats, b: Floats, sd: Floats) -> Floats:
    """The logarithm of P(X > errors) + P(X = errors) / 2 for beta-binomial X, for errors above the mean.

    The sum is taken as an integral, by Gauss-Legendre on a scale that is fine near ``errors``, where the
    probability falls by the slope there, and coarse far out. Exact to a few percent however small.
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


def _mean(rates: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Each key's mean rate drawn towards the fleet's, and how many requests it is worth.

    The fleet is a beta distribution of keys' rates, with mean and strength from the moments of the rates
    seen (empirical Bayes).
    """
    worth = weights.sum(axis=1)
    own = (weights * rates).sum(axis=1) / np.maximum(worth, 1e-9)
    say = worth / (worth + 1 / TYPICAL_SCATTER)
    fleet = float(np.clip((say * own).sum() / max(say.sum(), 1e-9), LOWEST_RATE, 0.5))
    noise = fleet * (1 - fleet) / np.maximum(worth, 1)
    between = (say * ((own - fleet) ** 2 - noise)).sum() / max(say.sum(), 1e-9)
    strength = float(np.clip(fleet * (1 - fleet) / max(between, 1e-9) - 1, 2, 1_000))
    mean = (worth * own + strength * fleet) / (worth + strength)
    return np.clip(mean, LOWEST_RATE, 1 - LOWEST_RATE), worth + strength


def _forget(residuals: Floats, weights: Floats, mean: Floats) -> Floats:
    """The weights without each key's few days far above the others."""
    kept = weights.copy()
    allowed = ((weights > 0).sum(axis=1) + FORGOTTEN_EVERY // 2) // FORGOTTEN_EVERY
    distance = residuals * np.sqrt(weights)
    limit = FORGOTTEN_BEYOND * np.sqrt(mean * (1 - mean))
    rows = np.arange(len(weights))
    for round_ in range(int(allowed.max(initial=0))):
        worst = distance.argmax(axis=1)
        out = (allowed > round_) & (distance[rows, worst] > limit)
        kept[rows[out], worst[out]] = 0.0
        distance[rows, worst] = 0.0
    return kept


def _scatter(requests: Floats, rates: Floats, weights: Floats, mean: Floats) -> Floats:
    """Each key's scatter by moments, drawn towards the fleet's, in which keys with more errors say more."""
    share = weights / np.maximum(weights.sum(axis=1), 1e-9)[:, None]
    factor = weights * (1 - share)
    chance = (factor / np.maximum(requests, 1)).sum(axis=1)
    squares = (weights * (rates - mean[:, None]) ** 2).sum(axis=1) / (mean * (1 - mean))
    days = factor.sum(axis=1) - chance
    say = days * mean * (1 - mean)
    own = np.minimum((squares - chance) / np.maximum(days, 1e-9), LARGEST_SCATTER)
    fleet = (say * own).sum() / say.sum() if say.any() else TYPICAL_SCATTER
    drawn = (squares - chance) * TYPICAL_SCATTER + PRIOR_DAYS * max(float(fleet), 0.0)
    scatter: Floats = np.maximum(drawn, 0) / (days * TYPICAL_SCATTER + PRIOR_DAYS)
    return scatter


def variance(requests: Floats, usual: Rates) -> Floats:
    """The variance of the errors among each key's requests."""
    variance: Floats = requests * usual.mean * (1 - usual.mean) * (1 + np.maximum(requests - 1, 0) * usual.scatter)
    return variance

"""The requests to expect from a key by its history, and the distance of a day from this expectation.

Counts are compared on the scale ``t(x) = 2 sqrt(x + 3/8)`` (Anscombe 1948). On this scale a Poisson count has a
standard deviation of about 1 at any mean. A spread is therefore at least 1, and a constant history or a history of
zeros needs no special case.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detector.model.panel import Panel

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Rows = slice | NDArray[np.int64]
"""Some keys of a panel."""

HALF_LIFE = 14
"""The weight of a day halves with this many days of age."""
RECENT = 14
SAMPLE = 5_000
BLOCK = 1_024
"""Keys per block; a block of this size fits into the cache of a processor."""
ESTABLISHED = 28
"""From this many days on, a key's own spread is used as it is."""
YOUNG_PRIOR = 8
"""The fleet's spread counts like this many days of a key without history."""
DISPERSION_PRIOR = 10
"""The fleet's dispersion counts like this many days of a key."""
FEWEST_PEERS = 6
"""Fewer established keys give no typical values of the fleet."""
OUTLIER_CORRECTION = 1.08**2
"""If the largest of 56 normal values is cut to the second largest, their variance is too small by this factor."""
SMALLEST_DISPERSION = 0.01
TINY = 1e-9


def anscombe(counts: NDArray[np.int64] | Floats) -> Floats:
    """Transform counts to the scale on which a Poisson count has SD 1."""
    transformed: Floats = 2 * np.sqrt(counts + 0.375)
    return transformed


def counts_of(transformed: Floats) -> Floats:
    """The inverse of ``anscombe``; a value below the transformed zero gives zero."""
    counts: Floats = np.maximum((np.maximum(transformed, 0) / 2) ** 2 - 0.375, 0)
    return counts


@dataclass(frozen=True)
class Baseline:
    """Per key: mean and SD (at least 1) on the Anscombe scale, and the number of days in them."""

    mean: Floats
    spread: Floats
    days: NDArray[np.int64]


def baseline(counts: NDArray[np.int64], observed: Flags) -> Baseline:
    """The unweighted baseline of each row over its observed days (columns); NaN if there are too few days."""
    transformed = anscombe(counts)
    days = observed.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(observed, transformed, 0).sum(axis=1) / days
        squares = np.where(observed, (transformed - mean[:, None]) ** 2, 0).sum(axis=1)
        spread = np.maximum(np.sqrt(squares / (days - 1)), 1)
    return Baseline(mean, np.where(days > 1, spread, np.nan), days)


@dataclass(frozen=True)
class Expectation:
    """The requests to expect from each key on one day, by the key's own history.

    ``mean`` and ``spread`` are on the Anscombe scale and hold for the day's weekday. ``rate`` and ``dispersion``
    describe the counts as negative binomial. ``record`` and ``recent`` are the second-highest counts of the
    baseline and of its last 14 days; the highest count may be an outlier.
    """

    mean: Floats
    spread: Floats
    days: NDArray[np.int64]
    rate: Floats
    dispersion: Floats
    record: Floats
    recent: Floats


def expect_day(panel: Panel, day: int, rows: Rows, baseline_days: int) -> Expectation:
    """The expectation for some keys on one day, a position in the panel's days, from the days before it."""
    window = slice(max(day - baseline_days, 0), day)
    weekdays = panel.weekdays
    return expectation(
        panel.requests[rows, window],
        panel.observed[rows, window],
        panel.reference[rows],
        weekdays[window],
        int(weekdays[day]),
    )


def expectation(
    counts: NDArray[np.int64], observed: Flags, reference: Flags, weekdays: NDArray[np.int64], weekday: int
) -> Expectation:
    """The expectation for the day after the given days.

    ``counts`` and ``observed`` are keys x days, the latest day last. ``reference`` marks the keys that the values
    of the fleet rest on. ``weekdays`` holds the weekday of each day
    as a number, and ``weekday`` is the weekday of the expected day. The computation goes through the keys in
    blocks, which also limits the memory.
    """
    effects = fleet_effects(counts, observed, reference)
    parts = []
    for start in range(0, max(len(counts), 1), BLOCK):
        rows = slice(start, start + BLOCK)
        parts.append(_expect_block(counts[rows], observed[rows], weekdays, weekday, effects))
    columns = {}
    for name in Expectation.__dataclass_fields__:
        columns[name] = np.concatenate([getattr(part, name) for part in parts])
    return _pool_with_fleet(Expectation(**columns), reference)


def fleet_effects(counts: NDArray[np.int64], observed: Flags, reference: Flags) -> Floats:
    """The common rise of the fleet on each day: the median distance of keys above their own mean, in SD.

    The effect is never below 0, and 0 in a small fleet. The median is that of the reference keys, or of a sample
    of them at even steps.
    """
    sample = sampled(reference, SAMPLE)
    counts = counts[sample]
    observed = observed[sample]
    usual = baseline(counts, observed)
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a day without any observed key has no median
        z = (anscombe(counts) - usual.mean[:, None]) / usual.spread[:, None]
        # Without gaps the plain median gives the same result four times as fast.
        has_gaps = not observed.all()
        medians = np.nanmedian(np.where(observed, z, np.nan), axis=0) if has_gaps else np.median(z, axis=0)
    weight = fleet_weight(int(reference.sum()))
    effects: Floats = weight * np.maximum(np.nan_to_num(medians), 0)
    return effects


def sampled(flags: Flags, most: int) -> NDArray[np.int64]:
    """The positions of the flags that are set, or a sample of them at even steps. A sample has ``most`` to
    ``2 most - 1`` positions."""
    positions = np.flatnonzero(flags)
    return positions[:: max(len(positions) // most, 1)]


def _expect_block(
    counts: NDArray[np.int64],
    observed: Flags,
    weekdays: NDArray[np.int64],
    weekday: int,
    effects: Floats,
) -> Expectation:
    width = counts.shape[1]
    has_data = observed.astype(np.float64)
    days = observed.sum(axis=1)
    weights = has_data * 0.5 ** (np.arange(width)[::-1] / HALF_LIFE)
    with np.errstate(invalid="ignore", divide="ignore"):
        weights /= weights.sum(axis=1, keepdims=True)
        record = _second_highest(counts, observed)
        # The record cuts the highest count, so that one outlier does not raise the mean and the spread.
        values = np.minimum(anscombe(counts) - _common_rise(counts, observed, effects), anscombe(record)[:, None])
        mean = (weights * values).sum(axis=1)
        unweighted_mean = (has_data * values).sum(axis=1) / days
        correction = OUTLIER_CORRECTION * days / (days - 1)
        variance = correction * (weights * (values - mean[:, None]) ** 2).sum(axis=1)
        by_weekday = np.eye(7)[weekdays]
        weekday_days = has_data @ by_weekday
        weekday_means = ((has_data * values) @ by_weekday) / weekday_days
        effect = np.where(weekday_days > 0, weekday_means - unweighted_mean[:, None], 0)
        # The effect of weekdays shrinks by the part of its variance that chance explains.
        chance = variance * 7 / days
        excess = np.maximum((effect**2).mean(axis=1) - chance, 0)
        effect *= (excess / (excess + chance + TINY))[:, None]
        residual = values - mean[:, None] - effect[:, weekdays]
        variance = correction * (weights * residual**2).sum(axis=1)
        rate, dispersion = _negative_binomial(counts, has_data, days)
    return Expectation(
        mean=np.where(days > 1, mean + effect[:, weekday], np.nan),
        spread=np.where(days > 1, np.sqrt(np.maximum(variance, 1)), np.nan),
        days=days,
        rate=rate,
        dispersion=dispersion,
        record=record,
        recent=_second_highest(counts[:, -RECENT:], observed[:, -RECENT:]),
    )


def _common_rise(counts: NDArray[np.int64], observed: Flags, effects: Floats) -> Floats | float:
    """The fleet's common rise on each key's days, on the Anscombe scale."""
    if not effects.any():
        return 0.0
    return baseline(counts, observed).spread[:, None] * effects


def _second_highest(counts: NDArray[np.int64], observed: Flags) -> Floats:
    """The second-highest observed count of each row; 0 if there are fewer than two."""
    if counts.shape[1] < 2:
        return np.zeros(len(counts))
    observed_counts = np.where(observed, counts, 0)
    return np.partition(observed_counts, -2, axis=1)[:, -2].astype(np.float64)


def _negative_binomial(
    counts: NDArray[np.int64], has_data: Floats, days: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Rate and dispersion by the method of moments: variance = rate + dispersion * rate^2."""
    values = counts * has_data
    rate = (values.sum(axis=1) + 0.5) / (days + 1)
    mean = values.sum(axis=1) / days
    variance = (has_data * (counts - mean[:, None]) ** 2).sum(axis=1) / (days - 1)
    return rate, np.maximum((variance - rate) / rate**2, SMALLEST_DISPERSION)


def _pool_with_fleet(whole: Expectation, reference: Flags) -> Expectation:
    """Average the spread of young keys, and the dispersion of all keys, with the typical values of the fleet.

    The weights are the numbers of days behind each value, as in edgeR and limma for many short series.
    """
    established = reference & (whole.days >= ESTABLISHED) & np.isfinite(whole.spread)
    if established.sum() < FEWEST_PEERS:
        return whole
    typical = float(np.median(whole.spread[established] ** 2))
    prior = YOUNG_PRIOR * np.clip((ESTABLISHED - whole.days) / ESTABLISHED, 0, 1)
    own = np.maximum(whole.days - 1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        pooled = np.maximum((own * whole.spread**2 + prior * typical) / (own + prior), 1)
        spread = np.sqrt(np.where(prior > 0, np.maximum(pooled, whole.spread**2) * (1 + 1 / whole.days), pooled))
    busy = established & (whole.rate * whole.days > 10)
    if busy.sum() < FEWEST_PEERS:
        return replace(whole, spread=spread)
    usual = float(np.median(np.log(whole.dispersion[busy])))
    share = whole.days / (whole.days + DISPERSION_PRIOR)
    dispersion = np.exp(share * np.log(whole.dispersion) + (1 - share) * usual)
    return replace(whole, spread=spread, dispersion=dispersion)


def burst_score(counts: NDArray[np.int64], expected: Expectation) -> Floats:
    """The signed root deviance of a negative binomial count; small if the key's history has such bursts."""
    rate, dispersion = expected.rate, expected.dispersion
    safe = np.maximum(counts, TINY)
    deviance = safe * np.log(safe / rate) - (safe + 1 / dispersion) * np.log1p(
        dispersion * (safe - rate) / (1 + dispersion * rate)
    )
    signed: Floats = np.sign(counts - rate) * np.sqrt(np.maximum(2 * deviance, 0))
    return signed


def fleet_weight(keys: int, floor: int = 10, full: int = 50) -> float:
    """The weight of the fleet in the judgement of one key: 0 up to ``floor`` keys, 1 from ``full`` keys on."""
    return float(np.clip((keys - floor) / (full - floor), 0, 1))

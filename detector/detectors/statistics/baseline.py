"""What a key's history leads us to expect, and how far a day lies from it.

Counts are compared on the scale ``t(x) = 2 sqrt(x + 3/8)`` (Anscombe 1948), on which a Poisson count has
a standard deviation of about 1 whatever its mean. A spread below 1 is therefore never believed, and a
constant or all-zero history needs no special case.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detector.model.panel import Panel

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


HALF_LIFE = 14
"""Days after which a day of the baseline counts half."""
RECENT = 14
SAMPLE = 5_000
BLOCK = 1_024
ESTABLISHED = 28
"""Days from which a key's own spread needs no help."""
YOUNG_PRIOR = 8
DISPERSION_PRIOR = 10
FEWEST_PEERS = 6
OUTLIER_CORRECTION = 1.08**2
"""The variance of 56 normal values whose largest was cut to the second largest is too small by this."""
SMALLEST_DISPERSION = 0.01
TINY = 1e-9


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
    """Per key: mean and SD (at least 1) on the Anscombe scale, and the days they rest on."""

    mean: Floats
    spread: Floats
    days: NDArray[np.int64]


def baseline(counts: NDArray[np.int64], observed: Flags) -> Baseline:
    """The plain baseline of every row over the observed days (columns); NaN where there is none."""
    transformed = anscombe(counts)
    days = observed.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(observed, transformed, 0).sum(axis=1) / days
        squares = np.where(observed, (transformed - mean[:, None]) ** 2, 0).sum(axis=1)
        spread = np.maximum(np.sqrt(squares / (days - 1)), 1)
    return Baseline(mean, np.where(days > 1, spread, np.nan), days)


@dataclass(frozen=True)
class Expectation:
    """What each key's own history leads us to expect of one day.

    ``mean`` and ``spread`` are on the Anscombe scale and hold for the day's weekday; ``rate`` and
    ``dispersion`` describe the counts as negative binomial; ``record`` and ``recent`` are the
    second-highest counts of the baseline and of its last 14 days (one outlier is no record).
    """

    mean: Floats
    spread: Floats
    days: NDArray[np.int64]
    rate: Floats
    dispersion: Floats
    record: Floats
    recent: Floats


def expect_day(panel: Panel, day: int, rows: slice, baseline_days: int) -> Expectation:
    """What the days before lead us to expect of one day, an index into the panel's days, for some of its keys."""
    window = slice(max(day - baseline_days, 0), day)
    weekdays = panel.weekdays
    return expectation(
        panel.requests[rows, window], panel.observed[rows, window], weekdays[window], int(weekdays[day])
    )


def expectation(
    counts: NDArray[np.int64], observed: Flags, weekdays: NDArray[np.int64], weekday: int
) -> Expectation:
    """Expect a day from the days before it: counts and observed are keys x days, the latest day last.

    ``weekdays`` numbers the days' weekdays, ``weekday`` is that of the day to expect. Keys are worked
    through in blocks that fit a processor's cache, which also bounds the memory.
    """
    effects = fleet_effects(counts, observed)
    parts = [
        _expect_block(counts[rows], observed[rows], weekdays, weekday, effects)
        for rows in (slice(start, start + BLOCK) for start in range(0, max(len(counts), 1), BLOCK))
    ]
    names = Expectation.__dataclass_fields__
    whole = Expectation(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
    return _share_strength(whole)


def fleet_effects(counts: NDArray[np.int64], observed: Flags) -> Floats:
    """How far the typical key lay above its own mean on each day, in SD; never below 0, 0 in a small fleet.

    Taken from at most ``SAMPLE`` keys at even steps: a median needs no more.
    """
    step = max(len(counts) // SAMPLE, 1)
    usual = baseline(counts[::step], observed[::step])
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a day without any observed key has no median
        z = (anscombe(counts[::step]) - usual.mean[:, None]) / usual.spread[:, None]
        whole = observed[::step].all()  # a median that need not look for gaps is four times as fast
        medians = np.median(z, axis=0) if whole else np.nanmedian(np.where(observed[::step], z, np.nan), axis=0)
    weight = _fleet_weight(len(counts))
    effects: Floats = weight * np.maximum(np.nan_to_num(medians), 0)
    return effects


def _expect_block(
    counts: NDArray[np.int64],
    observed: Flags,
    weekdays: NDArray[np.int64],
    weekday: int,
    effects: Floats,
) -> Expectation:
    width = counts.shape[1]
    seen = observed.astype(np.float64)
    days = observed.sum(axis=1)
    weights = seen * 0.5 ** (np.arange(width)[::-1] / HALF_LIFE)
    with np.errstate(invalid="ignore", divide="ignore"):
        weights /= weights.sum(axis=1, keepdims=True)
        record = _second_highest(counts, observed)
        values = np.minimum(anscombe(counts) - _lift(counts, observed, effects), anscombe(record)[:, None])
        mean, typical = (weights * values).sum(axis=1), (seen * values).sum(axis=1) / days
        correction = OUTLIER_CORRECTION * days / (days - 1)
        variance = correction * (weights * (values - mean[:, None]) ** 2).sum(axis=1)
        by_weekday = np.eye(7)[weekdays]
        known = seen @ by_weekday
        apart = np.where(known > 0, ((seen * values) @ by_weekday) / known - typical[:, None], 0)
        chance = variance * 7 / days
        real = np.maximum((apart**2).mean(axis=1) - chance, 0)
        apart *= (real / (real + chance + TINY))[:, None]
        residual = values - mean[:, None] - apart[:, weekdays]
        variance = correction * (weights * residual**2).sum(axis=1)
        rate, dispersion = _negative_binomial(counts, seen, days)
    return Expectation(
        mean=np.where(days > 1, mean + apart[:, weekday], np.nan),
        spread=np.where(days > 1, np.sqrt(np.maximum(variance, 1)), np.nan),
        days=days,
        rate=rate,
        dispersion=dispersion,
        record=record,
        recent=_second_highest(counts[:, -RECENT:], observed[:, -RECENT:]),
    )


def _lift(counts: NDArray[np.int64], observed: Flags, effects: Floats) -> Floats | float:
    """What the fleet's common rises add to each key's days on the Anscombe scale."""
    if not effects.any():
        return 0.0
    return baseline(counts, observed).spread[:, None] * effects


def _second_highest(counts: NDArray[np.int64], observed: Flags) -> Floats:
    """The second-highest observed count of each row, 0 where there are fewer than two."""
    if counts.shape[1] < 2:
        return np.zeros(len(counts))
    seen = np.where(observed, counts, 0)
    return np.partition(seen, -2, axis=1)[:, -2].astype(np.float64)


def _negative_binomial(counts: NDArray[np.int64], seen: Floats, days: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Rate and dispersion by moments: variance = rate + dispersion * rate^2."""
    values = counts * seen
    rate = (values.sum(axis=1) + 0.5) / (days + 1)
    mean = values.sum(axis=1) / days
    variance = (seen * (counts - mean[:, None]) ** 2).sum(axis=1) / (days - 1)
    return rate, np.maximum((variance - rate) / rate**2, SMALLEST_DISPERSION)


def _share_strength(whole: Expectation) -> Expectation:
    """Keys with a short history borrow from the fleet: their spread, and every key's dispersion.

    As edgeR and limma do for many short series, a key's own estimate and the fleet's typical one are
    averaged by how many days stand behind each.
    """
    established = (whole.days >= ESTABLISHED) & np.isfinite(whole.spread)
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
    """The signed root deviance of a negative binomial count: what a bursty key's own bursts make of it."""
    rate, dispersion = expected.rate, expected.dispersion
    safe = np.maximum(counts, TINY)
    deviance = safe * np.log(safe / rate) - (safe + 1 / dispersion) * np.log1p(
        dispersion * (safe - rate) / (1 + dispersion * rate)
    )
    signed: Floats = np.sign(counts - rate) * np.sqrt(np.maximum(2 * deviance, 0))
    return signed


def _fleet_weight(keys: int, floor: int = 10, full: int = 50) -> float:
    """How far a fleet of so many keys may excuse one of them: 0 up to ``floor``, 1 from ``full`` keys on."""
    return float(np.clip((keys - floor) / (full - floor), 0, 1))


def day_view(scores: Floats) -> tuple[float, float]:
    """Centre and scale of one day's scores across the fleet, to judge keys against what all did.

    The centre is the median, counted upward only: a quiet fleet excuses nobody. The scale is the upper
    spread (90th percentile, as a normal SD), at least 1. Both fade out between 50 and 10 keys, since in
    a small fleet two spikes would excuse each other.
    """
    judged = scores[~np.isnan(scores)]
    weight = _fleet_weight(len(judged))
    if weight == 0:
        return 0.0, 1.0
    median, upper = np.quantile(judged, [0.5, 0.9])
    return weight * max(float(median), 0.0), 1 + weight * max(float(upper - median) / 1.2816 - 1, 0.0)

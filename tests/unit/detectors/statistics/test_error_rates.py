"""The error rates to expect by a history, and the surprise of a day."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import betabinom

from detector.detectors.statistics.error_rates import Rates, log_tail, surprise, usual_rates, variance


def one(value: float) -> np.ndarray:
    """A value as an array of one key."""
    return np.array([value], dtype=float)


@pytest.mark.parametrize(
    ("requests", "mean", "scatter", "errors"),
    [
        (10, 0.02, 0.01, 6),
        (100, 0.05, 0.05, 20),
        (100, 0.05, 0.05, 60),
        (10_000, 0.02, 0.03, 6_000),
        (50, 0.5, 0.01, 30),
    ],
)
def test_the_tail_agrees_with_the_sum_of_all_probabilities(
    requests: int, mean: float, scatter: float, errors: int
) -> None:
    """The integral is close to the exact sum on the logarithmic scale."""
    total = 1 / scatter - 1
    chances = betabinom.pmf(np.arange(errors, requests + 1), requests, mean * total, (1 - mean) * total)
    exact = np.log(chances[1:].sum() + chances[0] / 2)
    sd = np.sqrt(variance(one(requests), Rates(one(mean), one(scatter))))
    tail = log_tail(one(errors), one(requests), one(mean * total), one((1 - mean) * total), sd)
    assert tail[0] == pytest.approx(exact, rel=0.05, abs=0.02)


def test_no_surge_saturates_the_score() -> None:
    """More errors always give a higher score, and the score stays finite."""
    requests = np.array([1e3, 1e5, 1e7, 1e9])
    z = surprise(requests * 0.9, requests, Rates(np.full(4, 0.01), np.full(4, 5e-4)))
    assert np.isfinite(z).all()
    usual = Rates(np.full(3, 0.01), np.full(3, 5e-4))
    rising = surprise(np.array([2e5, 4e5, 8e5]), np.full(3, 1e6), usual)
    assert (np.diff(rising) > 0).all()


def test_few_requests_are_averaged_with_the_fleet_and_many_are_not() -> None:
    """One failed request of two changes the rate little; many failed requests change it fully."""
    requests = np.full((50, 56), 40.0)
    errors = np.full((50, 56), 1.0)
    requests[0] = [2] + [0] * 55
    errors[0] = [1] + [0] * 55
    errors[1] = 20
    mean = usual_rates(requests, errors, np.ones(len(requests), bool)).mean
    assert mean[0] < 0.2
    assert mean[1] == pytest.approx(0.5, abs=0.02)


def test_without_reference_keys_a_key_keeps_its_own_rate() -> None:
    """Half of its few requests always fail, and no fleet says otherwise."""
    requests = np.full((3, 56), 4.0)
    mean = usual_rates(requests, requests / 2, np.zeros(3, bool)).mean
    assert mean == pytest.approx([0.5] * 3, abs=0.01)


def test_one_surge_in_a_history_is_left_out() -> None:
    """The rates with and without one day of failures are almost equal."""
    requests = np.full((20, 56), 40.0)
    errors = np.tile([0.0, 1.0], (20, 28))
    calm = usual_rates(requests, errors, np.ones(len(requests), bool))
    errors[0, 30] = 35
    with_surge = usual_rates(requests, errors, np.ones(len(requests), bool))
    assert with_surge.mean[0] == pytest.approx(calm.mean[0], rel=0.1)
    assert with_surge.scatter[0] < 0.05


def test_ordinary_days_are_as_rare_as_the_score_says() -> None:
    """About one in a thousand beta-binomial keys lies above 3.1 SD."""
    rng = np.random.default_rng(4)
    rates = rng.beta(1, 40, (20_000, 1))
    requests = rng.poisson(60, (20_000, 57)).astype(float)
    daily = rng.beta(np.broadcast_to(rates * 99 + 1e-9, requests.shape), (1 - rates) * 99)
    errors = rng.binomial(requests.astype(int), daily).astype(float)
    z = surprise(
        errors[:, -1], requests[:, -1], usual_rates(requests[:, :-1], errors[:, :-1], np.ones(len(requests), bool))
    )
    assert 0.0003 < (z > 3.09).mean() < 0.003 * 2

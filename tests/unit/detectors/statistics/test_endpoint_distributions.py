"""The distance of a day's endpoint distribution from the usual one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from detector.detectors.statistics.endpoint_distributions import Distances, distances


def days(counts: np.ndarray) -> list[csr_array]:
    """Counts of days x keys x endpoints as sparse matrices."""
    return [csr_array(day) for day in counts]


def distances_of(matrices: list[csr_array]) -> Distances:
    """The distances of a fleet whose keys are all reference keys."""
    return distances(matrices, np.ones(matrices[0].shape[0], bool))


def multinomial_counts(keys: int, requests: int, seed: int = 2) -> np.ndarray:
    """Thirty days of multinomial requests over four endpoints."""
    return np.random.default_rng(seed).multinomial(requests, [0.4, 0.3, 0.2, 0.1], size=(30, keys))


@pytest.mark.parametrize("requests", [5, 20, 200])
def test_the_deviance_of_ordinary_days_is_what_chance_gives(requests: int) -> None:
    """The mean deviance of many keys agrees with the mean by chance, also for small counts."""
    result = distances_of(days(multinomial_counts(2_000, requests)))
    assert result.deviance[:, -1].mean() == pytest.approx(result.chance[:, -1].mean(), rel=0.25)


def test_a_day_is_compared_with_the_others_and_not_with_itself() -> None:
    """An endpoint used on a single day is new on that day."""
    counts = multinomial_counts(1, 40)
    counts[10, 0] = [0, 0, 0, 0]
    counts = np.concatenate([counts, np.zeros((30, 1, 1), dtype=int)], axis=2)
    counts[10, 0, 4] = 40
    result = distances_of(days(counts))
    assert result.moved[0, 10] == 1
    assert result.deviance[0, 10] > 20 * np.delete(result.deviance[0], 10).max()


def test_the_evaluated_day_does_not_change_the_earlier_days() -> None:
    """The deviance of earlier days is the same with a calm and a wild evaluated day."""
    calm = multinomial_counts(20, 40)
    wild = multinomial_counts(20, 40)
    wild[-1] = [0, 0, 0, 400]
    first = distances_of(days(calm))
    second = distances_of(days(wild))
    assert np.allclose(first.deviance[:, :-1], second.deviance[:, :-1])


def test_no_requests_and_no_endpoints_are_no_distance() -> None:
    """Empty days, and sources without endpoints, give zeros and no warning."""
    assert not distances_of([csr_array((3, 0), dtype=np.int64)] * 5).deviance.any()
    assert not distances_of([csr_array((3, 2), dtype=np.int64)] * 5).moved.any()

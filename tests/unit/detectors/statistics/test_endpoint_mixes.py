"""How far a day's endpoint mix lies from the usual one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from detector.detectors.statistics.endpoint_mixes import distances


def days(counts: np.ndarray) -> list[csr_array]:
    """Days x keys x endpoints as sparse matrices."""
    return [csr_array(day) for day in counts]


def drawn(keys: int, requests: int, seed: int = 2) -> np.ndarray:
    """Thirty days of multinomial requests over four endpoints."""
    return np.random.default_rng(seed).multinomial(requests, [0.4, 0.3, 0.2, 0.1], size=(30, keys))


@pytest.mark.parametrize("requests", [5, 20, 200])
def test_the_deviance_of_ordinary_days_is_what_chance_gives(requests: int) -> None:
    """Its mean over many keys agrees with the mean by chance, for small counts too."""
    seen = distances(days(drawn(2_000, requests)))
    assert seen.deviance[:, -1].mean() == pytest.approx(seen.chance[:, -1].mean(), rel=0.25)


def test_a_day_is_compared_with_the_others_and_not_with_itself() -> None:
    """An endpoint used on a single day is new on that day."""
    counts = drawn(1, 40)
    counts[10, 0] = [0, 0, 0, 0]
    counts = np.concatenate([counts, np.zeros((30, 1, 1), dtype=int)], axis=2)
    counts[10, 0, 4] = 40
    seen = distances(days(counts))
    assert seen.moved[0, 10] == 1
    assert seen.deviance[0, 10] > 20 * np.delete(seen.deviance[0], 10).max()


def test_current_teaches_the_earlier_days_nothing() -> None:
    """Their deviance is the same whatever the judged day holds."""
    calm, wild = drawn(20, 40), drawn(20, 40)
    wild[-1] = [0, 0, 0, 400]
    first, second = distances(days(calm)), distances(days(wild))
    assert np.allclose(first.deviance[:, :-1], second.deviance[:, :-1])


def test_no_requests_and_no_endpoints_are_no_distance() -> None:
    """Empty days, and a source without endpoints, give zeros and no warning."""
    assert not distances([csr_array((3, 0), dtype=np.int64)] * 5).deviance.any()
    assert not distances([csr_array((3, 2), dtype=np.int64)] * 5).moved.any()

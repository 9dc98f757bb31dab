"""Small fleets: a day's fleet statistics must not excuse the few keys there are."""

from __future__ import annotations

import numpy as np
import pytest

from detector.config.sections import DetectionSettings
from detector.detectors.usage_spike import UsageSpike
from detector.judging.thresholds import calibrate, keys_above
from tests.panels import panel


@pytest.mark.parametrize(("keys", "spikes"), [(1, 1), (5, 1), (5, 2), (20, 1), (20, 2)])
@pytest.mark.parametrize("seed", range(3))
def test_tenfold_spikes_fire_whatever_the_size_of_the_fleet(keys: int, spikes: int, seed: int) -> None:
    """One key, or two at once."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(np.exp(rng.normal(4, 0.5, keys))[:, None], (keys, 121))
    counts[:spikes, -1] = counts[:spikes, :-1].mean(axis=1) * 10
    subject = panel({f"k{index:02d}": row.tolist() for index, row in enumerate(counts)})
    judgement = UsageSpike(DetectionSettings()).judge(subject)
    assert judgement.past is not None
    threshold = calibrate(judgement.past, 1 / 3)
    named = keys_above(judgement.scores, threshold.score)
    assert set(named) == {f"k{index:02d}" for index in range(spikes)}

"""Whether the alert budget holds on fleets in which nothing happens: alarms raised against alarms allowed.

    python benchmarks/budget.py [--days 200] [--keys 300 10000]

Stationary Poisson and negative binomial fleets; every day is judged with only the days before it.
"""

from __future__ import annotations

import argparse
import math
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.config.sections import DetectionSettings
from detector.detectors.usage_spike import UsageSpike
from detector.judging.thresholds import calibrate, keys_above
from detector.model.panel import DailyCounts, Panel

DEPTH = 120
BUDGET = 1.0
NOTHING = DailyCounts(pd.Index([]), [])


def counts(kind: str, keys: int, days: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """A fleet of keys of very different size, each stationary."""
    rate = np.exp(rng.normal(3, 1.2, keys))[:, None]
    if kind == "poisson":
        return rng.poisson(rate, (keys, days))
    dispersion = 0.3
    return rng.negative_binomial(1 / dispersion, 1 / (1 + dispersion * rate), (keys, days))


def panel(requests: NDArray[np.int64], last: date) -> Panel:
    """The last days of a fleet as a panel."""
    keys = pd.Index([f"key-{index:06d}" for index in range(len(requests))], name="key_id")
    records = pd.DataFrame({"key_id": keys, "active": True}).set_index(keys)
    days = [last - timedelta(days=requests.shape[1] - 1 - index) for index in range(requests.shape[1])]
    return Panel(
        keys=keys,
        days=np.array(days, dtype="datetime64[D]"),
        requests=requests,
        errors=np.zeros_like(requests),
        known=np.ones(requests.shape, bool),
        missing=np.zeros(requests.shape[1], bool),
        records=records,
        last_uses=np.full(requests.shape[1], np.datetime64("NaT")),
        timezone=ZoneInfo("UTC"),
        maps=lambda column, wanted: [],
        endpoint_counts=lambda count: NOTHING,
        deployment_counts=lambda count: NOTHING,
    )


def alarms(kind: str, keys: int, days: int) -> int:
    """How many key-days are named over so many days."""
    rng, detector, raised = np.random.default_rng(1), UsageSpike(DetectionSettings()), 0
    requests = counts(kind, keys, DEPTH + days, rng)
    for day in range(days):
        subject = panel(requests[:, day : day + DEPTH + 1], date(2026, 1, 1) + timedelta(days=day))
        judgement = detector.judge(subject)
        assert judgement.past is not None
        threshold = calibrate(judgement.past, BUDGET)
        raised += len(keys_above(judgement.scores, threshold.score))
    return raised


def main() -> None:
    """Print alarms against the budget with three binomial standard errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=200)
    parser.add_argument("--keys", type=int, nargs="+", default=[300, 10_000])
    options = parser.parse_args()
    for keys in options.keys:
        for kind in ("poisson", "negative binomial"):
            allowed = keys * options.days * BUDGET / 1000
            raised, error = alarms(kind, keys, options.days), 3 * math.sqrt(allowed)
            verdict = "within" if raised <= allowed + error else "BEYOND"
            print(
                f"{keys:,} keys, {kind}: {raised} alarms, budget {allowed:.0f} (+{error:.0f}): {verdict}",
                flush=True,
            )


if __name__ == "__main__":
    main()

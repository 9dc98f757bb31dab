"""Whether the alert budget holds on fleets in which nothing happens: alarms raised against alarms allowed.

    python benchmarks/budget.py [--nights 200] [--keys 300 10000]

Stationary Poisson and negative binomial fleets; every night is judged with only the nights before it.
"""

from __future__ import annotations

import argparse
import math
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.config.sections import Detection
from detector.detectors.usage_spike import UsageSpike
from detector.judging import policy
from detector.model.panel import Mixes, Panel

DEPTH = 120
BUDGET = 1.0
NOTHING = Mixes(pd.Index([]), [])


def counts(kind: str, keys: int, nights: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """A fleet of keys of very different size, each stationary."""
    rate = np.exp(rng.normal(3, 1.2, keys))[:, None]
    if kind == "poisson":
        return rng.poisson(rate, (keys, nights))
    dispersion = 0.3
    return rng.negative_binomial(1 / dispersion, 1 / (1 + dispersion * rate), (keys, nights))


def panel(requests: NDArray[np.int64], last: date) -> Panel:
    """The last nights of a fleet as a panel."""
    keys = pd.Index([f"key-{index:06d}" for index in range(len(requests))], name="key_id")
    records = pd.DataFrame({"key_id": keys, "active": True}).set_index(keys)
    nights = [last - timedelta(days=requests.shape[1] - 1 - index) for index in range(requests.shape[1])]
    return Panel(
        keys=keys,
        nights=np.array(nights, dtype="datetime64[D]"),
        requests=requests,
        errors=np.zeros_like(requests),
        known=np.ones(requests.shape, bool),
        missing=np.zeros(requests.shape[1], bool),
        records=records,
        last_uses=np.full(requests.shape[1], np.datetime64("NaT")),
        timezone=ZoneInfo("UTC"),
        maps=lambda column, wanted: [],
        mixes=lambda count: NOTHING,
        places=lambda count: NOTHING,
    )


def alarms(kind: str, keys: int, nights: int) -> int:
    """How many key-nights are named over so many nights."""
    rng, detector, raised = np.random.default_rng(1), UsageSpike(Detection()), 0
    requests = counts(kind, keys, DEPTH + nights, rng)
    for night in range(nights):
        subject = panel(requests[:, night : night + DEPTH + 1], date(2026, 1, 1) + timedelta(days=night))
        threshold = policy.calibrate(detector.past_scores(subject), BUDGET)
        raised += len(policy.named(detector.judge(subject), threshold.score))
    return raised


def main() -> None:
    """Print alarms against the budget with three binomial standard errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nights", type=int, default=200)
    parser.add_argument("--keys", type=int, nargs="+", default=[300, 10_000])
    options = parser.parse_args()
    for keys in options.keys:
        for kind in ("poisson", "negative binomial"):
            allowed = keys * options.nights * BUDGET / 1000
            raised, error = alarms(kind, keys, options.nights), 3 * math.sqrt(allowed)
            verdict = "within" if raised <= allowed + error else "BEYOND"
            print(
                f"{keys:,} keys, {kind}: {raised} alarms, budget {allowed:.0f} (+{error:.0f}): {verdict}",
                flush=True,
            )


if __name__ == "__main__":
    main()

"""What scoring a day and its past costs: microseconds a key, and as a ratio to a bare numpy mean and SD.

python benchmarks/scoring.py [--keys 100000]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from detector.config.sections import DetectionSettings
from detector.detectors.unusual_pattern import UnusualPattern
from detector.detectors.usage_spike import UsageSpike
from detector.model.panel import DailyCounts, Panel


def made_up_panel(keys: int, days: int = 71) -> Panel:
    """A Poisson fleet with three endpoints a key."""
    rng = np.random.default_rng(0)
    requests = rng.poisson(np.exp(rng.normal(2, 1.5, keys))[:, None], (keys, days)).astype(np.int64)
    names = pd.Index([f"key-{index:07d}" for index in range(keys)], name="key_id")
    records = pd.DataFrame({"key_id": names, "active": True, "registered": True, "environment": "live"}).set_index(
        names
    )
    columns, owners = rng.integers(0, 20, 3 * keys), np.repeat(np.arange(keys), 3)
    matrix = csr_array((np.ones(3 * keys), (owners, columns)), shape=(keys, 20))
    dates = [date(2026, 3, 17) - timedelta(days=days - 1 - index) for index in range(days)]
    return Panel(
        keys=names,
        days=np.array(dates, dtype="datetime64[D]"),
        requests=requests,
        errors=np.zeros_like(requests),
        known=np.ones(requests.shape, bool),
        missing=np.zeros(days, bool),
        records=records,
        last_uses=np.full(days, np.datetime64("NaT")),
        timezone=ZoneInfo("UTC"),
        maps=lambda column, wanted: [],
        endpoint_counts=lambda count: DailyCounts(pd.Index(range(20)), [matrix] * min(count, days)),
        deployment_counts=lambda count: DailyCounts(pd.Index(range(20)), [matrix] * min(count, days)),
    )


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """The best of several runs."""
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def main() -> None:
    """Time the bare statistics and both methods on the same panel."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=100_000)
    panel = made_up_panel(parser.parse_args().keys)
    history = panel.requests[:, -57:-1]
    bare = seconds(lambda: (history.mean(axis=1), history.std(axis=1)))
    print(f"{len(panel.keys):,} keys x 56 days; bare mean and SD {bare / len(panel.keys) * 1e6:.2f} us a key")
    for detector in (
        UsageSpike(DetectionSettings()),
        UnusualPattern(DetectionSettings(method="isolation_forest")),
    ):
        taken = seconds(lambda detector=detector: detector.judge(panel))  # type: ignore[misc]
        cost = taken / len(panel.keys) * 1e6
        print(f"{detector.kind}: {cost:.2f} us a key, {taken / bare:.1f} times the bare statistics")


if __name__ == "__main__":
    main()

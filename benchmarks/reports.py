"""How long the reports of a large day take: HTML and JSON of 500 findings on 10,000 keys.

python benchmarks/reports.py [--findings 500] [--keys 10000] [--rounds 5]

Prints the median time and the size of every format. Exit 1 where HTML and JSON together take more than two seconds
or the page is not below three megabytes.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from detector.config.plugins import REPORTERS
from detector.model.report import RunReport
from detector.reports import reporter
from tests.crowded_day import crowded_day

LIMIT_SECONDS = 2.0
LIMIT_BYTES = 3_000_000


def measure(report: RunReport, form: str, rounds: int) -> tuple[float, int]:
    """Median seconds of a rendering, and the bytes that it gives."""
    times, text = [], ""
    for _ in range(rounds):
        began = time.perf_counter()
        text = reporter(form).render(report)
        times.append(time.perf_counter() - began)
    return statistics.median(times), len(text.encode())


def main() -> int:
    """Measure every format and hold the two that are always written to their limits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--findings", type=int, default=500)
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    report = crowded_day(options.findings, options.keys)
    measured = {form: measure(report, form, options.rounds) for form in REPORTERS}
    for form, (seconds, size) in measured.items():
        print(f"{form:9} {seconds:6.2f} s  {size / 1e6:6.2f} MB")
    both = measured["html"][0] + measured["json"][0]
    print(f"html and json together: {both:.2f} s (limit {LIMIT_SECONDS:.0f} s)")
    return int(both > LIMIT_SECONDS or measured["html"][1] >= LIMIT_BYTES)


if __name__ == "__main__":
    sys.exit(main())

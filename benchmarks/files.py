"""Measure the files source: synthetic events in Parquet, against the bare DuckDB GROUP BY with the same answer.

    python benchmarks/files.py [--events 50000000] [--keys 2000] [--days 31]

Each side runs in a process of its own, so that its peak memory is its own. Prints seconds, peak memory and
the ratio of the best of ``--repeat`` runs.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

FIRST = date(2026, 1, 1)
FILES = 16
EVENTS = """
    COPY (SELECT TIMESTAMPTZ '2026-01-01 00:00:00Z'
                     + to_seconds(((hash(i) % 1000003) / 1000003.0) * 86400 * {days}) AS timestamp,
                 'key_' || (hash(i * 7 + 1) % {keys}) AS key_id,
                 'GET /v1/resource' || (hash(i * 11 + 3) % 12) AS endpoint,
                 CASE WHEN hash(i * 13 + 5) % 50 = 0 THEN 503 ELSE 200 END AS status,
                 CASE WHEN hash(i * 17) % 9 = 0 THEN 'staging' ELSE 'production' END AS deployment
          FROM range({start}, {end}) AS numbers(i)) TO '{path}' (FORMAT parquet)"""
BARE = """
    SELECT CAST(timestamp AS DATE) AS day, key_id, endpoint, deployment, count(*),
           sum((status >= 400)::INTEGER), max(timestamp)
    FROM read_parquet('{pattern}') GROUP BY ALL"""


def write_events(folder: Path, events: int, keys: int, days: int) -> None:
    """The events, spread over some files."""
    step = events // FILES
    for number in range(FILES):
        path, start = folder / f"events-{number:02d}.parquet", number * step
        duckdb.execute(EVENTS.format(days=days, keys=keys, start=start, end=start + step, path=path))


def bare(folder: Path, days: int) -> int:
    """The requests that a plain statement counts."""
    connection = duckdb.connect(config={"memory_limit": "1GB", "temp_directory": str(folder / "spill")})
    connection.execute("SET TimeZone = 'UTC'")
    rows = connection.execute(BARE.format(pattern=folder / "*.parquet")).to_arrow_table()
    return int(sum(rows.column(4).to_pylist()))


def source(folder: Path, days: int) -> int:
    """The requests that the source counts."""
    from detector.config.source import FilesSource
    from detector.sources import open_source

    reader = open_source(FilesSource(usage=str(folder / "*.parquet")), ZoneInfo("UTC"))
    last = FIRST + timedelta(days=days - 1)
    return sum(int(frame["request_count"].sum()) for _, frame in reader.usage(FIRST, last))


def measure(side: str, folder: Path, days: int) -> dict[str, float]:
    """Run one side in a process of its own: seconds without start-up, peak memory in GB, requests counted."""
    command = [sys.executable, __file__, "--side", side, "--folder", str(folder), "--days", str(days)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def one_side(options: argparse.Namespace) -> None:
    """What a process of its own does."""
    run = {"bare": bare, "source": source}[options.side]
    import detector.sources.files  # noqa: F401 - its import is not part of the work

    started = time.perf_counter()
    requests = run(options.folder, options.days)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({"seconds": seconds, "gigabytes": peak, "requests": requests}))


def main() -> None:
    """Write the events, run both sides, print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=50_000_000)
    parser.add_argument("--keys", type=int, default=2_000)
    parser.add_argument("--days", type=int, default=31)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--side", choices=["bare", "source"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        one_side(options)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_events(folder, options.events, options.keys, options.days)
        runs = [
            [measure(side, folder, options.days) for side in ("bare", "source")] for _ in range(options.repeat)
        ]
    assert all(plain["requests"] == ours["requests"] for plain, ours in runs), runs
    best = [min(pair[side]["seconds"] for pair in runs) for side in (0, 1)]
    peaks = [max(pair[side]["gigabytes"] for pair in runs) for side in (0, 1)]
    print(f"{options.events:,} events, {options.keys:,} keys, {options.days} days")
    print(f"bare GROUP BY {best[0]:.1f} s, peak {peaks[0]:.2f} GB")
    print(
        f"files source  {best[1]:.1f} s, peak {peaks[1]:.2f} GB, {best[1] / best[0]:.2f} times the bare statement"
    )


if __name__ == "__main__":
    main()

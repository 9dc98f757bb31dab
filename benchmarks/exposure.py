"""What one customer with any number of invented names does to the size of everything.

    python -m benchmarks.exposure [--names 100000] [--only TEXT] [--json]

Each row is the demo's day with so many invented keys, or endpoints or deployments of one key, each with one
request. It has the sizes of report, mail and history, the rows of the day and of the day after it, and what the
run takes in a process of its own. *before* is the day without them.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice, product
from pathlib import Path
from string import ascii_lowercase
from tempfile import TemporaryDirectory
from typing import Any

from detector.cli.demo import JUDGED_DAY, make
from detector.config.load import load
from detector.delivery import open_channels
from detector.pipeline import Job, build_report, judge_day, pull_what_is_needed
from detector.reports import reporter

NOW = datetime(2026, 3, 18, 2, 30, tzinfo=UTC)
ONE_DAY = timedelta(days=1)
REGISTER = "  keys: api_keys\n"
MAIL = "delivery: {mail: {host: 127.0.0.1, from: a@example.com, to: [b@example.com]}}\n"
ATTACKS = ("before", "keys", "keys without a register", "endpoints", "deployments")
SIZES = ("report.html", "report.json", "mail", "history")
COLUMNS = (*SIZES, "rows", "rows a day later", "memory", "seconds")


def words() -> Iterator[str]:
    """Names of letters alone, which no rule takes for an id."""
    return ("".join(letters) for letters in product(ascii_lowercase, repeat=4))


def rows(attack: str, names: int, key: str) -> Iterator[tuple[str, str, str, int, str, str]]:
    """The requests of an attack as rows of the demo's table; ``key`` is the key that invents."""
    moment = f"{JUDGED_DAY} 12:00:00"
    for word in islice(words(), names):
        if attack.startswith("keys"):
            yield moment, f"invented-{word}", "GET /v1/orders", 401, "production", "192.0.2.1"
        elif attack == "endpoints":
            yield moment, key, f"GET /v1/{word}", 404, "production", "192.0.2.1"
        elif attack == "deployments":
            yield moment, key, "GET /v1/orders", 200, word, "192.0.2.1"


def prepare(folder: Path) -> None:
    """The demo with a mail to send, and its history up to the day."""
    config = make(folder)
    config.write_text(config.read_text() + MAIL)
    job = Job.assemble(load(config), NOW)
    pull_what_is_needed(job, JUDGED_DAY)
    job.history.remove(JUDGED_DAY)


def attacked(folder: Path, attack: str, names: int) -> None:
    """Put an attack into a copy of the demo."""
    with closing(sqlite3.connect(folder / "usage.db")) as connection, connection:
        (key,) = connection.execute("SELECT key_id FROM api_keys WHERE environment = 'live' LIMIT 1").fetchone()
        connection.executemany("INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?)", rows(attack, names, key))
    if attack.endswith("without a register"):
        config = folder / "config.yaml"
        config.write_text(config.read_text().replace(REGISTER, ""))


def measured(folder: Path) -> dict[str, Any]:
    """Judge the day in this process and report it; the sizes in bytes, the memory in MB."""
    began = time.perf_counter()
    job = Job.assemble(load(folder / "config.yaml"), NOW)
    pull_what_is_needed(job, JUDGED_DAY)
    report = build_report(job, judge_day(job, JUDGED_DAY), "run")
    sizes: dict[str, Any] = {
        f"report.{form}": len(reporter(form).render(report).encode()) for form in ("html", "json")
    }
    (channel,) = open_channels(job.config)
    sizes["mail"] = sum(len(message.payload or b"") for message in channel.messages([report]))
    seconds = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    sizes["history"] = job.history.path(JUDGED_DAY).stat().st_size
    sizes["rows"] = len(job.history.read(JUDGED_DAY))
    later = Job.assemble(load(folder / "config.yaml"), NOW + ONE_DAY, state=job.state)
    pull_what_is_needed(later, JUDGED_DAY + ONE_DAY)
    sizes["rows a day later"] = len(job.history.read(JUDGED_DAY + ONE_DAY))
    return {**sizes, "memory": memory, "seconds": round(seconds, 1)}


def table(names: int, only: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every attack, each judged in a process of its own."""
    with TemporaryDirectory() as name:
        demo = Path(name) / "demo"
        prepare(demo)
        for attack in ATTACKS:
            if only not in attack:
                continue
            folder = Path(name) / attack.replace(" ", "-")
            shutil.copytree(demo, folder)
            attacked(folder, attack, names)
            arguments = [sys.executable, __file__, "--measure", str(folder)]
            done = subprocess.run(arguments, capture_output=True, text=True, check=True)
            yield attack, json.loads(done.stdout)
            shutil.rmtree(folder)


def cell(column: str, value: float) -> str:
    """A size in kB, and everything else as it is."""
    return f"{value / 1000:,.0f} kB" if column in SIZES else f"{value:,}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", type=int, default=100_000)
    parser.add_argument("--only", default="", help="the attacks whose name holds this text")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is not None:
        print(json.dumps(measured(options.measure)))
        return
    if not options.json:
        print(f"| invented | {' | '.join(COLUMNS)} |\n|{'---|' * (len(COLUMNS) + 1)}")
    for attack, found in table(options.names, options.only):
        cells = [cell(column, found[column]) for column in COLUMNS]
        line = json.dumps({"invented": attack, **found}) if options.json else f"| {attack} | {' | '.join(cells)} |"
        print(line, flush=True)


if __name__ == "__main__":
    main()

"""Several organizations in one source, each with an installation of its own, and their mornings.

``fleet`` is the fleet of a service that other companies use too: steady keys of two organizations, one rotation
and one spike. ``small_fleets`` has a few keys for each of any number of organizations.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from detector.config.config import Config
from detector.config.load import load
from detector.model.day import each_day
from detector.operations.schedule.nightly import nightly

FIRST = date(2025, 12, 1)
LAST = date(2026, 3, 31)
ROTATION = date(2026, 3, 9)
SPIKE = date(2026, 3, 12)
Row = tuple[date, str, int]
Key = dict[str, str]


def fleet(folder: Path) -> None:
    """Write 32 keys of acme, one of which takes over from another, and 30 of globex, one with a spike."""
    chance = random.Random(7)
    keys = [_key(f"svc-{number:02d}", "acme") for number in range(30)]
    keys += [_key(f"gx-{number:02d}", "globex") for number in range(30)]
    keys += [_key("pay-v1", "acme"), _key("pay-v2", "acme", created_at="2026-03-08")]
    rows = []
    for day in each_day(FIRST, LAST):
        for key in keys[:60]:
            factor = 30 if (key["key_id"], day) == ("gx-00", SPIKE) else 1
            rows.append((day, key["key_id"], chance.randint(80, 120) * factor))
        rows.append((day, "pay-v1" if day < ROTATION else "pay-v2", chance.randint(90, 110)))
    _write(folder, rows, keys)


def small_fleets(folder: Path, organizations: Sequence[str]) -> None:
    """Write five keys for each organization, with spikes, silences and wakes of their own."""
    chance = random.Random(11)
    keys = [_key(f"{name}-{number}", name) for name in organizations for number in range(5)]
    rows = []
    for key in keys:
        silent_until = FIRST
        for day in each_day(FIRST, LAST):
            if chance.random() < 0.02:
                silent_until = day + timedelta(days=chance.choice([5, 40]))
            if day >= silent_until:
                rows.append((day, key["key_id"], chance.randint(80, 120) * chance.choice([1] * 30 + [40])))
    _write(folder, sorted(rows), keys)


def installed(folder: Path, organization: str, state_url: str, name: str) -> Config:
    """The installation of an organization over the source in a folder, with its files in a folder ``name``."""
    path = folder / f"{name}.yaml"
    path.write_text(
        f"organization: {organization}\n"
        "source: {kind: files, shape: daily, usage: usage.csv, keys: keys.csv}\n"
        "history: {path: var/NAME/history, first_pull_days: 40}\n"
        "report: {directory: var/NAME/reports, formats: [json]}\n".replace("NAME", name)
        + f"state: {{url: '{state_url}'}}\n"
    )
    return load(path)


def morning(config: Config, day: date) -> None:
    """The nightly run on the morning of a day. The source ends with the day before."""
    usage = Path(config.source.usage[0])  # type: ignore[union-attr]
    header, *lines = usage.with_suffix(".whole").read_text().splitlines(True)
    usage.write_text(header + "".join(line for line in lines if line < day.isoformat()))
    nightly(config, now=datetime.combine(day, time(6), UTC))


def reports(config: Config) -> dict[str, Any]:
    """Every report of an installation by its day, without the ids of the runs."""
    found = {}
    for path in sorted(Path(config.report.directory).glob("*/report.json")):
        found[path.parent.name] = json.loads(path.read_text())
        del found[path.parent.name]["report_id"]
        del found[path.parent.name]["run"]["run_id"]
    return found


def _key(key_id: str, organization: str, created_at: str = "2025-01-01") -> Key:
    return {"key_id": key_id, "environment": "live", "organization": organization, "created_at": created_at}


def _write(folder: Path, rows: Iterable[Row], keys: Sequence[Key]) -> None:
    with (folder / "usage.whole").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["day", "key_id", "endpoint", "deployment", "request_count", "error_count"])
        writer.writerows((day, key, "GET /v1/x", "production", count, 0) for day, key, count in rows)
    with (folder / "keys.csv").open("w", newline="") as file:
        written = csv.DictWriter(file, list(keys[0]))
        written.writeheader()
        written.writerows(keys)

"""A seeded organization to look around in: about 300 keys, 120 days of events, incidents planted on one day.

Everything is drawn from one seeded generator, so the demo is the same everywhere.
"""

from __future__ import annotations

import csv
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.random import Generator

from detector.boundary.disk import make_folder, touch_private
from detector.model.day import each_day
from detector.sources.pull import Progress, no_progress

JUDGED_DAY = date(2026, 3, 17)
DAYS = 120
SEED = 20260317
SERVICES = (
    "checkout", "billing", "search-web", "mobile-ios", "mobile-android", "partner-feed", "warehouse", "reports",
    "mailer", "crm-sync", "fraud-check", "pricing",
)  # fmt: skip
TEAMS = ("payments", "search", "growth", "platform", "data", "mobile")
ENDPOINTS = (
    "GET /v1/orders", "POST /v1/orders", "GET /v1/orders/{}", "GET /v1/customers/{}", "GET /v1/products",
    "GET /v1/products/{}", "POST /v1/payments", "GET /v1/prices", "POST /v1/search", "GET /v1/stock",
    "PUT /v1/stock/{}", "GET /v1/analytics/usage/by-key",
)  # fmt: skip
RECON = tuple(f"GET /v1/admin/{name}" for name in ("users", "keys", "billing", "exports", "audit", "roles"))
NEVER_USED = 12
RETIRED = 10
REVOKED = 6


@dataclass
class Key:
    """One made-up key and how it behaves."""

    key_id: str
    name: str
    environment: str
    team: str
    created: date
    revoked: date | None = None
    rate: float = 0.0
    endpoints: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    error_rate: float = 0.01
    weekend: float = 1.0
    active_share: float = 1.0
    last_use: date | None = None
    extra: dict[str, int] = field(default_factory=dict)


STRANGER = Key("key_unlisted", "", "", "", JUDGED_DAY, endpoints=("GET /v1/customers/{}",), weights=(1.0,))
"""A key that has requests on the day and is in no register."""

CONFIG = """\
# The configuration of the demo: a made-up organization in one SQLite database.
timezone: UTC
source:
  kind: sql
  url: sqlite:///usage.db
  shape: events
  usage: requests
  keys: api_keys
  columns: {timestamp: created, endpoint: path, client: address}
history: {path: var/history}
state: {url: "sqlite:///var/state.db"}
report: {directory: var/reports}
chargeback:
  currency: EUR
  prices:
    - {name: Test keys, price: 0, environment: test}
    - {name: Search, price: 1.20, per: 1000, endpoint: "* /v1/search*"}
    - {name: Payments, price: 0.015, endpoint: "POST /v1/payments"}
    - {name: Reads, price: 0.40, per: 1000, endpoint: "GET *"}
  shared:
    - {name: Gateway, amount: 1200, split: requests}
    - {name: On call, amount: 333.33, split: evenly}
    - {name: Launch credit, amount: -50, split: {growth: 3, search: 1}}
"""


def make(out: Path, progress: Progress = no_progress) -> Path:
    """Fill a folder with the organization's database and configuration; return the configuration's path.

    ``planted.csv`` beside it lists the incidents: day, key_id, type.
    """
    rng = np.random.default_rng(SEED)
    keys = _keys(rng)
    planted = _plant(keys)
    make_folder(out)
    if (out / "planted.csv").exists():  # an earlier demo: its history would be of other data
        shutil.rmtree(out / "var", ignore_errors=True)
    database = out / "usage.db"
    planted_file = out / "planted.csv"
    config = out / "config.yaml"
    database.unlink(missing_ok=True)
    for path in (database, planted_file, config):
        touch_private(str(path))
    with sqlite3.connect(database) as connection:
        _fill(connection, keys, rng, progress)
    connection.close()
    with planted_file.open("w", newline="") as file:
        csv.writer(file).writerows([("day", "key_id", "type"), *planted])
    config.write_text(CONFIG)
    return config


def _keys(rng: Generator) -> list[Key]:
    keys = []
    for number in range(300):
        service = SERVICES[number % len(SERVICES)]
        team = TEAMS[number % len(TEAMS)]
        environment = "live" if rng.random() < 0.75 else "test"
        size = int(rng.integers(1, 6))
        keys.append(
            Key(
                key_id=f"key_{rng.integers(16**8):08x}",
                name=f"{service}-{'prod' if environment == 'live' else 'staging'}-{number:03d}",
                environment=environment,
                team=team,
                created=JUDGED_DAY - timedelta(days=int(rng.integers(130, 900))),
                rate=float(np.exp(rng.normal(2.6, 1.3))),
                endpoints=tuple(rng.choice(ENDPOINTS, size=size, replace=False)),
                weights=tuple(rng.dirichlet(np.full(size, 2.0))),
                error_rate=float(rng.beta(1, 60)),
                weekend=float(rng.uniform(0.3, 1.0)),
                active_share=1.0 if rng.random() < 0.8 else float(rng.uniform(0.2, 0.8)),
            )
        )
    for key in keys[:NEVER_USED]:
        key.rate = 0.0
    for key in keys[NEVER_USED : NEVER_USED + RETIRED]:
        key.last_use = JUDGED_DAY - timedelta(days=int(rng.integers(35, 100)))
    for key in keys[NEVER_USED + RETIRED : NEVER_USED + RETIRED + REVOKED]:
        key.revoked = JUDGED_DAY - timedelta(days=int(rng.integers(5, 60)))
        key.last_use = key.revoked - timedelta(days=1)
    for key in keys[-5:]:
        key.created = JUDGED_DAY - timedelta(days=4)
    return keys


def _plant(keys: list[Key]) -> list[tuple[str, str, str]]:
    """Give some keys an incident on the day; return what was planted."""
    steady = [key for key in keys[40:-5] if 15 <= key.rate <= 200 and key.active_share == 1]
    live = [key for key in steady if key.environment == "live"]
    test = [key for key in steady if key.environment == "test"]
    plans = [
        ("usage_spike", live[0], "times", 16),
        ("usage_spike", live[1], "times", 6),
        ("usage_spike", test[0], "times", 40),
    ]
    plans += [
        ("dormant_wake", keys[NEVER_USED], "wake", 41),
        ("dormant_wake", keys[NEVER_USED + 1], "wake", 3),
    ]
    plans += [("dormant_wake", keys[0], "wake", 7)]
    plans += [("environment_mismatch", test[1], "stray", 180), ("environment_mismatch", test[2], "stray", 4)]
    plans += [("environment_mismatch", live[2], "stray", 25)]
    plans += [("error_surge", live[3], "fail", 60), ("endpoint_shift", live[4], "recon", 60)]
    plans += [("revoked_key_use", keys[NEVER_USED + RETIRED], "wake", 9), ("new_key_burst", keys[-1], "wake", 900)]
    for _, key, effect, size in plans:
        key.extra[effect] = size
    planted = [(JUDGED_DAY.isoformat(), key.key_id, kind) for kind, key, _, _ in plans]
    return [*planted, (JUDGED_DAY.isoformat(), "", "data_quality")]


def _fill(connection: sqlite3.Connection, keys: list[Key], rng: Generator, progress: Progress) -> None:
    connection.executescript(
        """
        CREATE TABLE api_keys (key_id TEXT PRIMARY KEY, name TEXT, environment TEXT, team TEXT,
                               created_at TEXT, revoked_at TEXT);
        CREATE TABLE requests (created TEXT NOT NULL, key_id TEXT, path TEXT, status INTEGER,
                               deployment TEXT, address TEXT);
        """
    )
    register = [
        (
            key.key_id,
            key.name,
            key.environment,
            key.team,
            key.created.isoformat(),
            key.revoked and key.revoked.isoformat(),
        )
        for key in keys
    ]
    connection.executemany("INSERT INTO api_keys VALUES (?, ?, ?, ?, ?, ?)", register)
    first = JUDGED_DAY - timedelta(days=DAYS)
    for done, day in enumerate(each_day(first, JUDGED_DAY), start=1):
        rows = [row for key in keys for row in _day(key, day, rng)]
        if day == JUDGED_DAY:
            rows += _requests(STRANGER, day, 23, "production", rng)
        connection.executemany("INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?)", rows)
        progress(day, done, DAYS + 1)
    connection.execute("CREATE INDEX requests_created ON requests (created)")


def _day(key: Key, day: date, rng: Generator) -> Iterator[tuple[str, str, str, int, str, str]]:
    home = "production" if key.environment == "live" else "staging"
    away = "staging" if home == "production" else "production"
    incident = key.extra if day == JUDGED_DAY else {}
    count = _count(key, day, rng) * incident.get("times", 1) + incident.get("wake", 0)
    failing = incident["fail"] / 100 if "fail" in incident else key.error_rate
    yield from _requests(replace(key, error_rate=failing), day, count, home, rng)
    yield from _requests(key, day, incident.get("stray", 0), away, rng)
    prying = replace(key, endpoints=RECON, weights=(1 / len(RECON),) * len(RECON), error_rate=0.5)
    yield from _requests(prying, day, incident.get("recon", 0), home, rng)


def _count(key: Key, day: date, rng: Generator) -> int:
    if day < key.created or (key.last_use and day > key.last_use) or rng.random() > key.active_share:
        return 0
    weekly = key.weekend if day.weekday() >= 5 else 1.0
    shape = 12.0
    return int(rng.poisson(key.rate * weekly * rng.gamma(shape, 1 / shape)))


def _requests(
    key: Key, day: date, count: int, deployment: str, rng: Generator
) -> Iterator[tuple[str, str, str, int, str, str]]:
    if not count:
        return
    seconds = rng.integers(0, 86_400, size=count)
    paths = rng.choice(len(key.endpoints), size=count, p=np.array(key.weights))
    failed = rng.random(count) < key.error_rate
    ids = rng.integers(1000, 9999, size=count)
    hosts = rng.integers(1, 4, size=count)
    midnight = datetime.combine(day, datetime.min.time(), UTC)
    for second, path, error, number, host in zip(seconds, paths, failed, ids, hosts, strict=True):
        moment = midnight + timedelta(seconds=int(second))
        yield (
            f"{moment:%Y-%m-%d %H:%M:%S}",
            key.key_id,
            key.endpoints[path].format(number),
            500 if error else 200,
            deployment,
            f"10.0.{sum(key.key_id.encode()) % 250}.{host}",
        )

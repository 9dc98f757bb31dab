"""How fast `serve` answers on loopback: pages of 100 keys and unchanged answers (304), from one worker.

python benchmarks/serve.py [--keys 10000] [--rate 200] [--seconds 10]

The server is a process of its own. Requests leave at a fixed rate whatever the answers do, and a time counts from
when a request was due, so that a server that falls behind cannot hide it. Exit 1 where p99 is not below 50 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import numpy as np
import pandas as pd

from detector.config.urls import BY_KEY_PATH
from detector.model.day import Day
from detector.model.owner import Owner
from detector.model.usage import KNOWN, REGISTER, TEXT
from detector.state.database import State
from detector.state.tokens import ApiToken, add_token, hash_of, new_secret
from detector.usage.aggregation import by_key, complete_day, empty
from detector.usage.history import History, Notes

DAY = date(2026, 3, 17)
DAYS = 7
LIMIT_MS = 50
ENDPOINTS = 5
CONNECTIONS = 16
MOST_PAGES = 20


def store(folder: Path, keys: int) -> str:
    """A history of seven days and a state with one token, which is returned."""
    history, rng = History(folder / "history", ZoneInfo("UTC")), np.random.default_rng(0)
    names = np.array([f"key_{number:08x}" for number in range(keys)])
    register = empty(REGISTER).reindex(range(keys)).assign(key_id=names, name=names, environment="live")
    known = empty({"key_id": TEXT, **KNOWN})
    for number in range(DAYS):
        day = Day(DAY - timedelta(days=number), ZoneInfo("UTC"))
        rows = pd.DataFrame({"key_id": np.repeat(names, ENDPOINTS), "deployment": "production", "error_count": 0})
        rows["endpoint"] = np.tile([f"GET /v1/things/{place}" for place in "abcde"], keys)
        rows["request_count"] = rng.poisson(40, len(rows)) + 1
        rows["last_used"] = day.start + timedelta(hours=20)
        notes = Notes(datetime.now(UTC), None, ())
        history.write(day.date, complete_day(by_key(rows), register, known, day), notes)
    secret = new_secret()
    with closing(State(f"sqlite:///{folder}/state.db", Owner(None, "main"))) as state:
        add_token(state, ApiToken("benchmark", None, hash_of(secret), datetime.now(UTC)))
    return secret


def start(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """A server over it, with limits out of the way."""
    (folder / "config.yaml").write_text(
        "source: {kind: files, usage: none.csv}\nhistory: {path: history}\nstate: {url: 'sqlite:///state.db'}\n"
        "serve: {requests_per_second: 100000, burst: 100000}\n"
    )
    command = [sys.executable, "-m", "detector", "serve", "--port", "0", "--config", str(folder / "config.yaml")]
    log = (folder / "log").open("w")
    process = subprocess.Popen(command, stderr=log, text=True)
    while not (lines := (folder / "log").read_text().splitlines()):
        time.sleep(0.05)
    return process, json.loads(lines[0])["listening"]


async def measure(
    address: tuple[str, int], requests: list[bytes], expected: bytes, rate: float, seconds: float
) -> list[float]:
    """Milliseconds from when each request was due to its whole answer.

    The client is as bare as can be, because it shares the machine with the server.
    """
    numbers, times = iter(range(int(rate * seconds))), []
    begin = time.perf_counter() + 0.2

    async def connection() -> None:
        reader, writer = await asyncio.open_connection(*address)
        for number in numbers:
            due = begin + number / rate
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            writer.write(requests[number % len(requests)])
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert head.split(b" ", 2)[1] == expected, head
            length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length or b"0"))
            times.append((time.perf_counter() - due) * 1000)
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    return times


def run(url: str, secret: str, rate: float, seconds: float) -> bool:
    """Both measurements; whether both were fast enough."""
    authorization = {"Authorization": f"Bearer {secret}"}
    with httpx.Client(base_url=url, headers=authorization, timeout=60) as client:
        begin = time.perf_counter()
        first = client.get(BY_KEY_PATH)
        print(f"first answer, prepared from the history: {(time.perf_counter() - begin) * 1000:.0f} ms")
        pages, page = [BY_KEY_PATH], first.json()
        while "next" in page and len(pages) < MOST_PAGES:
            pages.append(page["next"])
            page = client.get(pages[-1]).json()
    address, fast = (httpx.URL(url).host, httpx.URL(url).port or 80), True
    for name, headers, expected, asked in (
        ("pages of 100 keys", {}, b"200", pages),
        ("pages of 100 keys, packed", {"Accept-Encoding": "gzip"}, b"200", pages),
        ("unchanged (304)", {"If-None-Match": first.headers["etag"]}, b"304", pages[:1]),
    ):
        requests = [request(path, {"Host": "localhost", **authorization, **headers}) for path in asked]
        times = asyncio.run(measure(address, requests, expected, rate, seconds))
        p50, p99 = np.percentile(times, [50, 99])
        print(
            f"{name}: {len(times):,} at {rate:.0f}/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {max(times):.1f} ms"
        )
        fast &= bool(p99 < LIMIT_MS)
    return fast


def request(path: str, headers: dict[str, str]) -> bytes:
    """The bytes of a GET."""
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def main() -> int:
    """Store, serve, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        secret = store(Path(name), options.keys)
        process, url = start(Path(name))
        try:
            fast = run(url, secret, options.rate, options.seconds)
        finally:
            process.terminate()
            process.wait(30)
    return 0 if fast else 1


if __name__ == "__main__":
    sys.exit(main())

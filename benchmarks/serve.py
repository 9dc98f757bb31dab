"""How fast `serve` answers on loopback: pages of 100 keys and unchanged answers (304), and how fair it is.

python benchmarks/serve.py [--keys 10000] [--rate 200] [--seconds 10]
python benchmarks/serve.py --starving [--keys 10000] [--seconds 10]

The server is a process of its own. Requests leave at a fixed rate whatever the answers do, and a time counts from
when a request was due, so that a server that falls behind cannot hide it. Exit 1 where p99 is not below 50 ms.

With --starving, two tokens ask distinct questions of 92 days over 22 connections each, as fast as they are
answered: one that sees every key, and one that sees none. Meanwhile another token asks for single days, of which
some are prepared anew and some are known. Exit 1 where its p99 is above five times that of the idle server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from datetime import UTC, date, datetime, timedelta
from itertools import cycle, product
from multiprocessing import Process
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
STARVING_DAYS = 130
STARVING_CONNECTIONS = 22
SINGLE_DAYS = 25
SINGLE_RATE = 15  # a token may ask 20 times a second
MOST_SLOWER = 5
LIMIT_MS = 50
ENDPOINTS = 5
CONNECTIONS = 16
MOST_PAGES = 20


def store(folder: Path, keys: int) -> str:
    """A history of seven days and a state with one token that sees every key, which is returned."""
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
    return token(folder, "benchmark")


def token(folder: Path, name: str, organization: str | None = None) -> str:
    """A new token."""
    secret = new_secret()
    with closing(State(f"sqlite:///{folder}/state.db", Owner(None, "main"))) as state:
        add_token(state, ApiToken(name, organization, hash_of(secret), datetime.now(UTC)))
    return secret


def lengthen(folder: Path) -> None:
    """Make the history many days long: the earlier days are copies of its last one."""
    history = History(folder / "history", ZoneInfo("UTC"))
    for number in range(DAYS, STARVING_DAYS):
        copy = history.path(DAY - timedelta(days=number))
        copy.parent.mkdir()
        shutil.copy(history.path(DAY), copy)


def start(folder: Path, *, limited: bool = False) -> tuple[subprocess.Popen[str], str]:
    """A server over it, with its limits, or with limits out of the way."""
    limits = "" if limited else "serve: {requests_per_second: 100000, burst: 100000}\n"
    (folder / "config.yaml").write_text(
        "source: {kind: files, usage: none.csv}\nhistory: {path: history}\nstate: {url: 'sqlite:///state.db'}\n"
        f"{limits}"
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


def day_paths(number: int, environment: str) -> list[str]:
    """Questions of single days."""
    paths = []
    for ago in range(number):
        paths.append(f"{BY_KEY_PATH}?from={DAY - timedelta(days=ago)}&environment={environment}")
    return paths


def long_paths() -> list[str]:
    """Distinct questions of 92 days."""
    paths = []
    for ago, environment, detail in product(range(STARVING_DAYS - 91), ("live", "test", "unknown"), "01"):
        last = DAY - timedelta(days=ago)
        first = last - timedelta(days=91)
        paths.append(f"{BY_KEY_PATH}?from={first}&to={last}&environment={environment}&detail={detail}")
    return paths


def get(path: str, secret: str) -> bytes:
    """The bytes of a GET with a token."""
    return request(path, {"Host": "localhost", "Authorization": f"Bearer {secret}"})


class Flood:
    """A process that asks questions as fast as they are answered, whatever the answers are."""

    def __init__(self, address: tuple[str, int], secret: str) -> None:
        self._process = Process(target=flood, args=(address, [get(path, secret) for path in long_paths()]))
        self._process.start()

    def close(self) -> None:
        """Stop asking."""
        self._process.terminate()
        self._process.join()


def flood(address: tuple[str, int], requests: list[bytes]) -> None:
    """Ask over many connections, again and again."""
    endless = cycle(requests)

    async def connection() -> None:
        while True:
            reader, writer = await asyncio.open_connection(*address)
            with suppress(OSError, EOFError):
                while True:
                    writer.write(next(endless))
                    head = (await reader.readuntil(b"\r\n\r\n")).lower()
                    length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
                    await reader.readexactly(int(length or b"0"))

    async def connections() -> None:
        await asyncio.gather(*(connection() for _ in range(STARVING_CONNECTIONS)))

    asyncio.run(connections())


async def one_by_one(address: tuple[str, int], requests: list[bytes]) -> list[float]:
    """Milliseconds from each request to its whole answer."""
    times = []
    reader, writer = await asyncio.open_connection(*address)
    for sent in requests:
        begin = time.perf_counter()
        writer.write(sent)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert head.split(b" ", 2)[1] == b"200", head
        length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length or b"0"))
        times.append((time.perf_counter() - begin) * 1000)
    writer.close()
    await writer.wait_closed()
    return times


def starve(folder: Path, url: str, secret: str, seconds: float) -> bool:
    """One-day questions of a token, on the idle server and beside two floods; whether it is fair."""
    address = (httpx.URL(url).host, httpx.URL(url).port or 80)
    lengthen(folder)

    def anew(environment: str) -> list[float]:
        return asyncio.run(
            one_by_one(address, [get(path, secret) for path in day_paths(SINGLE_DAYS, environment)])
        )

    def known(environment: str) -> list[float]:
        asked = [get(path, secret) for path in day_paths(SINGLE_DAYS, environment)]
        return asyncio.run(measure(address, asked, b"200", SINGLE_RATE, seconds))

    anew("unknown")  # the first questions wait for the processes that prepare answers
    idle = {"prepared anew": anew("live"), "known": known("live")}
    with (
        closing(Flood(address, token(folder, "all keys"))),
        closing(Flood(address, token(folder, "no key", "nobody"))),
    ):
        time.sleep(6)  # the server knows a new token within five seconds
        beside = {"prepared anew": anew("test"), "known": known("live")}
    fair = True
    for name, times in beside.items():
        before, after = np.percentile(idle[name], 99), np.percentile(times, 99)
        ratio = after / before
        print(f"one day, {name}: p99 {before:.1f} ms idle, {after:.1f} ms beside the floods, ratio {ratio:.1f}")
        fair &= bool(ratio <= MOST_SLOWER)
    return fair


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
    parser.add_argument("--starving", action="store_true", help="other tokens ask for all they can get")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        secret = store(Path(name), options.keys)
        process, url = start(Path(name), limited=options.starving)
        try:
            if options.starving:
                fast = starve(Path(name), url, secret, options.seconds)
            else:
                fast = run(url, secret, options.rate, options.seconds)
        finally:
            process.terminate()
            process.wait(30)
    return 0 if fast else 1


if __name__ == "__main__":
    sys.exit(main())

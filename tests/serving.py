"""A history, a state with tokens, and the application that serves them, for tests."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import uvicorn
from starlette.types import ASGIApp

from detector.config.config import Config
from detector.config.load import load
from detector.config.urls import BY_KEY_PATH
from detector.model.day import each_day
from detector.serve.app import make_app
from detector.sources.pull import pull
from detector.state.database import State
from detector.state.tokens import ApiToken, add_token, hash_of, new_secret
from detector.usage.history import History
from tests.fakes import FakeSource

DAY = date(2026, 3, 17)
NOW = datetime(2026, 3, 18, 8, tzinfo=UTC)
HOSTILE = [
    "<script>alert(1)</script>",
    "\x1b[31mred",
    "\u202ecod.exe",
    '"quoted", \\',
    "=1+1",
    "näme ☃ 😀",
    "a\nb",
]
ROWS = ["key_id", "endpoint", "deployment", "request_count", "error_count"]


@dataclass
class Time:
    """The time of day and the seconds, as a test sets them."""

    day: datetime = NOW
    seconds: float = 1000.0

    def clock(self) -> datetime:
        return self.day

    def monotonic(self) -> float:
        return self.seconds


@dataclass
class Served:
    """An application and all it works with."""

    app: ASGIApp
    config: Config
    history: History
    state: State
    time: Time
    log: io.StringIO = field(default_factory=io.StringIO)

    def token(self, organization: str | None = None, name: str = "test", **facts: Any) -> str:
        """A new token; None sees all organizations."""
        secret = new_secret()
        add_token(self.state, ApiToken(name, organization, hash_of(secret), NOW, **facts))
        self.time.seconds += 60
        return secret

    def get(
        self,
        path: str = BY_KEY_PATH,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        **query: Any,
    ) -> httpx.Response:
        """What the application answers, in this process."""
        sent = ({"Authorization": f"Bearer {token}"} if token else {}) | (headers or {})
        return asked(self.app, path, sent, query)

    def lines(self) -> list[dict[str, Any]]:
        """The access log."""
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


def usage(day: date) -> pd.DataFrame:
    """Sixty keys of two organizations, some with hostile names, one idle, with counts of their own each day."""
    rows = []
    for number in range(59):
        count = 1 + (number * 7 + day.toordinal()) % 40
        rows.append((f"key{number:02}", "GET /v1/things", "production", count, number % 2))
        rows.append((f"key{number:02}", "POST /v1/things/17", "staging", 1, 0))
    return pd.DataFrame(rows, columns=ROWS)


def register() -> list[dict[str, object]]:
    """Every third key belongs to globex; names repeat the hostile ones."""
    return [
        {
            "key_id": f"key{number:02}",
            "name": HOSTILE[number] if number < len(HOSTILE) else f"service {number}",
            "environment": "test" if number % 5 == 0 else "live",
            "team": "payments",
            "organization": "globex" if number % 3 == 0 else "acme",
            "created_at": "2026-01-05T10:00:00Z",
        }
        for number in range(60)
    ]


@contextmanager
def serving(folder: Path, settings: str = "", days: int = 3) -> Iterator[Served]:
    """The application over a history whose last day is ``DAY``."""
    (folder / "config.yaml").write_text(f"source: {{kind: files, usage: none.csv}}\n{settings}")
    config, time = load(folder / "config.yaml"), Time()
    history = History(Path(config.history.path), config.zone)
    stored = list(each_day(DAY - timedelta(days=days - 1), DAY))
    pull(
        config,
        FakeSource({day: usage(day) for day in stored}, register()),
        history,
        stored[0],
        DAY,
        now=NOW,
    )
    with closing(State.of(config)) as state:
        served = Served(None, config, history, state, time)  # type: ignore[arg-type]
        served.app = make_app(
            config, history, state, log=served.log, clock=time.clock, monotonic=time.monotonic, pause=0
        )
        yield served


@contextmanager
def listening(app: ASGIApp) -> Iterator[str]:
    """The application on a free port, in a thread of its own: its address."""
    config = uvicorn.Config(
        app, port=0, log_config=None, log_level="warning", access_log=False, http="h11", ws="none"
    )
    server = uvicorn.Server(config)
    ready = threading.Event()

    async def run() -> None:
        running = asyncio.ensure_future(server.serve())
        while not server.started:
            await asyncio.sleep(0)
        ready.set()
        await running

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    ready.wait(30)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def asked(
    app: ASGIApp, path: str, headers: Mapping[str, str] | None = None, query: Mapping[str, Any] | None = None
) -> httpx.Response:
    """What an application answers, in this process."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await client.get(path, headers=headers, params=query or None)

    return asyncio.run(ask())

"""`serve` is fair between tokens: what one token asks for does not hold up another."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.types import ASGIApp

from detector.config.urls import BY_KEY_PATH
from detector.serve.app import make_app
from detector.serve.lanes import PLACES
from detector.serve.preparation import Preparation, Question, prepared_here
from tests.serving import DAY, NOW, Served, Time, listening, serving

STARVING = 22
"""The connections of the starving token."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """An application over twenty days."""
    with serving(tmp_path, days=20) as application:
        yield application


def app_with(served: Served, small: Preparation, large: Preparation, pause: float = 0) -> ASGIApp:
    """The application with other preparations."""
    return make_app(
        served.config,
        served.history,
        served.state,
        log=served.log,
        clock=lambda: NOW,
        monotonic=Time(seconds=100_000).monotonic,
        small=small,
        large=large,
        pause=pause,
    )


def headers(secret: str) -> dict[str, str]:
    """The headers of a request with a token."""
    return {"Authorization": f"Bearer {secret}"}


def long_questions() -> list[dict[str, str]]:
    """Distinct questions of many days."""
    found = []
    for days in range(STARVING):
        first = DAY - timedelta(days=4 + days % 16)
        found.append({"from": str(first), "to": str(DAY), "environment": "live" if days < 16 else "test"})
    return found


def test_a_small_question_does_not_wait_behind_large_ones(served: Served) -> None:
    """A token with 22 long questions has its places; another token's question of a day is answered meanwhile."""
    release = Event()
    here = prepared_here(served.history)

    def large(question: Question) -> tuple[bytes, ...]:
        assert release.wait(30)
        return here(question)

    starving, other = served.token(name="starving"), served.token(name="other")
    app = app_with(served, here, large)

    async def ask() -> tuple[httpx.Response, list[int]]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            floods = []
            for question in long_questions():
                request = client.get(BY_KEY_PATH, headers=headers(starving), params=question)
                floods.append(asyncio.create_task(request))
            refused, _ = await asyncio.wait(floods, return_when=asyncio.FIRST_COMPLETED)
            answer = await client.get(BY_KEY_PATH, headers=headers(other))
            assert sum(flood.done() for flood in floods) <= STARVING - PLACES
            assert all(flood.result().status_code == 503 for flood in refused)
            release.set()
            return answer, [response.status_code for response in await asyncio.gather(*floods)]

    answer, statuses = asyncio.run(ask())
    assert answer.status_code == 200
    assert len(answer.json()["keys"]) == 60
    assert (statuses.count(200), statuses.count(503)) == (PLACES, STARVING - PLACES)


def test_a_token_that_sees_no_keys_costs_nothing(served: Served) -> None:
    """Nothing is prepared for it; days are looked at once, and again after they were stored again."""

    def never(question: Question) -> tuple[bytes, ...]:
        raise AssertionError(f"{question} is prepared")

    app = app_with(served, never, never)
    secret = served.token("initech", "stranger")

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return [
                await client.get(BY_KEY_PATH, headers=headers(secret), params=question)
                for question in [{}, *long_questions()]
            ]

    for response in asyncio.run(ask()):
        assert response.json() == {"keys": [], "total_keys": 0}


def test_an_organization_that_gets_its_first_key_sees_it(served: Served) -> None:
    """Also where the server looked for keys of it before the day was stored again."""
    secret = served.token("initech", "newcomer")
    assert served.get(token=secret).json()["total_keys"] == 0
    records = served.history.read(DAY)
    own = records["key_id"] == "key07"
    records["organization"] = records["organization"].mask(own, "initech")
    served.history.write(DAY, records, served.history.notes(DAY))
    assert [key["key_id"] for key in served.get(token=secret).json()["keys"]] == ["key07"]


def test_a_refusal_that_asks_to_come_back_takes_its_time(tmp_path: Path) -> None:
    """So a caller who comes back at once does not keep the server busy."""
    with serving(tmp_path, "serve: {requests_per_second: 0.5, burst: 1}\n") as served:
        here = prepared_here(served.history)
        secret = served.token()
        app = app_with(served, here, here, pause=0.2)

        async def ask() -> tuple[int, float, int, float]:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
                loop = asyncio.get_running_loop()
                times = [loop.time()]
                statuses = []
                for _ in range(2):
                    response = await client.get("/v1/reports", headers=headers(secret))
                    statuses.append(response.status_code)
                    times.append(loop.time())
                return statuses[0], times[1] - times[0], statuses[1], times[2] - times[1]

        first, _, second, refused_after = asyncio.run(ask())
        assert (first, second) == (200, 429)
        assert refused_after >= 0.1


@pytest.mark.parametrize(("size", "status"), [(15_000, 200), (17_000, 431)])
def test_headers_are_limited(served: Served, size: int, status: int) -> None:
    """Also where they come at once, which the server's own limit lets pass."""
    with listening(served.app) as url:
        address = (urlsplit(url).hostname, urlsplit(url).port)
        with closing(socket.create_connection(address)) as connection:
            padding = f"X-Padding: {'x' * size}"
            connection.sendall(f"GET /healthz HTTP/1.1\r\nHost: localhost\r\n{padding}\r\n\r\n".encode())
            assert connection.recv(12) == f"HTTP/1.1 {status}".encode()

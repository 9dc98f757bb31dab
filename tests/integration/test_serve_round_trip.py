"""The http source reads what the endpoint serves, over a real connection on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from detector.boundary.text import in_every_text
from detector.config.load import load
from detector.config.source import HttpSource
from detector.model.day import Day
from detector.model.errors import SourceError
from detector.sources.http.reader import HttpReader
from detector.sources.pull import pull
from detector.sources.values import text_of
from detector.state.tokens import revoke_tokens
from detector.usage.aggregation import by_key_answer
from detector.usage.history import History
from tests.serving import DAY, Served, listening, serving

DAYS = [DAY - timedelta(days=2), DAY - timedelta(days=1), DAY]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """An application over three days."""
    (tmp_path / "served").mkdir()
    with serving(tmp_path / "served") as application:
        yield application


def pulled(folder: Path, url: str, token: str, zone: str = "UTC", **options: Any) -> History:
    """A second installation that pulls from the first, a day more than that has."""
    source = {"kind": "http", "url": url, "token": token, **options}
    (folder / "config.yaml").write_text(json.dumps({"source": source, "timezone": zone}))
    config = load(folder / "config.yaml")
    now = Day(DAY, config.zone).end + timedelta(hours=2)
    assert isinstance(config.source, HttpSource)
    reader = HttpReader(config.source, config.zone, lambda: now)
    history = History(Path(config.history.path), config.zone)
    pull(config, reader, history, DAYS[0] - timedelta(days=1), DAY, now=now)
    return history


def as_read(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer whose texts are as every source reads them: free of control characters."""
    read: dict[str, Any] = in_every_text(answer, lambda text: text_of(text) or text)
    return read


@pytest.mark.parametrize(
    "options",
    [
        {"parameters": {"limit": "7"}},
        {"parameters": {"limit": "7", "detail": "true"}, "range": "days"},
    ],
)
def test_what_is_pulled_is_what_was_served(served: Served, tmp_path: Path, options: dict[str, Any]) -> None:
    """Day by day the same by-key answer, hostile names included, over nine pages each."""
    with listening(served.app) as url:
        copy = pulled(tmp_path, url, served.token(), **options)
    assert copy.days() == DAYS
    for day in DAYS:
        assert by_key_answer(copy.read(day)) == as_read(by_key_answer(served.history.read(day)))
        assert copy.notes(day).faults == ()
    assert len([line for line in served.lines() if line["status"] == 200]) >= 27


def test_with_detail_everything_known_of_a_key_comes_along(served: Served, tmp_path: Path) -> None:
    """Team, organization, creation and deployments."""
    with listening(served.app) as url:
        copy = pulled(tmp_path, url, served.token(), parameters={"detail": "true"})
    columns = ["key_id", "team", "organization", "created_at", "deployments", "client_count"]
    assert copy.read(DAY)[columns].equals(served.history.read(DAY)[columns])


def test_a_token_of_one_organization_pulls_its_keys_alone(served: Served, tmp_path: Path) -> None:
    """Whatever is asked for."""
    with listening(served.app) as url:
        copy = pulled(tmp_path, url, served.token("globex"))
    assert copy.read(DAY)["key_id"].tolist() == [f"key{number:02}" for number in range(0, 60, 3)]


def test_days_of_another_timezone_are_an_error(served: Served, tmp_path: Path) -> None:
    """They would be other days, and nobody would notice."""
    with listening(served.app) as url, pytest.raises(SourceError, match="not the start of a day in UTC"):
        pulled(tmp_path, url, served.token(), zone="Europe/Berlin")


def test_a_revoked_token_is_an_error_that_says_so(served: Served, tmp_path: Path) -> None:
    """Not an empty day."""
    token = served.token(name="old")
    revoke_tokens(served.state, "old", served.time.day)
    with listening(served.app) as url, pytest.raises(SourceError, match="may have expired, or may be revoked"):
        pulled(tmp_path, url, token)


def test_many_callers_at_once_get_the_same_answer(served: Served) -> None:
    """It is prepared once."""
    token, texts = served.token(), []
    with listening(served.app) as url:

        def ask() -> None:
            answer = httpx.get(f"{url}/v1/analytics/usage/by-key", headers={"Authorization": f"Bearer {token}"})
            texts.append((answer.status_code, answer.text))

        threads = [threading.Thread(target=ask) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(texts) == 12
    assert {status for status, _ in texts} == {200}
    assert len({text for _, text in texts}) == 1


def test_a_history_in_another_timezone_is_served_by_its_own_days(tmp_path: Path) -> None:
    """The clocks of both installations agree."""
    (tmp_path / "served").mkdir()
    with serving(tmp_path / "served", "timezone: Europe/Berlin\n") as served, listening(served.app) as url:
        copy = pulled(tmp_path, url, served.token(), zone="Europe/Berlin")
    assert by_key_answer(copy.read(DAY)) == as_read(by_key_answer(served.history.read(DAY)))

"""Requests that somebody hides are noticed, and the same dirt in an ordinary amount is not."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from tests.evasion import (
    Fleet,
    Installation,
    Way,
    attacked,
    control,
    mixed,
    one_of_each,
    plain,
    ways,
    with_past,
)

FLEET = Fleet(keys=21, days=15, hidden=3_000)
"""``benchmarks/evasion.py`` has all ways on all sources, the control of each, and a fleet that is larger."""

LEFT_OUT = {
    *("in the year 1", "no time", "a dash for the key", "status 999", "control character in the key"),
    *("invalid UTF-8 behind the key", "numbers instead of texts", "a member name with an escape"),
    *("the key as an object", "a key_id member before it", "members of foreign objects", "JSON within JSON"),
    *("members with other names", "comment lines", "lines of 5 MB", "pretty-printed behind lines"),
    *("a gzip file with text behind it", "a dot file", "sep= before the header", "no header", "another header"),
    *("a column too few", "commented lines", "quoted keys", "a backslash at the end of the agent"),
    *("a fake time in the path", "no request line", "no row at 03:00 for 1 h", "key no longer logged"),
    *("1,000 documents a line", "a file in UTF-16", "comment lines before the header", "a file with one array"),
}
"""Ways that are much like others. The benchmark has them."""

IN_A_DATABASE = ("before the history", "one event id")

Past = Callable[[Way], Installation]


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    """The clean past of the source of a way, each in a folder of its own."""
    folder = tmp_path_factory.mktemp("pasts")
    made: dict[tuple[str, str], Installation] = {}
    numbers = count()

    def past_of(way: Way) -> Installation:
        kind = (way.source, way.settings)
        if kind not in made:
            made[kind] = with_past(folder / str(next(numbers)), FLEET, way, "", dirty=False)
        return made[kind].copied(folder / str(next(numbers)))

    return past_of


@pytest.mark.parametrize("way", [way for way in one_of_each() if way.name not in LEFT_OUT], ids=str)
def test_hidden_requests_are_noticed(past: Past, way: Way) -> None:
    """The key is named, or the day is not clear."""
    outcome = attacked(past(way), FLEET, way)
    assert outcome.is_noticed, outcome


@pytest.mark.parametrize(
    "way", [way for way in ways() if way.source == "postgresql" and way.name in IN_A_DATABASE], ids=str
)
def test_hidden_requests_in_a_database_are_noticed(tmp_path: Path, empty_postgres: str, way: Way) -> None:
    """The key is named, or the day is not clear."""
    installation = with_past(tmp_path / "installation", FLEET, way, empty_postgres, dirty=False)
    outcome = attacked(installation, FLEET, way)
    assert outcome.is_noticed, outcome


@pytest.mark.parametrize("source", ["growing", "dated", "nginx", "sqlite"])
def test_a_little_of_everything_is_an_ordinary_day(tmp_path: Path, source: str) -> None:
    """A gate that is always shut would prove nothing."""
    way = mixed(source)
    installation = with_past(tmp_path / "installation", FLEET, way, "", dirty=True)
    outcome = control(installation, FLEET, way)
    assert outcome.is_clear, outcome


@pytest.mark.parametrize("source", ["json", "nginx", "sqlite"])
def test_a_day_without_hidden_requests_is_clear(past: Past, source: str) -> None:
    """The control of the attacks."""
    way = Way("nothing", source, plain(source), None, is_attack=False)
    outcome = attacked(past(way), FLEET, way)
    assert outcome.is_clear, outcome

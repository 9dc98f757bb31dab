"""No secret is shown anywhere: a canary stands in the place of each, and every output is searched for all."""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from detector.boundary import masking
from tests.canaries import (
    API_TOKEN,
    KEYS,
    PEERS,
    SOURCES,
    TOKENS,
    environment,
    peers,
    printed,
    run,
    sightings,
    table,
)

CANARIES = (*PEERS.values(), *KEYS.values(), *TOKENS, API_TOKEN)
NEVER_SENT = ("SIGNING", "SALT")
OUTPUTS = {
    "log (console, debug)", "log (json, debug)", "tracebacks and warnings", "commands", "answers and log of serve",
    "state", "history", "reports", "results of a backtest", "metrics", "backup", "mails", "what was posted",
    "names of files",
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _hooks() -> Iterator[None]:
    """A command changes what Python prints of a fault; the tests of other modules find it as it was."""
    assert logging.lastResort is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "excepthook", sys.excepthook)
        patch.setattr(threading, "excepthook", threading.excepthook)
        patch.setattr(logging.lastResort, "formatter", logging.lastResort.formatter)
        yield


@pytest.fixture(scope="module")
def installations(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], str]:
    """All that an installation over each source wrote, by the kind of the output, and what the peers heard."""
    outputs: dict[str, str] = defaultdict(str)
    with environment(), peers() as found:
        for number, source in enumerate(SOURCES):
            folder = tmp_path_factory.mktemp("installation") / "here"
            for name, text in run(folder, source, found, ("console", "json")[number % 2]).items():
                outputs[name] += text
    return outputs, "\n".join(found.heard)


def test_no_canary_is_seen_in_any_output(installations: tuple[dict[str, str], str]) -> None:
    """Every place is searched for in every output: in clear, percent-encoded and in base64."""
    outputs, _ = installations
    sighted = table(CANARIES, outputs)
    print(f"\n{printed(sighted)}")
    assert {place for place, count in sighted.items() if count} == set()
    assert {name for name, text in outputs.items() if len(text) > 100} == OUTPUTS


def test_every_canary_was_where_it_could_be_shown(installations: tuple[dict[str, str], str]) -> None:
    """The peers heard each secret that is sent, and sent it back."""
    _, heard = installations
    unheard = {name for name, canary in PEERS.items() if not all(mark in heard for mark in canary.marks)}
    assert unheard == set(NEVER_SENT)


def test_without_masking_the_search_sees_the_canaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So the search can fail, and masking is what keeps it from failing."""
    monkeypatch.setattr(masking, "_pattern", lambda secrets: re.compile(r"(?!)"))
    with environment(), peers() as found:
        outputs = run(tmp_path / "here", "an endpoint that refuses", found, "json")
    sighted = table(CANARIES, outputs)
    print(f"\n{printed(sighted)}")
    places = {place for (place, _), count in sighted.items() if count}
    shown_in = {output for (_, output), count in sighted.items() if count}
    assert {"source.token", "delivery.mail.password", "delivery.splunk.token", "state.url, password"} <= places
    assert {"log (json, debug)", "tracebacks and warnings", "commands", "state", "reports", "backup"} <= shown_in


def test_the_search_knows_the_forms_of_a_secret() -> None:
    """A sighting in base64 or percent-encoded counts as well."""
    canary = PEERS["DATABASE"]
    assert sightings(canary, f"x{canary.text}") > 0
    assert sightings(canary, "eHggY2FuYXJ5MDF0d2VldA==") > 0
    assert sightings(canary, "%63anary01tweet") > 0
    assert sightings(canary, "canary02tweet") == 0

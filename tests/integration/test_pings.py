"""The dead-man's switch: what it is told of a run, and that it never stands in the way of one."""

from __future__ import annotations

import logging
import re
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import stamina
from apscheduler.schedulers.background import BackgroundScheduler
from pydantic import SecretStr

from detector.config.config import Config
from detector.config.monitoring import MonitoringSettings
from detector.model.errors import ConfigError, DetectorError, LockedError, NotReadyError
from detector.operations.monitoring.pings import Pings
from detector.operations.schedule.nightly import nightly
from detector.operations.schedule.scheduler import Service
from detector.operations.schedule.watching import watched_run
from detector.state.database import State
from detector.state.runs import only_run
from detector.state.sightings import record_day
from tests.fakes import WHOLE
from tests.installation import KEYS, as_of, configured, cut_off
from tests.receiver import Receiver, dripping, receiver

LAST = date(2026, 3, 17)
MORNING = datetime(2026, 3, 18, 2, 30, tzinfo=UTC)
SECRET = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"


@pytest.fixture
def switch() -> Iterator[Receiver]:
    """A dead-man's switch on loopback."""
    with receiver() as kept:
        yield kept


@pytest.fixture(autouse=True)
def _hasty() -> Iterator[None]:
    """Attempts follow one another without a pause."""
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


def told(switch: Receiver) -> list[str]:
    """What it was told, in order, without the address and the run."""
    return [request.path.split("?")[0].removeprefix(f"/{SECRET}") for request in switch.requests]


def config_of(folder: Path, switch: Receiver, more: str = "") -> Config:
    """A small installation that tells this switch."""
    return configured(folder, LAST, f'ping_url: "{switch.url}/{SECRET}"{more}')


def pings(address: str, style: str = "healthchecks", timeout: float = 5) -> Pings:
    """The pings of one run."""
    return Pings(
        MonitoringSettings.model_validate({"ping_url": address, "ping_style": style, "ping_timeout": timeout})
    )


def test_a_run_tells_its_start_and_its_success(tmp_path: Path, switch: Receiver) -> None:
    """In this order and under one id; the text has days, codes and counts, and no names."""
    nightly(config_of(tmp_path, switch), now=MORNING)
    assert told(switch) == ["/start", ""]
    assert {request.method for request in switch.requests} == {"POST"}
    runs = {re.fullmatch(r".*\?rid=([0-9a-f-]{36})", request.path).group(1) for request in switch.requests}  # type: ignore[union-attr]
    assert len(runs) == 1
    text = switch.requests[-1].body.decode()
    assert text == "exit code 0\nday 2026-03-17: clear, exit code 0, 4 of 4 keys judged, 0 findings"
    assert not any(key in text for key in KEYS)


def test_a_failing_part_is_told_with_its_exit_code(tmp_path: Path, switch: Receiver) -> None:
    """A file that is not there makes it 2; why stays in the house."""
    config = config_of(tmp_path, switch)
    (tmp_path / "usage.csv").unlink()
    nightly(config, now=MORNING + timedelta(hours=8))
    assert told(switch) == ["/start", "/2"]
    assert "usage.csv" not in switch.requests[-1].body.decode()


def test_a_day_that_is_not_ready_is_neither_success_nor_failure(tmp_path: Path, switch: Receiver) -> None:
    """It is to be tried again, and logged until then."""
    config = config_of(tmp_path, switch)
    with as_of(config, MORNING - timedelta(days=1)):
        nightly(config, now=MORNING - timedelta(days=1))
    cut_off(config, LAST)
    with pytest.raises(NotReadyError):
        nightly(config, now=MORNING)
    assert told(switch) == ["/start", "", "/start", "/log"]


def test_a_second_run_tells_no_start(tmp_path: Path, switch: Receiver) -> None:
    """The start of a run that does nothing would take the place of the one that does."""
    config = config_of(tmp_path, switch)
    with closing(State.of(config)) as state, only_run(state), pytest.raises(LockedError):
        nightly(config, now=MORNING)
    assert told(switch) == ["/log"]


def test_a_run_that_cannot_begin_is_a_failure(tmp_path: Path, switch: Receiver) -> None:
    """Also where not even the state can be opened."""
    config = config_of(tmp_path, switch)
    (tmp_path / "var").write_text("a file where the folder should be")
    with pytest.raises(DetectorError):
        nightly(config, now=MORNING)
    assert told(switch) == ["/1"]


def test_a_failure_that_keeps_the_metrics_away_too_is_told(tmp_path: Path, switch: Receiver) -> None:
    """Such as a state whose driver is not installed."""
    config = config_of(tmp_path, switch, ", metrics_file: detector.prom")
    state = config.state.model_copy(update={"url": "postgresql+nodriver://127.0.0.1/state"})
    with pytest.raises(ConfigError, match=r"no driver for this url: .*or postgresql\+psycopg:// and pip install"):
        nightly(config.model_copy(update={"state": state}), now=MORNING)
    assert told(switch) == ["/2"]


def test_a_fault_of_the_program_is_a_failure_and_goes_on(tmp_path: Path, switch: Receiver) -> None:
    """Its text may hold anything and is not told."""
    with (
        pytest.raises(ZeroDivisionError),
        watched_run(config := config_of(tmp_path, switch), config.monitoring, MORNING),
    ):
        raise ZeroDivisionError("key-1")
    assert told(switch) == ["/1"]
    assert switch.requests[-1].body == b"exit code 1"


def test_an_interrupted_run_says_no_more(tmp_path: Path, switch: Receiver) -> None:
    """That it does not is the alarm, as where it is killed."""
    config = config_of(tmp_path, switch)
    with suppress(KeyboardInterrupt), watched_run(config, config.monitoring, MORNING) as watch:
        watch.begin()
        raise KeyboardInterrupt
    assert told(switch) == ["/start"]


def test_a_day_by_name_tells_nothing(tmp_path: Path, switch: Receiver) -> None:
    """It says nothing of whether the days due are judged."""
    nightly(config_of(tmp_path, switch), day=LAST, now=MORNING)
    assert told(switch) == []


def test_the_scheduler_tells_that_nothing_is_left_to_do(tmp_path: Path, switch: Receiver) -> None:
    """As at an hour that the clocks repeat."""
    config = config_of(tmp_path, switch)
    with closing(State.of(config)) as state:
        record_day(state, LAST, WHOLE, [])
    Service(lambda: config, BackgroundScheduler(timezone=config.zone), lambda: MORNING).run()
    assert told(switch) == [""]


def test_a_plain_address_is_asked_once_after_a_success(tmp_path: Path, switch: Receiver) -> None:
    """Nothing at the start, nothing after a failure, and the address as it is."""
    config = config_of(tmp_path, switch, ", ping_style: plain")
    nightly(config, now=MORNING)
    (tmp_path / "usage.csv").unlink()
    nightly(config, now=MORNING + timedelta(hours=31))
    (request,) = switch.requests
    assert (request.method, request.path, request.body) == ("GET", f"/{SECRET}", b"")


def test_a_query_of_the_address_stays(switch: Receiver) -> None:
    """What is told goes into the path before it."""
    run = pings(f"{switch.url}/{SECRET}/nightly?create=1&tag=a%20b")
    run.start()
    run.end(4)
    for request, step in zip(switch.requests, ("start", "4"), strict=True):
        assert re.fullmatch(rf"/{SECRET}/nightly/{step}\?create=1&tag=a%20b&rid=[0-9a-f-]{{36}}", request.path)


def test_the_end_is_told_again_where_it_may_arrive_later(
    switch: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """Three times at most; one that arrives needs no word."""
    switch.answer(503)
    switch.answer(429)
    pings(f"{switch.url}/{SECRET}").end(0)
    assert told(switch) == ["", "", ""]
    assert caplog.records == []


def test_the_start_is_told_once(switch: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    """A run is not held up for it."""
    switch.answer(503)
    pings(f"{switch.url}/{SECRET}").start()
    assert told(switch) == ["/start"]
    assert [record.getMessage() for record in caplog.records] == [f"the ping to {switch.url} failed: HTTP 503"]


def test_a_refusal_is_one_warning(switch: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    """A check that is not there will not be there in a second."""
    switch.answer(404, f"no {SECRET}".encode())
    pings(f"{switch.url}/{SECRET}").end(0)
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.WARNING, f"the ping to {switch.url} failed: HTTP 404")


def test_a_redirect_is_not_followed(switch: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    """Wherever it leads, the secret does not go there."""
    with receiver() as other:
        switch.answer(302, Location=f"{other.url}/{SECRET}")
        pings(f"{switch.url}/{SECRET}").end(0)
    assert other.requests == []
    assert caplog.messages == [f"the ping to {switch.url} failed: HTTP 302; redirects are not followed"]


def test_a_dead_switch_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Two warnings, for start and end, that name the host alone; the outcome is as without it."""
    with socket.socket() as unheard:  # bound, so that nobody else takes it, and not listening
        unheard.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unheard.getsockname()[1]}"
        (outcome,) = nightly(configured(tmp_path, LAST, f'ping_url: "{address}/{SECRET}"'), now=MORNING)
    assert outcome.exit_code == 0
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert warnings == [f"the ping to {address} failed: ConnectError"] * 2


def test_a_switch_that_never_answers_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    """After its time, attempt by attempt."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"http://127.0.0.1:{mute.getsockname()[1]}"
        began = time.monotonic()
        pings(f"{address}/{SECRET}", timeout=0.1).end(0)
        assert time.monotonic() - began < 5
    (message,) = caplog.messages
    assert message.startswith(f"the ping to {address} failed: ")
    assert SECRET not in message


def test_an_answer_that_trickles_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    """A byte now and then does not hold a run up: the time is for the whole attempt."""
    with dripping(b"HTTP/1.1 200 OK\r\nX-Slow: ") as server:
        began = time.monotonic()
        pings(f"{server.url}/{SECRET}", timeout=0.3).start()
        assert time.monotonic() - began < 5
    assert caplog.messages == [f"the ping to {server.url} failed: no whole answer within 0.3 s"]


@pytest.mark.parametrize("path", [f"\x00{SECRET}", f"\ud800{SECRET}"])
def test_an_address_that_is_none_is_a_warning_too(path: str, caplog: pytest.LogCaptureFixture) -> None:
    """The configuration refuses these; if one came through, it would not stop a run."""
    settings = MonitoringSettings.model_construct(ping_url=SecretStr(f"http://127.0.0.1:9/{path}"))
    Pings(settings).end(0)
    (message,) = caplog.messages
    assert message.startswith("the ping to http://127.0.0.1:9 failed: ")
    assert SECRET not in message


def test_a_wrong_environment_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as a proxy of a kind that is not known."""
    monkeypatch.setenv("HTTP_PROXY", "gopher://proxy.example")
    monkeypatch.setenv("http_proxy", "gopher://proxy.example")
    pings(f"http://switch.example/{SECRET}").end(0)
    assert caplog.messages == ["the ping to http://switch.example failed: ValueError"]

"""The state: runs, judged nights, sightings."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from detector.errors import StateError
from detector.model import Finding, Severity, Status
from detector.state import State

NIGHT = date(2026, 3, 17)
NOW = datetime(2026, 3, 18, tzinfo=UTC)


def finding(night: date = NIGHT, **changes: object) -> Finding:
    """A finding on key k."""
    base = Finding(
        finding_id="f1",
        episode=1,
        type="usage_spike",
        title="Usage spike",
        status=Status.NEW,
        severity=Severity.HIGH,
        confidence="high",
        key_id="k",
        name=None,
        environment="live",
        team=None,
        application=None,
        night=night,
        score=9.0,
        observed=100.0,
        expected=10.0,
        low=5.0,
        high=15.0,
        reason="Many.",
        first_seen=night,
        last_seen=night,
        nights=1,
    )
    return replace(base, **changes)


@pytest.fixture(params=["sqlite", "postgresql"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> State:
    """A fresh state on each kind of database."""
    if request.param == "sqlite":
        return State(f"sqlite:///{tmp_path}/deep/state.db")
    url = request.getfixturevalue("postgres_url")
    with create_engine(url, poolclass=NullPool).begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    return State(url)


def test_an_earlier_sighting_is_open_until_a_complete_night_without_it(state: State) -> None:
    """Incomplete nights close nothing."""
    state.record(NIGHT, True, [finding()])
    state.record(NIGHT + timedelta(days=1), False, [])
    assert state.earlier(NIGHT + timedelta(days=2))["f1"].open
    state.record(NIGHT + timedelta(days=2), True, [])
    assert not state.earlier(NIGHT + timedelta(days=3))["f1"].open


def test_a_night_sees_only_nights_before_it(state: State) -> None:
    """So that an old night can be judged again."""
    for offset in range(3):
        state.record(
            NIGHT + timedelta(days=offset), True, [finding(NIGHT + timedelta(days=offset), nights=offset + 1)]
        )
    assert state.earlier(NIGHT) == {}
    assert state.earlier(NIGHT + timedelta(days=1))["f1"].nights == 1
    assert state.earlier(NIGHT + timedelta(days=9))["f1"].nights == 3


def test_judging_a_night_again_replaces_what_it_found(state: State) -> None:
    """Nothing is counted twice."""
    state.record(NIGHT, True, [finding(), finding(finding_id="f2")])
    state.record(NIGHT, True, [finding(severity=Severity.LOW)])
    (only,) = state.earlier(NIGHT + timedelta(days=1)).values()
    assert only.severity is Severity.LOW


def test_runs_are_logged(state: State) -> None:
    """Start and end, with the exit code."""
    assert state.last_run() is None
    state.begin_run("r1", NIGHT, NOW)
    state.end_run("r1", NOW, 0, "Nothing to look at tonight")
    last = state.last_run()
    assert last is not None
    assert (last["night"], last["exit_code"]) == (NIGHT, 0)


def test_a_state_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """Guessing would corrupt it."""
    url = f"sqlite:///{tmp_path}/state.db"
    State(url)
    with create_engine(url, poolclass=NullPool).begin() as connection:
        connection.execute(text("INSERT INTO detector_migrations VALUES ('9999_future', '2030-01-01')"))
    with pytest.raises(StateError, match=r"newer version.*9999_future"):
        State(url)


def test_a_state_that_cannot_be_reached_says_so_without_its_password() -> None:
    """The URL is shown masked."""
    with pytest.raises(StateError) as caught:
        State("postgresql+psycopg://me:hunter2@127.0.0.1:1/none")
    assert "hunter2" not in str(caught.value)

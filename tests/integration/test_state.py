"""The state: runs, judged days, sightings, triage."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from detector.model.errors import StateError
from detector.model.extent import Extent
from detector.model.finding import Finding, Severity, Status
from detector.model.triage import TriageEntry
from detector.state.database import State
from detector.state.migrations import MIGRATIONS
from detector.state.upgrade import prepare
from tests.fakes import WHOLE

DAY = date(2026, 3, 17)
NOW = datetime(2026, 3, 18, tzinfo=UTC)


def finding(day: date = DAY, **changes: object) -> Finding:
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
        day=day,
        score=9.0,
        observed=100.0,
        expected=10.0,
        low=5.0,
        high=15.0,
        reason="Many.",
        first_seen=day,
        last_seen=day,
        days=1,
    )
    return replace(base, **changes)


@pytest.fixture
def state(state_url: str) -> State:
    """A fresh state on each kind of database."""
    return State(state_url)


def test_an_earlier_sighting_is_open_until_a_complete_day_without_it(state: State) -> None:
    """Incomplete days close nothing."""
    state.record(DAY, WHOLE, [finding()])
    state.record(DAY + timedelta(days=1), Extent(complete=False), [])
    assert state.earlier(DAY + timedelta(days=2))["f1"].open
    state.record(DAY + timedelta(days=2), WHOLE, [])
    assert not state.earlier(DAY + timedelta(days=3))["f1"].open


def test_a_day_closes_no_finding_of_a_type_that_was_not_judged_on_it(state: State) -> None:
    """A detector that failed says nothing about its own types; the others of the day are closed."""
    state.record(DAY, WHOLE, [finding(), finding(finding_id="f2", type="error_surge")])
    state.record(DAY + timedelta(days=1), Extent(complete=True, unjudged=frozenset({"usage_spike"})), [])
    earlier = state.earlier(DAY + timedelta(days=2))
    assert (earlier["f1"].open, earlier["f2"].open) == (True, False)
    state.record(DAY + timedelta(days=1), WHOLE, [])
    assert not state.earlier(DAY + timedelta(days=2))["f1"].open


def test_a_day_sees_only_days_before_it(state: State) -> None:
    """So that an old day can be judged again."""
    for offset in range(3):
        state.record(DAY + timedelta(days=offset), WHOLE, [finding(DAY + timedelta(days=offset), days=offset + 1)])
    assert state.earlier(DAY) == {}
    assert state.earlier(DAY + timedelta(days=1))["f1"].days == 1
    assert state.earlier(DAY + timedelta(days=9))["f1"].days == 3


def test_judging_a_day_again_replaces_what_it_found(state: State) -> None:
    """Nothing is counted twice."""
    state.record(DAY, WHOLE, [finding(), finding(finding_id="f2")])
    state.record(DAY, WHOLE, [finding(severity=Severity.LOW)])
    (only,) = state.earlier(DAY + timedelta(days=1)).values()
    assert only.severity is Severity.LOW


def test_runs_are_logged(state: State) -> None:
    """Start, stages and end, with the exit code."""
    assert state.last_run() is None
    state.begin_run("r1", DAY, NOW)
    state.reach("r1", "pulled", NOW)
    state.reach("r1", "judged", NOW + timedelta(seconds=1))
    state.end_run("r1", NOW, 0, "Nothing to look at")
    last = state.last_run()
    assert last is not None
    assert (last["day"], last["stage"], last["exit_code"]) == (DAY, "judged", 0)
    state.begin_run("r0", DAY - timedelta(days=1), NOW)
    last = state.last_run()
    assert last is not None
    assert last["run_id"] == "r1"  # of days made up for at one instant the last one


def entry(**changes: object) -> TriageEntry:
    """A mute of key k for ten days."""
    base = TriageEntry("mute", "key", "k", None, "load test", "alex", DAY, DAY + timedelta(days=9), NOW)
    return replace(base, **changes)


def test_triage_is_kept_as_it_was_said(state: State) -> None:
    """Every field, in the order it was said, with instants in UTC."""
    away = datetime(2026, 3, 18, 9, tzinfo=timezone(timedelta(hours=2)))
    mute = state.add_triage(entry(created_at=away))
    verdict = state.add_triage(
        entry(
            action="verdict",
            target_kind="finding",
            type="usage_spike",
            verdict="true",
            episode=2,
            until_day=None,
        )
    )
    assert state.triage() == [mute, verdict]
    assert mute.id != verdict.id
    assert state.triage()[0].created_at.utcoffset() == timedelta(0)


def test_ended_triage_stays_in_the_log(state: State) -> None:
    """With the instant at which it first ended."""
    mute = state.add_triage(entry())
    state.end_triage([mute.id], NOW)
    state.end_triage([mute.id], NOW + timedelta(days=1))
    assert state.triage() == [replace(mute, ended_at=NOW)]


def test_a_later_entry_ends_what_it_replaces(state: State) -> None:
    """In the same step."""
    first = state.add_triage(entry())
    second = state.add_triage(entry(created_at=NOW + timedelta(hours=1)), replaces=[first.id])
    assert [item.ended_at for item in state.triage()] == [NOW + timedelta(hours=1), None]
    assert second.ended_at is None


def test_a_state_from_before_triage_is_brought_up_to_date(tmp_path: Path) -> None:
    """What it held stays."""
    url = f"sqlite:///{tmp_path}/state.db"
    sighting = "'f1', 'usage_spike', 'Usage spike', 'k1', 'high', 9.5, 1, '2026-03-17', 1"
    with create_engine(url, poolclass=NullPool).begin() as connection:
        prepare(connection, list(MIGRATIONS)[:1])
        connection.execute(text("INSERT INTO detector_judged_nights VALUES ('2026-03-17', true)"))
        connection.execute(text(f"INSERT INTO detector_sightings VALUES ('2026-03-17', {sighting})"))
    state = State(url)
    assert (state.triage(), state.judged()) == ([], {DAY: True})
    assert set(state.earlier(date.max)) == {"f1"}


def test_judged_days_are_known(state: State) -> None:
    """Each with whether its data were complete, as it was judged last."""
    assert state.judged() == {}
    earlier = DAY - timedelta(days=3)
    state.record(DAY, WHOLE, [])
    state.record(earlier, WHOLE, [])
    state.record(earlier, Extent(complete=False), [])
    assert state.judged() == {DAY: True, earlier: False}


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

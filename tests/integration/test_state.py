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
from detector.model.finding import Severity, finding_id
from detector.model.triage import TriageEntry
from detector.state.database import State
from detector.state.migrations import MIGRATIONS
from detector.state.runs import Stage, begin, last_run, last_success
from detector.state.sightings import days_judged, earlier_sightings, record_day
from detector.state.triage import add_entry, end_entries, triage_log
from detector.state.upgrade import prepare
from tests.fakes import OWNER, WHOLE, finding

DAY = date(2026, 3, 17)
NOW = datetime(2026, 3, 18, tzinfo=UTC)


@pytest.fixture
def state(state_url: str) -> State:
    """A fresh state on each kind of database."""
    return State(state_url, OWNER)


def test_an_earlier_sighting_is_open_until_a_complete_day_without_it(state: State) -> None:
    """Incomplete days close nothing."""
    record_day(state, DAY, WHOLE, [finding()])
    record_day(state, DAY + timedelta(days=1), Extent(complete=False), [])
    assert earlier_sightings(state, DAY + timedelta(days=2))["f1"].open
    record_day(state, DAY + timedelta(days=2), WHOLE, [])
    assert not earlier_sightings(state, DAY + timedelta(days=3))["f1"].open


def test_a_day_closes_no_finding_of_a_type_that_was_not_judged_on_it(state: State) -> None:
    """A detector that failed says nothing about its own types; the others of the day are closed."""
    record_day(state, DAY, WHOLE, [finding(), finding(finding_id="f2", type="error_surge")])
    record_day(state, DAY + timedelta(days=1), Extent(complete=True, unjudged=frozenset({"usage_spike"})), [])
    earlier = earlier_sightings(state, DAY + timedelta(days=2))
    assert (earlier["f1"].open, earlier["f2"].open) == (True, False)
    record_day(state, DAY + timedelta(days=1), WHOLE, [])
    assert not earlier_sightings(state, DAY + timedelta(days=2))["f1"].open


def test_a_day_sees_only_days_before_it(state: State) -> None:
    """So that an old day can be judged again."""
    for offset in range(3):
        record_day(
            state, DAY + timedelta(days=offset), WHOLE, [finding(DAY + timedelta(days=offset), days=offset + 1)]
        )
    assert earlier_sightings(state, DAY) == {}
    assert earlier_sightings(state, DAY + timedelta(days=1))["f1"].days == 1
    assert earlier_sightings(state, DAY + timedelta(days=9))["f1"].days == 3


def test_judging_a_day_again_replaces_what_it_found(state: State) -> None:
    """Nothing is counted twice."""
    record_day(state, DAY, WHOLE, [finding(), finding(finding_id="f2")])
    record_day(state, DAY, WHOLE, [finding(severity=Severity.LOW)])
    (only,) = earlier_sightings(state, DAY + timedelta(days=1)).values()
    assert only.severity is Severity.LOW


def test_runs_are_logged(state: State) -> None:
    """Start, stages and end, with the exit code."""
    assert last_run(state) is None
    assert last_success(state) is None
    run = begin(state, DAY, NOW)
    run.reach(Stage.PULLED)
    run.reach(Stage.JUDGED)
    run.end(0, "Nothing to look at")
    last = last_run(state)
    assert last is not None
    assert (last.day, last.stage, last.message) == (DAY, "judged", "Nothing to look at")
    begin(state, DAY - timedelta(days=1), NOW).end(4, "A part failed")
    assert last_run(state) == last  # of days made up for at one instant the last one
    ended = last_success(state)
    assert ended is not None
    assert NOW <= ended < NOW + timedelta(minutes=1)


def entry(**changes: object) -> TriageEntry:
    """A mute of key k for ten days."""
    base = TriageEntry("mute", "key", "k", None, "load test", "alex", DAY, DAY + timedelta(days=9), NOW)
    return replace(base, **changes)


def test_triage_is_kept_as_it_was_said(state: State) -> None:
    """Every field, in the order it was said, with instants in UTC."""
    away = datetime(2026, 3, 18, 9, tzinfo=timezone(timedelta(hours=2)))
    mute = add_entry(state, entry(created_at=away))
    verdict = add_entry(
        state,
        entry(
            action="verdict",
            target_kind="finding",
            type="usage_spike",
            verdict="true",
            episode=2,
            until_day=None,
        ),
    )
    assert triage_log(state) == [mute, verdict]
    assert mute.id != verdict.id
    assert triage_log(state)[0].created_at.utcoffset() == timedelta(0)


def test_ended_triage_stays_in_the_log(state: State) -> None:
    """With the instant at which it first ended."""
    mute = add_entry(state, entry())
    end_entries(state, [mute.id], NOW)
    end_entries(state, [mute.id], NOW + timedelta(days=1))
    assert triage_log(state) == [replace(mute, ended_at=NOW)]


def test_a_later_entry_ends_what_it_replaces(state: State) -> None:
    """In the same step."""
    first = add_entry(state, entry())
    second = add_entry(state, entry(created_at=NOW + timedelta(hours=1)), replaces=[first.id])
    assert [item.ended_at for item in triage_log(state)] == [NOW + timedelta(hours=1), None]
    assert second.ended_at is None


def test_a_state_from_before_triage_is_brought_up_to_date(tmp_path: Path) -> None:
    """What it held stays."""
    url = f"sqlite:///{tmp_path}/state.db"
    identity = finding_id("usage_spike", "main", "k1", None)
    sighting = f"'{identity}', 'usage_spike', 'Usage spike', 'k1', 'high', 9.5, 1, '2026-03-17', 1"
    with create_engine(url, poolclass=NullPool).begin() as connection:
        prepare(connection, list(MIGRATIONS)[:1], OWNER)
        connection.execute(text("INSERT INTO detector_judged_nights VALUES ('2026-03-17', true)"))
        connection.execute(text(f"INSERT INTO detector_sightings VALUES ('2026-03-17', {sighting})"))
    state = State(url, OWNER)
    assert (triage_log(state), days_judged(state)) == ([], {DAY: True})
    assert set(earlier_sightings(state, date.max)) == {identity}


def test_judged_days_are_known(state: State) -> None:
    """Each with whether its data were complete, as it was judged last."""
    assert days_judged(state) == {}
    earlier = DAY - timedelta(days=3)
    record_day(state, DAY, WHOLE, [])
    record_day(state, earlier, WHOLE, [])
    record_day(state, earlier, Extent(complete=False), [])
    assert days_judged(state) == {DAY: True, earlier: False}


def test_a_state_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """Guessing would corrupt it."""
    url = f"sqlite:///{tmp_path}/state.db"
    State(url, OWNER)
    with create_engine(url, poolclass=NullPool).begin() as connection:
        connection.execute(text("INSERT INTO detector_migrations VALUES ('9999_future', '2030-01-01')"))
    with pytest.raises(StateError, match=r"newer version.*9999_future"):
        State(url, OWNER)


def test_a_state_that_cannot_be_reached_says_so_without_its_password() -> None:
    """The URL is shown masked."""
    with pytest.raises(StateError) as caught:
        State("postgresql+psycopg://me:hunter2@127.0.0.1:1/none", OWNER)
    assert "hunter2" not in str(caught.value)

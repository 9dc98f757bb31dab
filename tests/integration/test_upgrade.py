"""A state of an older version is brought up to date with a copy kept, one of a newer version left alone."""

from __future__ import annotations

import os
import stat
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.pool import NullPool

from detector.model.errors import StateError
from detector.model.finding import finding_id
from detector.model.owner import Owner
from detector.state import upgrade
from detector.state.database import State
from detector.state.migrations import MIGRATIONS
from detector.state.sightings import days_judged, earlier_sightings
from detector.state.upgrade import prepare
from tests.fakes import OWNER

DAY = date(2026, 3, 17)
FIRST_TWO = list(MIGRATIONS)[:2]
THIRD = list(MIGRATIONS)[2]


def make_older(connection: Connection) -> None:
    """A state as the version with the first two migrations left it, with a row in each table."""
    prepare(connection, FIRST_TWO, OWNER)
    connection.execute(text("INSERT INTO detector_judged_nights VALUES ('2026-03-17', true)"))
    connection.execute(
        text(
            "INSERT INTO detector_runs (run_id, night, started_at, exit_code, message) "
            "VALUES ('r1', '2026-03-17', '2026-03-18 02:30:00', 0, 'Nothing to look at tonight')"
        )
    )


def test_a_file_is_copied_beside_itself_before_it_is_migrated(tmp_path: Path) -> None:
    """The copy opens, holds what was there, and can be read by the same people; a second start copies nothing."""
    url = f"sqlite:///{tmp_path}/state.db"
    with create_engine(url, poolclass=NullPool).begin() as connection:
        make_older(connection)
    (tmp_path / "state.db").chmod(0o600)
    copy = tmp_path / f"state.db.before-{THIRD}"
    copy.write_bytes(b"half of one, from a try that was killed")
    assert days_judged(State(url, OWNER)) == {DAY: True}
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with create_engine(f"sqlite:///{copy}", poolclass=NullPool).connect() as connection:
        assert connection.execute(text("SELECT night FROM detector_judged_nights")).scalars().all() == [
            "2026-03-17"
        ]
        assert "detector_outbox" not in inspect(connection).get_table_names()
    copy.unlink()
    State(url, OWNER)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state.db"]


def test_tables_are_copied_within_the_migration_of_a_server(empty_postgres: str) -> None:
    """Under names that say before which migration."""
    engine = create_engine(empty_postgres, poolclass=NullPool)
    with engine.begin() as connection:
        make_older(connection)
    assert days_judged(State(empty_postgres, OWNER)) == {DAY: True}
    with engine.connect() as connection:
        copied = {name for name in inspect(connection).get_table_names() if name.endswith("_before_0003")}
        assert {"detector_judged_nights_before_0003", "detector_runs_before_0003"} <= copied
        assert connection.execute(text("SELECT run_id FROM detector_runs_before_0003")).scalars().all() == ["r1"]
    State(empty_postgres, OWNER)


def test_days_judged_before_an_upgrade_close_what_they_closed(state_url: str) -> None:
    """No type was noted as not judged on them."""
    engine = create_engine(state_url, poolclass=NullPool)
    if engine.dialect.name == "sqlite":
        Path(str(engine.url.database)).parent.mkdir()
    identity = finding_id("usage_spike", "main", "k1", None)
    seen = f"'{identity}', 'usage_spike', 'Usage spike', 'k1', 'high', 9.5, 1, '2026-03-17', 1"
    with engine.begin() as connection:
        prepare(connection, [name for name in MIGRATIONS if name < "0008"], OWNER)
        connection.execute(text(f"INSERT INTO detector_sightings VALUES ('2026-03-17', {seen})"))
        connection.execute(text("INSERT INTO detector_judged_days VALUES ('2026-03-17', true)"))
        connection.execute(text("INSERT INTO detector_judged_days VALUES ('2026-03-18', true)"))
    state = State(state_url, OWNER)
    assert earlier_sightings(state, date(2026, 3, 18))[identity].open
    assert not earlier_sightings(state, date(2026, 3, 19))[identity].open


def test_an_upgrade_that_stops_in_the_middle_has_changed_nothing(
    state_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables, copies on a server and notes are as before, and the next start upgrades."""
    engine = create_engine(state_url, poolclass=NullPool)
    if engine.dialect.name == "sqlite":
        Path(str(engine.url.database)).parent.mkdir()
    with engine.begin() as connection:
        make_older(connection)
        before = sorted(inspect(connection).get_table_names())

    def stop(_connection: Connection, _owner: Owner) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setitem(MIGRATIONS, list(MIGRATIONS)[-1], stop)
        with pytest.raises(KeyboardInterrupt):
            State(state_url, OWNER)
    with engine.connect() as connection:
        assert sorted(inspect(connection).get_table_names()) == before
    assert days_judged(State(state_url, OWNER)) == {DAY: True}


def test_a_failure_of_the_database_stops_the_copy_and_the_upgrade(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a full disk does: nothing is migrated without a copy."""
    url = f"sqlite:///{tmp_path}/state.db"
    with create_engine(url, poolclass=NullPool).begin() as connection:
        make_older(connection)
    before = (tmp_path / "state.db").read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(upgrade, "_beside", lambda _original: (os.dup(1), str(tmp_path / "gone" / "copy")))
        with pytest.raises(StateError, match="cannot copy the state before its upgrade: unable to open database"):
            State(url, OWNER)
    assert (tmp_path / "state.db").read_bytes() == before


def test_a_new_state_leaves_no_copy(tmp_path: Path, empty_postgres: str) -> None:
    """There is nothing to lose yet."""
    State(f"sqlite:///{tmp_path}/state.db", OWNER)
    assert [path.name for path in tmp_path.iterdir()] == ["state.db"]
    State(empty_postgres, OWNER)
    with create_engine(empty_postgres, poolclass=NullPool).connect() as connection:
        assert not [name for name in inspect(connection).get_table_names() if "_before_" in name]


def test_a_state_of_a_newer_version_is_left_byte_for_byte(tmp_path: Path) -> None:
    """Also where it lacks a migration of ours: it went another way."""
    url = f"sqlite:///{tmp_path}/state.db"
    with create_engine(url, poolclass=NullPool).begin() as connection:
        make_older(connection)
        connection.execute(text("INSERT INTO detector_migrations VALUES ('9999_future', '2030-01-01')"))
    before = (tmp_path / "state.db").read_bytes()
    with pytest.raises(StateError, match=r"newer version.*9999_future"):
        State(url, OWNER)
    assert (tmp_path / "state.db").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["state.db"]


def test_a_copy_that_cannot_be_made_stops_the_upgrade(tmp_path: Path) -> None:
    """Nothing is migrated then, and no leftover stays."""
    url = f"sqlite:///{tmp_path}/state.db"
    with create_engine(url, poolclass=NullPool).begin() as connection:
        make_older(connection)
    before = (tmp_path / "state.db").read_bytes()
    (tmp_path / f"state.db.before-{THIRD}").mkdir()
    with pytest.raises(StateError, match="cannot copy the state before its upgrade"):
        State(url, OWNER)
    assert (tmp_path / "state.db").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


def test_an_upgrade_stamps_when_it_was_done(tmp_path: Path) -> None:
    """In UTC, for whoever looks into it later."""
    started = datetime.now(UTC).replace(tzinfo=None)
    State(f"sqlite:///{tmp_path}/state.db", OWNER)
    with create_engine(f"sqlite:///{tmp_path}/state.db", poolclass=NullPool).connect() as connection:
        stamps = connection.execute(text("SELECT applied_at FROM detector_migrations")).scalars().all()
    assert len(stamps) == len(MIGRATIONS)
    assert all(datetime.fromisoformat(stamp) >= started for stamp in stamps)

"""Locks: one holder at a time, and an error where nobody could ever hold one."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from detector.model.errors import StateError
from detector.model.owner import Owner
from detector.state.database import State
from detector.state.locks import Lock, exclusively


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """A state database in a file. Nothing has opened it yet."""
    return create_engine(f"sqlite:///{tmp_path}/state.db", poolclass=NullPool)


def test_a_lock_has_one_holder_at_a_time(engine: Engine) -> None:
    """Who comes second is told at once; the lock is free again once its block is left."""
    with exclusively(engine, "run") as first:
        started = time.monotonic()
        with exclusively(engine, "run") as second:
            waited = time.monotonic() - started
            assert first.held
            assert not second.held
        assert waited < 0.5
    with exclusively(engine, "run") as third:
        assert third.held


def test_tasks_do_not_lock_one_another(engine: Engine) -> None:
    """A run and a delivery may go on side by side."""
    with exclusively(engine, "run") as run, exclusively(engine, "outbox") as outbox:
        assert run.held
        assert outbox.held


def test_installations_do_not_lock_one_another(tmp_path: Path) -> None:
    """The run of one organization does not keep that of another waiting."""
    url = f"sqlite:///{tmp_path}/state.db"
    acme = State(url, Owner("acme", "main"))
    globex = State(url, Owner("globex", "main"))
    with acme.exclusively("run") as first, globex.exclusively("run") as second:
        assert first.held
        assert second.held
        with acme.exclusively("run") as third:
            assert not third.held


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_state_in_memory_belongs_to_its_process(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else can be at work on it, so there is no file."""
    monkeypatch.chdir(tmp_path)
    with exclusively(create_engine(url), "run") as lock:
        assert lock.held
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_which_no_lock_can_be_made_is_an_error(tmp_path: Path) -> None:
    """It must not read as "another run is at work": that would be so for ever."""
    engine = create_engine(f"sqlite:///{tmp_path}/nowhere/state.db")
    with pytest.raises(StateError, match="cannot take the lock"), exclusively(engine, "run"):
        pass


def test_a_file_that_cannot_be_locked_is_an_error(engine: Engine, tmp_path: Path) -> None:
    """A lock file that something else has overwritten is not the lock of another run."""
    (tmp_path / "state.db.run").write_bytes(b"not a lock " * 100)
    with pytest.raises(StateError, match="cannot take the lock"), exclusively(engine, "run"):
        pass


def test_a_database_that_cannot_be_reached_is_an_error_in_one_line() -> None:
    """The driver's own first line, without the name of its class."""
    engine = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/state", poolclass=NullPool)
    with (
        pytest.raises(StateError, match="cannot reach the state database: connection") as caught,
        exclusively(engine, "run"),
    ):
        pass
    assert "\n" not in str(caught.value)


def test_a_lock_without_a_connection_cannot_be_lost() -> None:
    """Nothing happens."""
    Lock(held=True).confirm()


def test_a_lock_is_lost_with_its_connection(engine: Engine) -> None:
    """Somebody else may hold it by now."""
    connection = engine.connect()
    lock = Lock(held=True, connection=connection)
    lock.confirm()
    connection.close()
    with pytest.raises(StateError, match="the lock with it"):
        lock.confirm()

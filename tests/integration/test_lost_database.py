"""A state database that goes away in the middle of a run."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from detector.config.load import load
from detector.model.errors import StateError
from detector.operations.schedule.nightly import nightly
from detector.state.database import State
from detector.state.runs import Run, Stage, last_run
from tests.fakes import OWNER
from tests.killed_runs import copied, finished, left, prepare


def test_a_database_that_goes_away_stops_the_run_and_the_next_one_goes_on(
    tmp_path: Path, empty_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock went with the connection, so nothing more is written; afterwards the report is the usual one."""
    engine = create_engine(empty_postgres, poolclass=NullPool)
    prepare(tmp_path, keys=50, days=12)
    folder, calm = copied(tmp_path, tmp_path / "run"), copied(tmp_path, tmp_path / "calm")
    config = load(folder / "config.yaml", [f"state.url={empty_postgres}"])
    now, reach = datetime(2026, 3, 18, 2, 30, tzinfo=UTC), Run.reach

    def reach_after_a_restart(run: Run, stage: Stage, **done: object) -> None:
        if stage is Stage.JUDGED:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            with engine.begin() as connection:
                connection.execute(text(f"{others} AND datname = current_database()"))
        reach(run, stage, **done)

    monkeypatch.setattr(Run, "reach", reach_after_a_restart)
    with pytest.raises(StateError, match="run again once the database is back"):
        nightly(config, now=now)
    assert not list(folder.glob("var/reports/*/*"))
    monkeypatch.undo()
    with closing(State(empty_postgres, OWNER)) as state:
        last = last_run(state)
        assert last is not None
        assert (last.stage, last.exit_code) == ("pulled", 1)
    nightly(config, now=now)
    finished(calm)
    assert left(folder) == left(calm)

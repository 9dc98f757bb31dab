"""What the state database reports about itself."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text

from detector.state.database import State
from detector.state.integrity import faults
from tests.fakes import OWNER


def test_a_sound_state_has_no_faults() -> None:
    """As it is made."""
    assert faults(State("sqlite://", OWNER)) == []


def test_a_missing_table_and_a_missing_migration_are_named() -> None:
    """A backup has both."""
    state = State("sqlite://", OWNER)
    with state.transaction() as rows:
        rows.connection.execute(text("DROP TABLE detector_triage"))
        rows.connection.execute(text("DELETE FROM detector_migrations WHERE name = '0004_outbox'"))
    assert faults(state) == ["the table detector_triage is missing", "the migration 0004_outbox is not noted"]


def test_a_file_that_is_no_database_is_a_fault(tmp_path: Path) -> None:
    """And no failure of the examination."""
    path = tmp_path / "state.db"
    state = State(f"sqlite:///{path}", OWNER)
    path.write_bytes(b"not a database" * 100)
    (fault,) = faults(state)
    assert "cannot read the state database" in fault

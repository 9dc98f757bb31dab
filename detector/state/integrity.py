"""Checks of the state database itself."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, inspect, select

from detector.model.errors import StateError
from detector.state.database import State
from detector.state.migrations import MIGRATIONS
from detector.state.tables import TABLES, migrations


def faults(state: State) -> list[str]:
    """What the database reports about itself, and the tables and migrations that it lacks, in words."""
    try:
        with state.reading() as rows:
            return list(_faults(rows.connection))
    except StateError as error:
        return [str(error)]


def _faults(connection: Connection) -> Iterator[str]:
    if connection.dialect.name == "sqlite":
        reported = connection.exec_driver_sql("PRAGMA integrity_check(10)").scalars()
        yield from (str(line) for line in reported if line != "ok")
    there = set(inspect(connection).get_table_names())
    yield from (f"the table {name} is missing" for name in (migrations.name, *TABLES) if name not in there)
    if migrations.name in there:
        done = set(connection.execute(select(migrations.c.name)).scalars())
        yield from (f"the migration {name} is not noted" for name in MIGRATIONS if name not in done)

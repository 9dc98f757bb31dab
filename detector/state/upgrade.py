"""Migrate a state that an older version made, and keep a copy of it.

The copy is made where the state is: a SQLite file is copied beside itself, and the tables of a server are copied
beside themselves within the transaction of the migration. So no folder has to be configured, and the upgrade
works wherever the state is first opened. A state of a newer version is refused and left as it is.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, insert, inspect, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from detector.boundary.disk import SCRAP
from detector.model.errors import StateError
from detector.state.migrations import MIGRATIONS, RENAMED_TABLES
from detector.state.tables import TABLES, metadata, migrations


def migrate(engine: Engine) -> None:
    """Migrate; where another run began at the same moment and was quicker, find that it is done.

    A SQLite file is first copied to ``<file>.before-<first missing migration>``. On PostgreSQL the tables are
    copied to ``<table>_before_<number>`` in the transaction of the migration itself.
    """
    try:
        with engine.connect() as connection:
            missing = _missing(connection)
        if missing:
            _copy_file(engine, missing[0])
            _apply(engine)
    except DBAPIError:
        _apply(engine)


def prepare(connection: Connection, names: list[str]) -> None:
    """Apply the named migrations to a database without tables of ours, and note them."""
    metadata.create_all(connection, tables=[migrations])
    for name in names:
        MIGRATIONS[name](connection)
        connection.execute(insert(migrations).values(name=name, applied_at=datetime.now(UTC)))


def applied(connection: Connection) -> list[str]:
    """The migrations that were applied, in their order. StateError where this version does not know one."""
    if not inspect(connection).has_table(migrations.name):
        return []
    found = set(connection.execute(select(migrations.c.name)).scalars())
    if unknown := found - set(MIGRATIONS):
        raise StateError(
            f"the state database was written by a newer version of detector ({', '.join(sorted(unknown))}); "
            "upgrade detector, or point state.url at another database"
        )
    return [name for name in MIGRATIONS if name in found]


def _missing(connection: Connection) -> list[str]:
    done = applied(connection)
    return [name for name in MIGRATIONS if name not in done]


def _apply(engine: Engine) -> None:
    """Apply what is missing in one transaction, so that an upgrade that is killed has changed nothing."""
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # Python's driver begins none before it alters a table
        missing = _missing(connection)
        if not missing:
            return
        if engine.dialect.name != "sqlite" and applied(connection):
            _copy_tables(connection, missing[0])
        prepare(connection, missing)


def _copy_tables(connection: Connection, migration: str) -> None:
    """Copy every table beside itself; a failed migration takes its copies back with it."""
    quote, number = connection.dialect.identifier_preparer.quote, migration.split("_", maxsplit=1)[0]
    there = set(inspect(connection).get_table_names())
    for name in (migrations.name, *TABLES, *RENAMED_TABLES):
        copy = f"{name}_before_{number}"
        if name in there and copy not in there:
            connection.exec_driver_sql(f"CREATE TABLE {quote(copy)} AS TABLE {quote(name)}")


def _copy_file(engine: Engine, migration: str) -> None:
    """Copy a SQLite file that was in use before. One that another process migrated meanwhile is no copy of it."""
    database = engine.url.database
    if engine.dialect.name != "sqlite" or database in (None, "", ":memory:"):
        return
    with engine.connect() as connection:
        if not applied(connection):
            return
    original = Path(str(database))
    handle, temporary = _beside(original)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("VACUUM INTO ?", (temporary,))
        if migration in _missing_of(temporary):
            os.fsync(handle)
            os.chmod(temporary, original.stat().st_mode & 0o777)
            os.replace(temporary, f"{original}.before-{migration}")
    except (OSError, DBAPIError) as error:
        reason = getattr(error, "orig", error)
        raise StateError(f"cannot copy the state before its upgrade: {reason}") from error
    finally:
        os.close(handle)
        with suppress(FileNotFoundError):
            os.unlink(temporary)


def _beside(original: Path) -> tuple[int, str]:
    try:
        return tempfile.mkstemp(dir=original.parent, prefix=f".{original.name}.", suffix=SCRAP)
    except OSError as error:
        raise StateError(f"cannot copy the state before its upgrade: {error}") from error


def _missing_of(path: str) -> list[str]:
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with closing(engine.connect()) as connection:
        return _missing(connection)

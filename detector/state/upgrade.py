"""Migrates the state of an older version, and keeps a copy of it.

The copy has the same place as the state: a SQLite file is copied into its own folder, and the tables of a server
are copied within their database in the transaction of the migration. So the upgrade needs no configured folder. A
state of a newer version is refused and not changed.
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

from detector.boundary.disk import TEMPORARY_SUFFIX
from detector.model.errors import StateError
from detector.model.owner import Owner
from detector.state.migrations import MIGRATIONS, RENAMED_TABLES
from detector.state.tables import TABLES, metadata, migrations


def migrate(engine: Engine, owner: Owner) -> None:
    """Apply the missing migrations for an installation; nothing if another process did so in the same moment.

    A SQLite file is first copied to ``<file>.before-<first missing migration>``. On PostgreSQL the tables are
    copied to ``<table>_before_<number>`` in the transaction of the migration itself.
    """
    try:
        with engine.connect() as connection:
            missing = _missing(connection)
        if missing:
            _copy_file(engine, missing[0])
            _apply(engine, owner)
    except DBAPIError:
        _apply(engine, owner)


def prepare(connection: Connection, names: list[str], owner: Owner) -> None:
    """Apply the named migrations for an installation, and record them."""
    metadata.create_all(connection, tables=[migrations])
    for name in names:
        MIGRATIONS[name](connection, owner)
        connection.execute(insert(migrations).values(name=name, applied_at=datetime.now(UTC)))


def applied(connection: Connection) -> list[str]:
    """The applied migrations in their order. StateError if this version does not know one of them."""
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


def _apply(engine: Engine, owner: Owner) -> None:
    """Apply the missing migrations in one transaction, so that a killed upgrade changes nothing."""
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # Python's driver begins none before it alters a table
        missing = _missing(connection)
        if not missing:
            return
        if engine.dialect.name != "sqlite" and applied(connection):
            _copy_tables(connection, missing[0])
        prepare(connection, missing, owner)


def _copy_tables(connection: Connection, migration: str) -> None:
    """Copy every table within its database. The copies are rolled back with a migration that fails."""
    quote = connection.dialect.identifier_preparer.quote
    number = migration.split("_", maxsplit=1)[0]
    existing = set(inspect(connection).get_table_names())
    for name in (migrations.name, *TABLES, *RENAMED_TABLES):
        copy = f"{name}_before_{number}"
        if name in existing and copy not in existing:
            connection.exec_driver_sql(f"CREATE TABLE {quote(copy)} AS TABLE {quote(name)}")


def _copy_file(engine: Engine, migration: str) -> None:
    """Copy a SQLite file before its migration; nothing for a new file, or if another process was quicker."""
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
        return tempfile.mkstemp(dir=original.parent, prefix=f".{original.name}.", suffix=TEMPORARY_SUFFIX)
    except OSError as error:
        raise StateError(f"cannot copy the state before its upgrade: {error}") from error


def _missing_of(path: str) -> list[str]:
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with closing(engine.connect()) as connection:
        return _missing(connection)

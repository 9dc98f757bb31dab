"""Locks that end with their process, so that nothing has to expire and nobody has to clear them.

A lock belongs to an open file (SQLite) or to a connection (PostgreSQL). When a process is killed, its lock is
free at once, and two processes never evaluate or deliver at the same time. On PostgreSQL a connection can be
lost while its process lives on; another process may then hold the lock. Therefore a run confirms its lock before
it logs each stage, and stops if the lock is lost.

On SQLite the lock is SQLite's reserved lock on a file of its own, because exactly one process gets it. Two
processes that ask for the exclusive lock at the same instant may both give up.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from detector.boundary.disk import touch_private
from detector.model.errors import StateError


@dataclass(frozen=True)
class Lock:
    """Whether this process holds the lock of a task, and the connection that holds it on PostgreSQL."""

    held: bool
    connection: Connection | None = None

    def confirm(self) -> None:
        """Raise StateError if the lock was lost with its connection."""
        if self.connection is None:
            return
        try:
            self.connection.execute(select(1))
        except SQLAlchemyError:
            raise StateError(
                "the connection to the state database broke off, and the lock with it; nothing more is written, "
                "as another run may be at work: run again once the database is back"
            ) from None


@contextmanager
def exclusively(engine: Engine, task: str) -> Iterator[Lock]:
    """The lock of a task for the duration of the block; ``held`` is False if another process has it."""
    database = engine.url.database
    if engine.dialect.name == "postgresql":
        with closing(_connection(engine)) as connection:
            statement = select(func.pg_try_advisory_lock(_number(task)))
            yield Lock(bool(connection.execute(statement).scalar()), connection)
    elif database in (None, "", ":memory:"):
        yield Lock(True)
    else:
        with closing(_file(f"{database}.{task}")) as file:
            yield Lock(_taken(file))


def _number(task: str) -> int:
    """The number by which PostgreSQL knows a lock: 64 bits, so that tasks practically never share one."""
    return int.from_bytes(hashlib.sha256(task.encode()).digest()[:8], signed=True)


def _connection(engine: Engine) -> Connection:
    """A connection to PostgreSQL outside any transaction."""
    # A transaction that stays open for a whole run keeps the server from cleaning up old rows.
    try:
        return engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise StateError(f"cannot reach the state database: {reason}") from error


def _file(path: str) -> sqlite3.Connection:
    try:
        touch_private(path)
        return sqlite3.connect(path, timeout=0, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise _cannot_lock(error) from error


def _taken(file: sqlite3.Connection) -> bool:
    """Whether this process gets the reserved lock of a file."""
    try:
        file.execute("PRAGMA journal_mode = MEMORY")  # otherwise a killed process leaves a journal file
        file.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:  # the low byte: SQLite has several kinds of busy
            raise _cannot_lock(error) from error
        return False
    return True


def _cannot_lock(error: OSError | sqlite3.Error) -> StateError:
    return StateError(f"cannot take the lock beside the state database: {error}")

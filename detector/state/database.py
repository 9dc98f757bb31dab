"""The database of the state: its engine, its transactions and its locks.

SQLAlchemy Core on SQLite or PostgreSQL. What is stored, and every statement that reads or writes it, lies in the
modules beside this one, by subject: runs, sightings, triage, tokens, outbox, ledger.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool, StaticPool

from detector.boundary.disk import make_folder, touch_private
from detector.config.urls import shown_database
from detector.model.errors import ConfigError, StateError
from detector.model.owner import Owner
from detector.state.locks import Lock, exclusively
from detector.state.rows import OwnRows
from detector.state.upgrade import migrate

if TYPE_CHECKING:
    from detector.config.config import Config

PATIENCE = 30
"""Seconds for which a statement on SQLite waits while another installation writes into the same file."""


class State:
    """The rows of one installation in the state database of a URL.

    The database is created on first use, and migrated if an older version created it. Other installations may use
    the same database; ``owner`` says whose rows and locks this one has.
    ``run_lock`` is the lock under which a run works; ``runs.only_run`` takes it.
    """

    def __init__(self, url: str, owner: Owner) -> None:
        self.owner = owner
        self._engine = _engine(url)
        self.run_lock = Lock(held=False)
        try:
            migrate(self._engine, owner)
        except SQLAlchemyError as error:
            place = shown_database(url)
            raise StateError(f"cannot use the state database {place}: {first_line(error)}") from error

    @classmethod
    def of(cls, config: Config) -> State:
        """The state of a configured installation."""
        return cls(config.state.url, config.owner)

    def close(self) -> None:
        """Close the connections to the database. A state in memory is lost."""
        self._engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[OwnRows]:
        """The own rows. What is written is committed together at the end of the block, or rolled back."""
        try:
            with self._engine.begin() as connection:
                yield OwnRows(connection, self.owner)
        except SQLAlchemyError as error:
            raise StateError(f"cannot write the state database: {first_line(error)}") from error

    @contextmanager
    def reading(self) -> Iterator[OwnRows]:
        """The own rows, only to be read."""
        try:
            with self._engine.connect() as connection:
                yield OwnRows(connection, self.owner)
        except SQLAlchemyError as error:
            raise StateError(f"cannot read the state database: {first_line(error)}") from error

    def exclusively(self, task: str) -> AbstractContextManager[Lock]:
        """The lock of a task of this installation for the duration of the block. Another process may hold it."""
        return exclusively(self._engine, f"{task}-{self.owner.digest}")


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        try:
            return create_engine(parsed, poolclass=NullPool)
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise ConfigError(
                f"state.url: no driver for this url: {error}; write sqlite:///, or postgresql+psycopg:// and "
                "pip install 'key-usage-detector[postgresql]'"
            ) from None
    if parsed.database in (None, "", ":memory:"):
        return create_engine(parsed, poolclass=StaticPool)
    try:
        make_folder(Path(str(parsed.database)).parent)
        touch_private(str(parsed.database))
    except OSError as error:
        raise StateError(f"cannot create the state database: {error}") from error
    return create_engine(parsed, poolclass=NullPool, connect_args={"timeout": PATIENCE})


def first_line(error: SQLAlchemyError) -> str:
    """The first line of what the driver says, without the statement and its values."""
    return str(getattr(error, "orig", None) or error).splitlines()[0]

"""One run at a time: a lock in the state database, which a dead run cannot keep.

PostgreSQL holds an advisory lock for as long as the run's connection lives. Elsewhere a row names the
owner, who renews it while it lives; it is taken over from a process that is gone, or that has been silent
for ten minutes.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Any

from sqlalchemy import (
    Column,
    DateTime,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from detector.errors import LockedError

RUN = "run"
ADVISORY_KEY = 0x6465746563746F72
"""What PostgreSQL knows the lock by: the bytes of ``detector``."""
HEARTBEAT = timedelta(seconds=30)
STALE = timedelta(minutes=10)

Clock = Callable[[], datetime]

metadata = MetaData()
locks = Table(
    "detector_locks",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("owner", String(36), nullable=False),
    Column("host", String(255), nullable=False),
    Column("process", Integer, nullable=False),
    Column("acquired_at", DateTime(timezone=True), nullable=False),
    Column("renewed_at", DateTime(timezone=True), nullable=False),
)


def utc_now() -> datetime:
    """The present instant."""
    return datetime.now(UTC)


@contextmanager
def only_run(engine: Engine, clock: Clock = utc_now) -> Iterator[None]:
    """Hold the lock for the length of the block. Raises LockedError where another run holds it."""
    with _advisory(engine) if engine.dialect.name == "postgresql" else _row(engine, clock):
        yield


@contextmanager
def _advisory(engine: Engine) -> Iterator[None]:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.execute(select(func.pg_try_advisory_lock(ADVISORY_KEY))).scalar():
            raise LockedError("another run is at work on this state database; try again later")
        yield  # the lock goes with the connection, however it ends


@contextmanager
def _row(engine: Engine, clock: Clock) -> Iterator[None]:
    owner = str(uuid.uuid4())
    _acquire(engine, owner, clock())
    over = Event()
    heart = Thread(target=_beat, args=(engine, owner, clock, over), daemon=True)
    heart.start()
    try:
        yield
    finally:
        over.set()
        heart.join()
        with engine.begin() as connection:
            connection.execute(delete(locks).where(locks.c.owner == owner))


def _acquire(engine: Engine, owner: str, now: datetime) -> None:
    mine = {
        "owner": owner,
        "host": socket.gethostname(),
        "process": os.getpid(),
        "acquired_at": now,
        "renewed_at": now,
    }
    try:
        with engine.begin() as connection:
            connection.execute(insert(locks).values(name=RUN, **mine))
    except IntegrityError:
        with engine.begin() as connection:
            held = connection.execute(select(locks).where(locks.c.name == RUN)).mappings().first()
            if held is not None and not _abandoned(held, now):
                since = _utc(held["acquired_at"])
                raise LockedError(
                    f"another run (process {held['process']} on {held['host']}) has been at work since "
                    f"{since:%Y-%m-%d %H:%M:%S} UTC; try again later"
                ) from None
            same = locks.c.owner == (held["owner"] if held else None)
            taken = connection.execute(update(locks).where(locks.c.name == RUN, same).values(mine))
            if taken.rowcount != 1:
                raise LockedError("another run has just begun; try again later") from None


def _abandoned(held: Any, now: datetime) -> bool:
    """Whether the owner is a process of this machine that is gone, or has long been silent."""
    if now - _utc(held["renewed_at"]) > STALE:
        return True
    if held["host"] != socket.gethostname():
        return False
    try:
        os.kill(held["process"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _beat(engine: Engine, owner: str, clock: Clock, over: Event) -> None:
    while not over.wait(HEARTBEAT.total_seconds()):
        with engine.begin() as connection:
            connection.execute(update(locks).where(locks.c.owner == owner).values(renewed_at=clock()))


def _utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)

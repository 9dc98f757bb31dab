"""What the job remembers between runs: runs, nights judged, what was found on each, what people said of it.

SQLAlchemy Core on SQLite or PostgreSQL. Migrations are named functions recorded in a table; a state
written by a newer version is refused, never guessed at. The life of a finding is not stored but follows
from the sightings of earlier nights, so that an old night can be judged again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    Update,
    create_engine,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool, StaticPool

from detector import outbox_table
from detector.errors import LockedError, StateError
from detector.messages import Outgoing
from detector.model import Finding, Severity, Sighting, TriageEntry
from detector.tokens import ApiToken

metadata = MetaData()

migrations = Table(
    "detector_migrations",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("applied_at", DateTime(timezone=True), nullable=False),
)
runs = Table(
    "detector_runs",
    metadata,
    Column("run_id", String(36), primary_key=True),
    Column("night", Date, nullable=False, index=True),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("finished_at", DateTime(timezone=True)),
    Column("exit_code", Integer),
    Column("message", String(2000)),
)
judged_nights = Table(
    "detector_judged_nights",
    metadata,
    Column("night", Date, primary_key=True),
    Column("complete", Boolean, nullable=False),
)
sightings = Table(
    "detector_sightings",
    metadata,
    Column("night", Date, primary_key=True),
    Column("finding_id", String(64), primary_key=True, index=True),
    Column("type", String(64), nullable=False),
    Column("title", String(200), nullable=False),
    Column("key_id", String),
    Column("severity", String(16), nullable=False),
    Column("score", Float),
    Column("episode", Integer, nullable=False),
    Column("first_seen", Date, nullable=False),
    Column("nights", Integer, nullable=False),
)

entries = Table(
    "detector_triage",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("action", String(16), nullable=False),
    Column("target_kind", String(16), nullable=False),
    Column("target", Text, nullable=False),
    Column("type", String(64)),
    Column("reason", Text),
    Column("by", Text, nullable=False),
    Column("from_night", Date, nullable=False),
    Column("until_night", Date),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Column("verdict", String(16)),
    Column("episode", Integer),
)
api_tokens = Table(
    "detector_api_tokens",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("organization", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
)


def _create_first_tables(connection: Connection) -> None:
    metadata.create_all(connection, tables=[runs, judged_nights, sightings])


def _create_triage(connection: Connection) -> None:
    metadata.create_all(connection, tables=[entries])


def _create_api_tokens(connection: Connection) -> None:
    metadata.create_all(connection, tables=[api_tokens])


def _create_outbox(connection: Connection) -> None:
    outbox_table.outbox.create(connection, checkfirst=True)


MIGRATIONS: dict[str, Callable[[Connection], None]] = {
    "0001_runs_and_sightings": _create_first_tables,
    "0002_triage": _create_triage,
    "0003_api_tokens": _create_api_tokens,
    "0004_outbox": _create_outbox,
}
"""In order; a name once released never changes."""


class State:
    """The state database behind one URL; made and migrated on first use."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        try:
            _migrate_once(self._engine)
        except SQLAlchemyError as error:
            raise StateError(f"cannot use the state database {_shown(url)}: {_first_line(error)}") from error

    def close(self) -> None:
        """Let go of the database; a state in memory is gone with it."""
        self._engine.dispose()

    @contextmanager
    def only_run(self) -> Iterator[None]:
        """Let no other run work while the block lasts. Raises LockedError where another one does."""
        with self.exclusively("run") as alone:
            if not alone:
                last = self.last_run()
                since = f" since {_utc(last['started_at']):%Y-%m-%d %H:%M:%S} UTC" if last else ""
                raise LockedError(f"another run is at work on this state{since}; try again later")
            yield

    def begin_run(self, run_id: str, night: date, started_at: datetime) -> None:
        """Log that a run has started."""
        self._write(insert(runs).values(run_id=run_id, night=night, started_at=started_at))

    def end_run(self, run_id: str, finished_at: datetime, exit_code: int, message: str) -> None:
        """Log how a run ended."""
        done = {"finished_at": finished_at, "exit_code": exit_code, "message": message[:2000]}
        self._write(update(runs).where(runs.c.run_id == run_id).values(done))

    def record(
        self, night: date, complete: bool, findings: Iterable[Finding], outgoing: Outgoing | None = None
    ) -> None:
        """Store what was found on a night, replacing what an earlier judgement of it found.

        The messages that tell of it are queued in the same transaction, so that neither is there without the
        other. Without ``outgoing`` nothing is queued, and what waits already is left alone.
        """
        rows = [_row(finding) for finding in findings]
        with self.transaction() as connection:
            connection.execute(delete(sightings).where(sightings.c.night == night))
            connection.execute(delete(judged_nights).where(judged_nights.c.night == night))
            connection.execute(insert(judged_nights).values(night=night, complete=complete))
            if rows:
                connection.execute(insert(sightings), rows)
            if outgoing is not None:
                outbox_table.store(connection, [night], outgoing)

    def queue(self, nights: Iterable[date], outgoing: Outgoing) -> None:
        """Queue messages that tell of nights, in place of those that still wait for any of them."""
        with self.transaction() as connection:
            outbox_table.store(connection, nights, outgoing)

    def earlier(self, night: date) -> dict[str, Sighting]:
        """The latest sighting of every finding before a night, by finding id."""
        before = sightings.c.night < night
        latest = select(sightings.c.finding_id, func.max(sightings.c.night).label("night")).where(before)
        newest = latest.group_by(sightings.c.finding_id).subquery()
        joined = sightings.join(
            newest, (sightings.c.finding_id == newest.c.finding_id) & (sightings.c.night == newest.c.night)
        )
        last_complete = select(func.max(judged_nights.c.night)).where(
            judged_nights.c.night < night, judged_nights.c.complete
        )
        with self._engine.connect() as connection:
            closed_by = connection.execute(last_complete).scalar()
            rows = connection.execute(select(sightings).select_from(joined)).mappings().all()
        return {row["finding_id"]: _sighting(row, closed_by) for row in rows}

    def last_night(self) -> date | None:
        """The latest night that was ever judged; None before the first."""
        with self._engine.connect() as connection:
            night: date | None = connection.execute(select(func.max(judged_nights.c.night))).scalar()
        return night

    def triage(self) -> list[TriageEntry]:
        """Everything people ever said about findings, ended entries included, in the order it was said."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(entries).order_by(entries.c.id)).mappings().all()
        return [_entry(row) for row in rows]

    def add_triage(self, entry: TriageEntry, replaces: Iterable[int] = ()) -> TriageEntry:
        """Log an entry, ending those it replaces in the same step; returns it with its number."""
        entry = replace(entry, created_at=_utc(entry.created_at))
        row = {name: getattr(entry, name) for name in TriageEntry.__dataclass_fields__ if name != "id"}
        try:
            with self._engine.begin() as connection:
                connection.execute(_ending(replaces, entry.created_at))
                key = connection.execute(insert(entries).values(row)).inserted_primary_key
        except SQLAlchemyError as error:
            raise StateError(f"cannot write the state database: {_first_line(error)}") from error
        assert key is not None
        return replace(entry, id=key[0])

    def end_triage(self, ids: Iterable[int], ended_at: datetime) -> None:
        """Take entries back. They stay in the log, and one that ended earlier keeps its instant."""
        self._write(_ending(ids, ended_at))

    def tokens(self) -> list[ApiToken]:
        """Every token of the by-key endpoint that was ever made, oldest first."""
        try:
            with self._engine.connect() as connection:
                order = (api_tokens.c.created_at, api_tokens.c.name)
                rows = connection.execute(select(api_tokens).order_by(*order)).mappings().all()
        except SQLAlchemyError as error:
            raise StateError(f"cannot read the state database: {_first_line(error)}") from error
        return [_token(row) for row in rows]

    def add_token(self, token: ApiToken) -> None:
        """Store a new token; its secret is not in it."""
        row = {name: getattr(token, name) for name in ApiToken.__dataclass_fields__}
        self._write(insert(api_tokens).values(row))

    def revoke_tokens(self, name: str, revoked_at: datetime) -> int:
        """Revoke the tokens of a name that are not yet; how many there were."""
        chosen = (api_tokens.c.name == name) & api_tokens.c.revoked_at.is_(None)
        statement = update(api_tokens).where(chosen).values(revoked_at=_utc(revoked_at))
        try:
            with self._engine.begin() as connection:
                return connection.execute(statement).rowcount
        except SQLAlchemyError as error:
            raise StateError(f"cannot write the state database: {_first_line(error)}") from error

    def last_run(self) -> Mapping[str, Any] | None:
        """The most recently started run; None before the first."""
        with self._engine.connect() as connection:
            row = connection.execute(select(runs).order_by(runs.c.started_at.desc()).limit(1)).mappings().first()
        return dict(row) if row else None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection whose writes are kept together at the end of the block, or not at all."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StateError(f"cannot write the state database: {_first_line(error)}") from error

    @contextmanager
    def exclusively(self, task: str) -> Iterator[bool]:
        """Whether this process is the only one at a task while the block runs.

        The lock belongs to an open file (SQLite) or connection (PostgreSQL): a process that is killed lets go
        of it at once, and nothing has to expire.
        """
        database = self._engine.url.database
        if self._engine.dialect.name == "postgresql":
            with self._engine.connect() as connection:
                yield bool(connection.execute(select(func.pg_try_advisory_lock(func.hashtext(task)))).scalar())
        elif database in (None, "", ":memory:"):
            yield True
        else:
            with closing(sqlite3.connect(f"{database}.{task}", timeout=0, isolation_level=None)) as lock:
                yield _locked(lock)

    def _write(self, *statements: Any) -> None:
        with self.transaction() as connection:
            for statement in statements:
                connection.execute(statement)


def _locked(lock: sqlite3.Connection) -> bool:
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        return False
    return True


def _row(finding: Finding) -> dict[str, Any]:
    names = (
        "night",
        "finding_id",
        "type",
        "title",
        "key_id",
        "severity",
        "score",
        "episode",
        "first_seen",
        "nights",
    )
    return {name: getattr(finding, name) for name in names} | {"severity": finding.severity.value}


def _sighting(row: Any, closed_by: date | None) -> Sighting:
    fields = {name: row[name] for name in Sighting.__dataclass_fields__ if name != "open"}
    is_open = closed_by is None or closed_by <= row["night"]
    return Sighting(**{**fields, "severity": Severity(row["severity"]), "open": is_open})


def _entry(row: Any) -> TriageEntry:
    return TriageEntry(
        **{**row, "created_at": _utc(row["created_at"]), "ended_at": row["ended_at"] and _utc(row["ended_at"])}
    )


def _token(row: Any) -> ApiToken:
    times = {name: row[name] and _utc(row[name]) for name in ("created_at", "expires_at", "revoked_at")}
    return ApiToken(**{**row, **times})


def _utc(instant: datetime) -> datetime:
    """SQLite gives back what was stored, in UTC, without its zone; PostgreSQL in the zone of the session."""
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


def _ending(ids: Iterable[int], ended_at: datetime) -> Update:
    chosen = entries.c.id.in_(list(ids)) & entries.c.ended_at.is_(None)
    return update(entries).where(chosen).values(ended_at=_utc(ended_at))


def _migrate_once(engine: Engine) -> None:
    """Migrate; where another run began at the same moment and was quicker, find that it is done."""
    try:
        with engine.begin() as connection:
            _migrate(connection)
    except DBAPIError:
        with engine.begin() as connection:
            _migrate(connection)


def _migrate(connection: Connection) -> None:
    metadata.create_all(connection, tables=[migrations])
    applied = set(connection.execute(select(migrations.c.name)).scalars())
    if unknown := applied - set(MIGRATIONS):
        raise StateError(
            f"the state database was written by a newer version of detector ({', '.join(sorted(unknown))}); "
            "upgrade detector, or point state.url at another database"
        )
    for name, apply in MIGRATIONS.items():
        if name not in applied:
            apply(connection)
            connection.execute(insert(migrations).values(name=name, applied_at=datetime.now(UTC)))


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, poolclass=NullPool)
    if parsed.database in (None, "", ":memory:"):
        return create_engine(parsed, poolclass=StaticPool)
    try:
        Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StateError(f"cannot make the folder of the state database: {error}") from error
    return create_engine(parsed, poolclass=NullPool)


def _shown(url: str) -> str:
    return make_url(url).render_as_string(hide_password=True)


def _first_line(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]

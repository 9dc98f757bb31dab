"""What the job remembers between runs: runs, evaluated days, findings and triage.

SQLAlchemy Core on SQLite or PostgreSQL. The life of a finding is not stored: it follows from the sightings of
earlier days, so that an old day can be evaluated again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import date, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Update, create_engine, delete, func, insert, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool, StaticPool

from detector.boundary.instants import in_utc
from detector.model.errors import LockedError, StateError
from detector.model.extent import Extent
from detector.model.finding import Finding, Severity, Sighting
from detector.model.triage import TriageEntry
from detector.state import outbox as outbox_table
from detector.state.locks import Lock, exclusively
from detector.state.messages import Outgoing
from detector.state.tables import (
    api_tokens,
    entries,
    judged_days,
    run_stages,
    runs,
    sightings,
    unjudged_types,
)
from detector.state.tokens import ApiToken
from detector.state.upgrade import migrate


class State:
    """The state database behind one URL; made on first use, and migrated where an older version made it."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        self._lock = Lock(held=False)
        try:
            migrate(self._engine)
        except SQLAlchemyError as error:
            raise StateError(f"cannot use the state database {_shown(url)}: {_first_line(error)}") from error

    def close(self) -> None:
        """Let go of the database; a state in memory is gone with it."""
        self._engine.dispose()

    @contextmanager
    def only_run(self) -> Iterator[None]:
        """Let no other run work while the block lasts. Raises LockedError where another one does."""
        with self.exclusively("run") as lock:
            if not lock.held:
                last = self.last_run()
                since = f" since {in_utc(last['started_at']):%Y-%m-%d %H:%M:%S} UTC" if last else ""
                raise LockedError(f"another run is at work on this state{since}; try again later")
            self._lock = lock
            yield

    def begin_run(self, run_id: str, day: date, started_at: datetime) -> None:
        """Log that a run has started."""
        self._write(insert(runs).values(run_id=run_id, day=day, started_at=started_at))

    def reach(self, run_id: str, stage: str, reached_at: datetime) -> None:
        """Log that a run has come as far as a stage. StateError where its lock was lost on the way."""
        self._lock.confirm()
        self._write(insert(run_stages).values(run_id=run_id, stage=stage, reached_at=reached_at))

    def end_run(self, run_id: str, finished_at: datetime, exit_code: int, message: str) -> None:
        """Log how a run ended."""
        done = {"finished_at": finished_at, "exit_code": exit_code, "message": message[:2000]}
        self._write(update(runs).where(runs.c.run_id == run_id).values(done))

    def record(
        self, day: date, extent: Extent, findings: Iterable[Finding], outgoing: Outgoing | None = None
    ) -> None:
        """Store what was found on a day, replacing what an earlier judgement of it found.

        The messages that tell of it are queued in the same transaction, so that neither is there without the
        other. Without ``outgoing`` nothing is queued, and what waits already is left alone.
        """
        rows = [_row(finding) for finding in findings]
        with self.transaction() as connection:
            connection.execute(delete(sightings).where(sightings.c.day == day))
            connection.execute(delete(judged_days).where(judged_days.c.day == day))
            connection.execute(delete(unjudged_types).where(unjudged_types.c.day == day))
            connection.execute(insert(judged_days).values(day=day, complete=extent.complete))
            if extent.unjudged:
                connection.execute(
                    insert(unjudged_types), [{"day": day, "type": kind} for kind in extent.unjudged]
                )
            if rows:
                connection.execute(insert(sightings), rows)
            if outgoing is not None:
                outbox_table.store(connection, [day], outgoing)

    def queue(self, days: Iterable[date], outgoing: Outgoing) -> None:
        """Queue messages that tell of days, in place of those that still wait for any of them."""
        with self.transaction() as connection:
            outbox_table.store(connection, days, outgoing)

    def earlier(self, day: date) -> dict[str, Sighting]:
        """The latest sighting of every finding before a day, by finding id."""
        before = sightings.c.day < day
        latest = select(sightings.c.finding_id, func.max(sightings.c.day).label("day")).where(before)
        newest = latest.group_by(sightings.c.finding_id).subquery()
        joined = sightings.join(
            newest, (sightings.c.finding_id == newest.c.finding_id) & (sightings.c.day == newest.c.day)
        )
        with self._reading() as connection:
            rows = connection.execute(select(sightings).select_from(joined)).mappings().all()
            extents = _extents(connection, day)
        return {row["finding_id"]: _sighting(row, extents) for row in rows}

    def judged(self) -> dict[date, bool]:
        """Every day that was ever judged, and whether its data were complete."""
        with self._reading() as connection:
            rows = connection.execute(select(judged_days.c.day, judged_days.c.complete)).all()
        return {day: bool(complete) for day, complete in rows}

    def triage(self) -> list[TriageEntry]:
        """Everything people ever said about findings, ended entries included, in the order it was said."""
        with self._reading() as connection:
            rows = connection.execute(select(entries).order_by(entries.c.id)).mappings().all()
        return [_entry(row) for row in rows]

    def add_triage(self, entry: TriageEntry, replaces: Iterable[int] = ()) -> TriageEntry:
        """Log an entry, ending those it replaces in the same step; returns it with its number."""
        entry = replace(entry, created_at=in_utc(entry.created_at))
        row = {name: getattr(entry, name) for name in TriageEntry.__dataclass_fields__ if name != "id"}
        with self.transaction() as connection:
            connection.execute(_ending(replaces, entry.created_at))
            key = connection.execute(insert(entries).values(row)).inserted_primary_key
        assert key is not None
        return replace(entry, id=key[0])

    def end_triage(self, ids: Iterable[int], ended_at: datetime) -> None:
        """Take entries back. They stay in the log, and one that ended earlier keeps its instant."""
        self._write(_ending(ids, ended_at))

    def tokens(self) -> list[ApiToken]:
        """Every token of the by-key endpoint that was ever made, oldest first."""
        order = (api_tokens.c.created_at, api_tokens.c.name)
        with self._reading() as connection:
            rows = connection.execute(select(api_tokens).order_by(*order)).mappings().all()
        return [_token(row) for row in rows]

    def add_token(self, token: ApiToken) -> None:
        """Store a new token; its secret is not in it."""
        row = {name: getattr(token, name) for name in ApiToken.__dataclass_fields__}
        self._write(insert(api_tokens).values(row))

    def revoke_tokens(self, name: str, revoked_at: datetime) -> int:
        """Revoke the tokens of a name that are not yet; how many there were."""
        chosen = (api_tokens.c.name == name) & api_tokens.c.revoked_at.is_(None)
        statement = update(api_tokens).where(chosen).values(revoked_at=in_utc(revoked_at))
        with self.transaction() as connection:
            return connection.execute(statement).rowcount

    def last_run(self) -> Mapping[str, Any] | None:
        """The most recently started run, with the last ``stage`` it reached; None before the first."""
        newest = select(runs).order_by(runs.c.started_at.desc(), runs.c.day.desc()).limit(1)
        with self._reading() as connection:
            row = connection.execute(newest).mappings().first()
            if row is None:
                return None
            of_run = select(run_stages.c.stage).where(run_stages.c.run_id == row["run_id"])
            stage = connection.execute(of_run.order_by(run_stages.c.reached_at.desc()).limit(1)).scalar()
        return {**row, "stage": stage}

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection whose writes are kept together at the end of the block, or not at all."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StateError(f"cannot write the state database: {_first_line(error)}") from error

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise StateError(f"cannot read the state database: {_first_line(error)}") from error

    def exclusively(self, task: str) -> AbstractContextManager[Lock]:
        """The lock of a task while the block runs, which another process may have."""
        return exclusively(self._engine, task)

    def _write(self, *statements: Any) -> None:
        with self.transaction() as connection:
            for statement in statements:
                connection.execute(statement)


def _row(finding: Finding) -> dict[str, Any]:
    names = (
        "day",
        "finding_id",
        "type",
        "title",
        "key_id",
        "severity",
        "score",
        "episode",
        "first_seen",
        "days",
    )
    return {name: getattr(finding, name) for name in names} | {"severity": finding.severity.value}


def _extents(connection: Connection, before: date) -> dict[date, Extent]:
    """How far each day before a day was judged, the latest day first."""
    unjudged: dict[date, set[str]] = {}
    for day, kind in connection.execute(select(unjudged_types).where(unjudged_types.c.day < before)):
        unjudged.setdefault(day, set()).add(kind)
    days = select(judged_days).where(judged_days.c.day < before).order_by(judged_days.c.day.desc())
    return {
        day: Extent(bool(complete), frozenset(unjudged.get(day, ()))) for day, complete in connection.execute(days)
    }


def _sighting(row: Any, extents: Mapping[date, Extent]) -> Sighting:
    fields = {name: row[name] for name in Sighting.__dataclass_fields__ if name != "open"}
    since = takewhile(lambda day: day > row["day"], extents)
    is_open = not any(extents[day].ends(row["type"]) for day in since)
    return Sighting(**{**fields, "severity": Severity(row["severity"]), "open": is_open})


def _entry(row: Any) -> TriageEntry:
    return TriageEntry(
        **{**row, "created_at": in_utc(row["created_at"]), "ended_at": row["ended_at"] and in_utc(row["ended_at"])}
    )


def _token(row: Any) -> ApiToken:
    times = {name: row[name] and in_utc(row[name]) for name in ("created_at", "expires_at", "revoked_at")}
    return ApiToken(**{**row, **times})


def _ending(ids: Iterable[int], ended_at: datetime) -> Update:
    chosen = entries.c.id.in_(list(ids)) & entries.c.ended_at.is_(None)
    return update(entries).where(chosen).values(ended_at=in_utc(ended_at))


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

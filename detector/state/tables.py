"""The tables of the state database and the migrations that make them.

Migrations are named functions recorded in a table.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

from detector.state import outbox as outbox_table

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
run_stages = Table(
    "detector_run_stages",
    metadata,
    Column("run_id", String(36), primary_key=True),
    Column("stage", String(16), primary_key=True),
    Column("reached_at", DateTime(timezone=True), nullable=False),
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
stored_nights = Table(
    "detector_stored_nights",
    metadata,
    Column("night", Date, primary_key=True),
    Column("checksum", String(64), nullable=False),
    Column("former", String(64)),
    Column("keys", BigInteger, nullable=False),
    Column("requests", BigInteger, nullable=False),
)


def _create_first_tables(connection: Connection) -> None:
    metadata.create_all(connection, tables=[runs, judged_nights, sightings])


def _create_triage(connection: Connection) -> None:
    metadata.create_all(connection, tables=[entries])


def _create_api_tokens(connection: Connection) -> None:
    metadata.create_all(connection, tables=[api_tokens])


def _create_outbox(connection: Connection) -> None:
    outbox_table.outbox.create(connection, checkfirst=True)


def _create_run_stages(connection: Connection) -> None:
    run_stages.create(connection, checkfirst=True)


def _create_stored_nights(connection: Connection) -> None:
    stored_nights.create(connection, checkfirst=True)


MIGRATIONS: dict[str, Callable[[Connection], None]] = {
    "0001_runs_and_sightings": _create_first_tables,
    "0002_triage": _create_triage,
    "0003_api_tokens": _create_api_tokens,
    "0004_outbox": _create_outbox,
    "0005_run_stages": _create_run_stages,
    "0006_stored_nights": _create_stored_nights,
}
"""In order; a name once released never changes."""

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        runs,
        run_stages,
        judged_nights,
        sightings,
        entries,
        api_tokens,
        outbox_table.outbox,
        stored_nights,
    )
}
"""Every table but that of the migrations, by name."""

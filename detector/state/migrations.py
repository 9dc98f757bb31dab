"""The migrations of the state: named functions that a table of the state records.

This module holds the tables as the first migrations created them. If a later version renames a table or a column,
a later migration does so. Therefore the same steps bring a state or a backup of any earlier version up to date.
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
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from detector.model.owner import Owner
from detector.state.ownership import give_to

metadata = MetaData()

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
outbox = Table(
    "detector_outbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("message_id", String(64), nullable=False),
    Column("night", Date, nullable=False),
    Column("channel", String(100), nullable=False),
    Column("recipient", String(320), nullable=False),
    Column("part", String(100), nullable=False),
    Column("subject", Text, nullable=False),
    Column("payload", LargeBinary),
    Column("status", String(16), nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("next_attempt_at", DateTime(timezone=True), nullable=False),
    Column("settled_at", DateTime(timezone=True)),
    Column("error", String(1000)),
    Column("told", Boolean, nullable=False),
    UniqueConstraint("night", "channel", "recipient", "part", name="detector_outbox_once"),
)
unjudged_types = Table(
    "detector_unjudged_types",
    metadata,
    Column("day", Date, primary_key=True),
    Column("type", String(64), primary_key=True),
)


def _create_first_tables(connection: Connection, _owner: Owner) -> None:
    metadata.create_all(connection, tables=[runs, judged_nights, sightings])


def _create_triage(connection: Connection, _owner: Owner) -> None:
    metadata.create_all(connection, tables=[entries])


def _create_api_tokens(connection: Connection, _owner: Owner) -> None:
    metadata.create_all(connection, tables=[api_tokens])


def _create_outbox(connection: Connection, _owner: Owner) -> None:
    outbox.create(connection, checkfirst=True)


def _create_run_stages(connection: Connection, _owner: Owner) -> None:
    run_stages.create(connection, checkfirst=True)


def _create_stored_nights(connection: Connection, _owner: Owner) -> None:
    stored_nights.create(connection, checkfirst=True)


RENAMED_TABLES = {
    "detector_judged_nights": "detector_judged_days",
    "detector_stored_nights": "detector_stored_days",
}
"""The names of tables before the migration ``0007_days``, and their names since."""
_RENAMED_COLUMNS = (
    ("detector_judged_days", "night", "day"),
    ("detector_stored_days", "night", "day"),
    ("detector_runs", "night", "day"),
    ("detector_sightings", "night", "day"),
    ("detector_sightings", "nights", "days"),
    ("detector_triage", "from_night", "from_day"),
    ("detector_triage", "until_night", "until_day"),
    ("detector_outbox", "night", "day"),
)


def _call_nights_days(connection: Connection, _owner: Owner) -> None:
    for old, new in RENAMED_TABLES.items():
        connection.exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}")
    for table, old, new in _RENAMED_COLUMNS:
        connection.exec_driver_sql(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")
    connection.exec_driver_sql("DROP INDEX ix_detector_runs_night")
    connection.exec_driver_sql("CREATE INDEX ix_detector_runs_day ON detector_runs (day)")


def _create_unjudged_types(connection: Connection, _owner: Owner) -> None:
    unjudged_types.create(connection, checkfirst=True)


def _count_judged_keys(connection: Connection, _owner: Owner) -> None:
    connection.exec_driver_sql("ALTER TABLE detector_judged_days ADD COLUMN keys_judged INTEGER")


MIGRATIONS: dict[str, Callable[[Connection, Owner], None]] = {
    "0001_runs_and_sightings": _create_first_tables,
    "0002_triage": _create_triage,
    "0003_api_tokens": _create_api_tokens,
    "0004_outbox": _create_outbox,
    "0005_run_stages": _create_run_stages,
    "0006_stored_nights": _create_stored_nights,
    "0007_days": _call_nights_days,
    "0008_unjudged_types": _create_unjudged_types,
    "0009_keys_judged": _count_judged_keys,
    "0010_owners": give_to,
}
"""The migrations in order, called with the installation that opens the state. A released name never changes."""

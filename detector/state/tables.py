"""The tables of the state database as they are now; ``migrations`` has their history."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
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

metadata = MetaData()


def _owner(in_key: bool = True) -> Iterator[Column[str]]:
    """The columns of the installation that a row belongs to, as ``model.owner`` gives them.

    They are in the key of every table whose key is not a number that the database assigns.
    """
    for name in ("organization", "source"):
        yield Column(name, Text, primary_key=in_key, nullable=False)


migrations = Table(
    "detector_migrations",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("applied_at", DateTime(timezone=True), nullable=False),
)
LONGEST_MESSAGE = 2000
"""Characters that are kept of how a run ended."""
runs = Table(
    "detector_runs",
    metadata,
    *_owner(),
    Column("run_id", String(36), primary_key=True),
    Column("day", Date, nullable=False, index=True),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("finished_at", DateTime(timezone=True)),
    Column("exit_code", Integer),
    Column("message", String(LONGEST_MESSAGE)),
)
run_stages = Table(
    "detector_run_stages",
    metadata,
    *_owner(),
    Column("run_id", String(36), primary_key=True),
    Column("stage", String(16), primary_key=True),
    Column("reached_at", DateTime(timezone=True), nullable=False),
)
judged_days = Table(
    "detector_judged_days",
    metadata,
    *_owner(),
    Column("day", Date, primary_key=True),
    Column("complete", Boolean, nullable=False),
    Column("keys_judged", Integer),
)
unjudged_types = Table(
    "detector_unjudged_types",
    metadata,
    *_owner(),
    Column("day", Date, primary_key=True),
    Column("type", String(64), primary_key=True),
)
"""Types of finding about which a judged day says nothing, because a detector that names them failed."""
sightings = Table(
    "detector_sightings",
    metadata,
    *_owner(),
    Column("day", Date, primary_key=True),
    Column("finding_id", String(64), primary_key=True, index=True),
    Column("type", String(64), nullable=False),
    Column("title", String(200), nullable=False),
    Column("key_id", String),
    Column("severity", String(16), nullable=False),
    Column("score", Float),
    Column("episode", Integer, nullable=False),
    Column("first_seen", Date, nullable=False),
    Column("days", Integer, nullable=False),
)

triage_entries = Table(
    "detector_triage",
    metadata,
    *_owner(in_key=False),
    Column("id", Integer, primary_key=True),
    Column("action", String(16), nullable=False),
    Column("target_kind", String(16), nullable=False),
    Column("target", Text, nullable=False),
    Column("type", String(64)),
    Column("reason", Text),
    Column("by", Text, nullable=False),
    Column("from_day", Date, nullable=False),
    Column("until_day", Date),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Column("verdict", String(16)),
    Column("episode", Integer),
)
api_tokens = Table(
    "detector_api_tokens",
    metadata,
    *_owner(),
    Column("hash", String(64), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("sees", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
)
"""``sees`` is the organization whose keys a token gives access to; NULL gives access to all keys."""
stored_days = Table(
    "detector_stored_days",
    metadata,
    *_owner(),
    Column("day", Date, primary_key=True),
    Column("checksum", String(64), nullable=False),
    Column("former", String(64)),
    Column("keys", BigInteger, nullable=False),
    Column("requests", BigInteger, nullable=False),
)
LONGEST_ERROR = 1000
"""Characters that are kept of an error of a message."""
outbox = Table(
    "detector_outbox",
    metadata,
    *_owner(in_key=False),
    Column("id", Integer, primary_key=True),
    Column("message_id", String(64), nullable=False),
    Column("day", Date, nullable=False),
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
    Column("error", String(LONGEST_ERROR)),
    Column("told", Boolean, nullable=False),
    UniqueConstraint("organization", "source", "day", "channel", "recipient", "part", name="detector_outbox_once"),
)


TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        runs,
        run_stages,
        judged_days,
        unjudged_types,
        sightings,
        triage_entries,
        api_tokens,
        outbox,
        stored_days,
    )
}
"""Every table but that of the migrations, by name."""

"""The migration that gives every row to an installation.

Earlier versions kept one set of rows in a database. Its rows belong to the installation that opens the database
first after the upgrade. Where several installations used it, their rows are mixed. Only a sighting shows whose it
is, because the id of its finding follows from the organization and the source.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from itertools import islice

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    delete,
    func,
    insert,
    literal,
    select,
)

from detector.model.finding import finding_id
from detector.model.owner import Owner

log = logging.getLogger("detector.state")

AT_ONCE = 500
"""Values that one statement names."""
NUMBERED = ("detector_triage", "detector_outbox")
"""Tables whose key is a number that the database assigns."""
KEYS = {
    "detector_runs": ("run_id",),
    "detector_run_stages": ("run_id", "stage"),
    "detector_judged_days": ("day",),
    "detector_unjudged_types": ("day", "type"),
    "detector_sightings": ("day", "finding_id"),
    "detector_triage": ("id",),
    "detector_api_tokens": ("hash",),
    "detector_stored_days": ("day",),
    "detector_outbox": ("id",),
}
INDEXES = {"detector_runs": "day", "detector_sightings": "finding_id", "detector_outbox": "status"}


def give_to(connection: Connection, owner: Owner) -> None:
    """Add the owner to every table and its key. Rows become those of ``owner``; strangers' are deleted."""
    connection.exec_driver_sql("ALTER TABLE detector_api_tokens RENAME COLUMN organization TO sees")
    tables = {name: _rebuilt(connection, name, owner) for name in KEYS}
    _remove_strangers(connection, tables, owner)


def _rebuilt(connection: Connection, name: str, owner: Owner) -> Table:
    """Create a table anew with the owner in its key, as SQLite cannot change a key, and put its rows back."""
    former = Table(name, MetaData(), autoload_with=connection)
    names = [column.name for column in former.c]
    rows = Table(f"{name}_without_owner", MetaData(), *(Column(column.name, column.type) for column in former.c))
    rows.create(connection)
    connection.execute(insert(rows).from_select(names, select(former)))
    former.drop(connection)
    table = _owned(former)
    table.create(connection)
    values = select(*(literal(value) for value in owner.key.values()), *(rows.c[column] for column in names))
    connection.execute(insert(table).from_select([*owner.key, *names], values))
    rows.drop(connection)
    if name in NUMBERED and connection.dialect.name == "postgresql":
        sequence = func.pg_get_serial_sequence(name, "id")
        following = select(func.coalesce(func.max(table.c.id), 0) + 1).scalar_subquery()
        connection.execute(select(func.setval(sequence, following, False)))
    return table


def _owned(former: Table) -> Table:
    """The definition of a table with the owner, from the one without."""
    key = KEYS[former.name]
    if former.name not in NUMBERED:
        key = ("organization", "source", *key)
    columns = [Column(name, Text, nullable=False) for name in ("organization", "source")]
    columns += [
        Column(column.name, column.type, nullable=column.nullable, index=INDEXES.get(former.name) == column.name)
        for column in former.c
    ]
    table = Table(former.name, MetaData(), *columns, PrimaryKeyConstraint(*key))
    if former.name == "detector_outbox":
        once = ("organization", "source", "day", "channel", "recipient", "part")
        table.append_constraint(UniqueConstraint(*once, name="detector_outbox_once"))
    return table


def _remove_strangers(connection: Connection, tables: dict[str, Table], owner: Owner) -> None:
    """Delete the sightings of other installations, and what cannot be told apart from theirs.

    A day that has sightings of others alone was judged for them: each judgement replaced the rows of the day. The
    checksums of stored days are mixed, and a wrong one would make a sound file look damaged.
    """
    sightings = tables["detector_sightings"]
    seen = connection.execute(
        select(sightings.c.day, sightings.c.finding_id, sightings.c.type, sightings.c.key_id)
    )
    own_days = set()
    strange = set()
    strange_days = set()
    for day, identity, kind, key_id in seen:
        if identity == finding_id(kind, owner.source, key_id, owner.organization):
            own_days.add(day)
        else:
            strange.add(identity)
            strange_days.add(day)
    if not strange:
        return
    deleted = _delete(connection, sightings, sightings.c.finding_id, strange)
    for name in ("detector_judged_days", "detector_unjudged_types"):
        _delete(connection, tables[name], tables[name].c.day, strange_days - own_days)
    connection.execute(delete(tables["detector_stored_days"]))
    log.warning(
        "the state was used for several organizations or sources: %d findings of days belong to others and are "
        "deleted; the copy from before the upgrade has them",
        deleted,
    )


def _delete(connection: Connection, table: Table, column: ColumnElement[object], values: Iterable[object]) -> int:
    deleted = 0
    remaining = iter(values)
    while some := list(islice(remaining, AT_ONCE)):
        deleted += connection.execute(delete(table).where(column.in_(some))).rowcount
    return deleted

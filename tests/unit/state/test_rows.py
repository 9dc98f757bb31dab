"""Own rows: every statement names the owner."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, func, select, true

import detector.state
from detector.model.owner import Owner
from detector.state.rows import OwnRows
from detector.state.tables import TABLES, judged_days, metadata, triage_entries

DAY = date(2026, 3, 17)
ACME = Owner("acme", "main")
OTHERS = (Owner("globex", "main"), Owner("acme", "other"), Owner(None, "main"))
STATEMENTS = {"select", "insert", "update", "delete", "text"}
ABOUT_THE_DATABASE = {"rows", "dump", "integrity", "locks", "migrations", "ownership", "tables", "upgrade"}
"""Modules of statements on a whole database: its locks, its tables and its migrations."""


@pytest.fixture
def connection() -> Iterator[Connection]:
    """A database in memory with a judged day of each owner."""
    with create_engine("sqlite://").begin() as connection:
        metadata.create_all(connection)
        for owner in (ACME, *OTHERS):
            OwnRows(connection, owner).insert(judged_days, [{"day": DAY, "complete": True}])
        yield connection


def complete(connection: Connection, owner: Owner) -> list[bool]:
    """What an owner reads."""
    rows = OwnRows(connection, owner)
    return list(rows.execute(rows.query(judged_days, judged_days.c.complete)).scalars())


def test_every_table_has_the_owner() -> None:
    """In its key, unless the database assigns the key."""
    for table in TABLES.values():
        assert not table.c.organization.nullable
        assert not table.c.source.nullable
        if table.autoincrement_column is None:
            assert {"organization", "source"} <= {column.name for column in table.primary_key}, table.name


def test_own_rows_are_read_without_their_owner(connection: Connection) -> None:
    """Whoever reads a row has no use for it."""
    rows = OwnRows(connection, ACME)
    (row,) = rows.execute(rows.query(judged_days)).mappings()
    assert dict(row) == {"day": DAY, "complete": True, "keys_judged": None}


def test_a_change_leaves_the_rows_of_others_alone(connection: Connection) -> None:
    """As many rows change as the owner has."""
    assert OwnRows(connection, ACME).update(judged_days, true(), {"complete": False}) == 1
    assert complete(connection, ACME) == [False]
    assert [complete(connection, owner) for owner in OTHERS] == [[True]] * 3


def test_a_deletion_leaves_the_rows_of_others_alone(connection: Connection) -> None:
    """As many rows go as the owner has."""
    assert OwnRows(connection, ACME).delete(judged_days, true()) == 1
    assert complete(connection, ACME) == []
    assert [complete(connection, owner) for owner in OTHERS] == [[True]] * 3


def test_an_inserted_row_is_an_own_row_whatever_it_says(connection: Connection) -> None:
    """A row of a backup may claim to be another's."""
    OwnRows(connection, ACME).delete(judged_days, true())
    OwnRows(connection, ACME).insert(
        judged_days, [{"day": date(2026, 1, 1), "complete": True, "organization": "globex", "source": "main"}]
    )
    assert complete(connection, ACME) == [True]
    assert complete(connection, OTHERS[0]) == [True]
    assert connection.execute(select(func.count()).select_from(judged_days)).scalar_one() == 4


def test_a_numbered_row_is_an_own_row_too(connection: Connection) -> None:
    """Numbers go on over all owners."""
    said = {"action": "ack", "target_kind": "key", "target": "k", "by": "alex", "from_day": DAY}
    said |= {"created_at": datetime(2026, 3, 18, tzinfo=UTC)}
    assert [OwnRows(connection, owner).insert_numbered(triage_entries, said) for owner in OTHERS] == [1, 2, 3]
    rows = OwnRows(connection, OTHERS[1])
    assert list(rows.execute(rows.query(triage_entries, triage_entries.c.id)).scalars()) == [2]


def test_no_other_module_writes_statements_on_rows() -> None:
    """So none can forget the owner."""
    found = {}
    for path in sorted(Path(detector.state.__path__[0]).glob("*.py")):
        imported = {
            name.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy")
            for name in node.names
        }
        if path.stem not in ABOUT_THE_DATABASE and imported & STATEMENTS:
            found[path.stem] = imported & STATEMENTS
    assert found == {}

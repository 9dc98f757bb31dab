"""The rows of one installation in the tables of the state.

Several installations may use one database. Every statement on their rows is made here, and each statement names
the owner. So the modules beside this one cannot read, change or delete the rows of another installation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Result,
    Select,
    Table,
    and_,
    delete,
    insert,
    select,
    update,
)

from detector.model.owner import Owner


class OwnRows:
    """The rows of an owner over an open connection."""

    def __init__(self, connection: Connection, owner: Owner) -> None:
        self.connection = connection
        self._owner = owner

    def query(self, table: FromClause, *columns: Any) -> Select[*tuple[Any, ...]]:
        """A query of the own rows of a table, by default with every column except those of the owner."""
        chosen = columns or [column for column in table.c if column.name not in self._owner.key]
        return select(*chosen).select_from(table).where(self._own(table))

    def execute(self, query: Select[*tuple[Any, ...]]) -> Result[*tuple[Any, ...]]:
        """The rows of a query that ``query`` made."""
        return self.connection.execute(query)

    def insert(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows, which become own rows whatever they say about their owner."""
        if rows:
            self.connection.execute(insert(table), [{**row, **self._owner.key} for row in rows])

    def insert_numbered(self, table: Table, row: Mapping[str, Any]) -> int:
        """Insert a row into a table whose key is a number, and return the number that the database assigns."""
        key = self.connection.execute(insert(table).values({**row, **self._owner.key})).inserted_primary_key
        assert key is not None
        return int(key[0])

    def update(self, table: Table, which: ColumnElement[bool], values: Mapping[str, Any]) -> int:
        """Change own rows, and return their number."""
        return self.connection.execute(update(table).where(self._own(table), which).values(values)).rowcount

    def delete(self, table: Table, which: ColumnElement[bool]) -> int:
        """Delete own rows, and return their number."""
        return self.connection.execute(delete(table).where(self._own(table), which)).rowcount

    def _own(self, table: FromClause) -> ColumnElement[bool]:
        return and_(*(table.c[name] == value for name, value in self._owner.key.items()))

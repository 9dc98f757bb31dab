"""Registers: the rows of a key register in a file of any format."""

from __future__ import annotations

import pandas as pd

from detector.config.source import REGISTER_FIELDS, FilesSource
from detector.sources.columns import register_columns
from detector.sources.faults import Observation
from detector.sources.files.cells import Connection, frame, shown
from detector.sources.files.formats import Table, available, place
from detector.sources.files.protection import Keys
from detector.sources.files.readings import instant


def register_rows(
    config: FilesSource, table: Table, connection: Connection, keys: Keys
) -> tuple[pd.DataFrame, tuple[Observation, ...]]:
    """The rows of a register as text, times in one form, and the rows that cannot be read."""
    there = available(table, config.columns, REGISTER_FIELDS, connection)
    columns = register_columns(config, there, place(table), listed=not keys.hidden)
    values = [
        f"{_value(name, table.columns.get(theirs, 'VARCHAR'))} AS {name}" for name, theirs in columns.items()
    ]
    relation = table.relation(columns)
    rows = frame(connection, f"SELECT {', '.join(values)} FROM ({relation}) WHERE broken IS NULL")
    broken = connection.execute(
        f"""SELECT broken, count(*), min([parse_filename(file), left(shown, 1000)]) FROM ({relation})
        WHERE broken IS NOT NULL GROUP BY broken, hash(shown) % 3"""
    ).fetchall()
    faults = (Observation(None, reason, count, shown(found, keys.sample)) for reason, count, found in broken)
    return rows.assign(key_id=keys.of_register(rows["key_id"])), tuple(faults)


def _value(name: str, kind: str) -> str:
    if name not in ("created_at", "revoked_at"):
        return f"text_of({name})"
    return f"coalesce(CAST({instant(name, kind)} AS VARCHAR), text_of({name}))"

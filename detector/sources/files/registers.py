"""Registers: the rows of a key register in a file of any format."""

from __future__ import annotations

import pandas as pd

from detector.config.source import REGISTER_FIELDS, FilesSource
from detector.sources.columns import register_columns
from detector.sources.faults import Observation
from detector.sources.files.counts import Connection, frame, sample_line
from detector.sources.files.formats import Table, available, table_name
from detector.sources.files.parsed_rows import instant
from detector.sources.files.protection import Keys


def register_rows(
    config: FilesSource, table: Table, connection: Connection, keys: Keys
) -> tuple[pd.DataFrame, tuple[Observation, ...]]:
    """The readable rows of a register as text, and the faults of the other rows."""
    found = available(table, config.columns, REGISTER_FIELDS, connection)
    listed = () if keys.hidden else table.columns
    columns = register_columns(config, found, table_name(table), listed)
    values = []
    for name, theirs in columns.items():
        sql_type = table.columns.get(theirs, "VARCHAR")
        values.append(f"{_value(name, sql_type)} AS {name}")
    relation = table.relation(columns)
    rows = frame(connection, f"SELECT {', '.join(values)} FROM ({relation}) WHERE broken IS NULL")
    broken = connection.execute(
        f"""SELECT broken, count(*), min([parse_filename(file), left(raw_text, 1000)]) FROM ({relation})
        WHERE broken IS NOT NULL GROUP BY broken, hash(raw_text) % 3"""
    ).fetchall()
    observations = []
    for reason, count, sample in broken:
        observations.append(Observation(None, reason, count, sample_line(sample, keys.sample)))
    return rows.assign(key_id=keys.of_register(rows["key_id"])), tuple(observations)


def _value(name: str, sql_type: str) -> str:
    if name not in ("created_at", "revoked_at"):
        return f"text_of({name})"
    # A time that cannot be read stays as text. ``clean_register`` counts it as a fault.
    return f"coalesce(CAST({instant(name, sql_type)} AS VARCHAR), text_of({name}))"

"""Registers: the rows of a key register in a file of any format."""

from __future__ import annotations

import pandas as pd

from detector.config.source import REGISTER_FIELDS, FilesSource
from detector.sources.columns import register_columns
from detector.sources.faults import Observation
from detector.sources.files.counts import Connection, frame, sample_line
from detector.sources.files.formats import Table, available, table_name
from detector.sources.files.protection import Keys
from detector.sources.reading import read_register
from detector.sources.values import ValueRules


def register_rows(
    config: FilesSource, table: Table, connection: Connection, keys: Keys, rules: ValueRules
) -> tuple[pd.DataFrame, tuple[Observation, ...]]:
    """The readable rows of a register as text, and the faults of the other rows."""
    found = available(table, config.columns_of_register, REGISTER_FIELDS, connection)
    listed = () if keys.hidden else table.columns
    columns = register_columns(config, found, table_name(table), listed)
    values = ", ".join(f"CAST({name} AS VARCHAR) AS {name}" for name in columns)
    relation = table.relation(columns)
    texts = frame(connection, f"SELECT {values} FROM ({relation}) WHERE broken IS NULL")
    rows = read_register(texts, rules)
    broken = connection.execute(
        f"""SELECT broken, count(*), min([parse_filename(file), left(raw_text, 1000)]) FROM ({relation})
        WHERE broken IS NOT NULL GROUP BY broken, hash(raw_text) % 3"""
    ).fetchall()
    observations = []
    for reason, count, sample in broken:
        observations.append(Observation(None, reason, count, sample_line(sample, keys.sample)))
    return rows.assign(key_id=keys.of_register(rows["key_id"])), tuple(observations)

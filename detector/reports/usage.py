"""The by-key answer as a table, as the contract's JSON, and as CSV that a spreadsheet cannot be tricked by."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
from collections.abc import Callable
from typing import Any

import pandas as pd

from detector.aggregation import by_key_answer
from detector.reports import UNSEEN, visible

COLUMNS = (
    "key_id", "name", "environment", "request_count", "error_count", "last_activity", "endpoint_distribution",
)  # fmt: skip
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "\uff1d", "\uff0b", "\uff0d", "\uff20")
PIPE_WIDTH = 160


def as_json(records: pd.DataFrame) -> str:
    """Exactly the contract's answer."""
    return json.dumps(by_key_answer(records), indent=1, allow_nan=False) + "\n"


def as_csv(records: pd.DataFrame) -> str:
    """One row a key; the endpoint distribution as JSON in its cell."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_MINIMAL, lineterminator="\n")
    writer.writerow(COLUMNS)
    for key in by_key_answer(records)["keys"]:
        row = {**key, "endpoint_distribution": json.dumps(key["endpoint_distribution"])}
        writer.writerow([_cell(row[name]) for name in COLUMNS])
    return buffer.getvalue()


def as_table(records: pd.DataFrame) -> str:
    """Aligned columns for reading; the busiest endpoint stands for the distribution."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("key", "name", "for"):
        table.add_column(name)
    for name in ("requests", "errors"):
        table.add_column(name, justify="right")
    for name in ("last activity", "busiest endpoint"):
        table.add_column(name)
    answer = by_key_answer(records)
    for key in answer["keys"]:
        table.add_row(*(Text(visible(cell)) for cell in _table_row(key)))
    buffer = io.StringIO()
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE_WIDTH
    Console(file=buffer, width=width, no_color=True, highlight=False).print(table)
    return buffer.getvalue() + f"{answer['total_keys']:,} active keys\n"


RENDERINGS: dict[str, Callable[[pd.DataFrame], str]] = {"table": as_table, "json": as_json, "csv": as_csv}
"""Format name to rendering."""


def _table_row(key: dict[str, Any]) -> tuple[str, ...]:
    busiest = next(iter(key["endpoint_distribution"]), "–")
    counts = (f"{key['request_count']:,}", f"{key['error_count']:,}")
    return (key["key_id"], key["name"], key["environment"], *counts, key["last_activity"] or "never", busiest)


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula gets a leading apostrophe; controls are taken out."""
    if not isinstance(value, str):
        return value
    clean = UNSEEN.sub("\ufffd", value).replace("\n", " ").replace("\t", " ")
    return f"'{clean}" if clean.startswith(FORMULA_STARTS) else clean

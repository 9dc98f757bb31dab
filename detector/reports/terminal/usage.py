"""The by-key answer as a table, as JSON by the contract, and as CSV that is safe for spreadsheets."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable
from typing import Any

import pandas as pd

from detector.boundary.text import visible
from detector.boundary.words import counted
from detector.reports.exports.csv import table
from detector.usage.aggregation import by_key_answer

COLUMNS = (
    "key_id", "name", "environment", "request_count", "error_count", "last_activity", "endpoint_distribution",
)  # fmt: skip
PIPE_WIDTH = 160


def as_json(records: pd.DataFrame) -> str:
    """Render the answer of the by-key contract."""
    return json.dumps(by_key_answer(records), indent=1, allow_nan=False) + "\n"


def as_csv(records: pd.DataFrame) -> str:
    """Render one row per key, with the cell rules of ``reports.exports.csv``."""
    return table(COLUMNS, by_key_answer(records)["keys"])


def as_table(records: pd.DataFrame) -> str:
    """Render aligned columns. The table shows the endpoint with most requests in place of the distribution."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    listing = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("key", "name", "environment"):
        listing.add_column(name)
    for name in ("requests", "errors"):
        listing.add_column(name, justify="right")
    for name in ("last activity", "top endpoint"):
        listing.add_column(name)
    answer = by_key_answer(records)
    for key in answer["keys"]:
        listing.add_row(*(Text(visible(cell)) for cell in _table_row(key)))
    buffer = io.StringIO()
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE_WIDTH
    Console(file=buffer, width=width, no_color=True, highlight=False).print(listing)
    return buffer.getvalue() + f"{counted(answer['total_keys'], 'active key')}\n"


RENDERINGS: dict[str, Callable[[pd.DataFrame], str]] = {"table": as_table, "json": as_json, "csv": as_csv}
"""Format name to rendering."""


def _table_row(key: dict[str, Any]) -> tuple[str, ...]:
    return (
        key["key_id"],
        key["name"],
        key["environment"],
        f"{key['request_count']:,}",
        f"{key['error_count']:,}",
        key["last_activity"] or "never",
        next(iter(key["endpoint_distribution"]), "–"),
    )

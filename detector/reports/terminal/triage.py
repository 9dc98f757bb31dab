"""The triage entries, as a table for a terminal and as JSON."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from datetime import date

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detector.boundary.text import visible
from detector.judging.triage import in_force, target_words
from detector.model.triage import TriageEntry
from detector.reports.exports.json import plain

COLUMNS = ("id", "action", "target", "from", "until", "by", "reason", "state")
PIPE_WIDTH = 160


def as_json(entries: Sequence[TriageEntry], day: date) -> str:
    """Render the entries with their state as a JSON list. The text is ASCII, which every terminal can print."""
    rows = [plain(entry) | {"state": state(entry, day)} for entry in entries]
    return json.dumps(rows, indent=1, allow_nan=False).replace("\x7f", "\\u007f") + "\n"


def as_table(entries: Sequence[TriageEntry], day: date) -> str:
    """Render the entries in aligned columns."""
    if not entries:
        return "There are no triage entries in force.\n"
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in COLUMNS:
        table.add_column(name)
    for entry in entries:
        table.add_row(*(Text(visible(cell).replace("\n", " ")) for cell in _row(entry, day)))
    buffer = io.StringIO()
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE_WIDTH
    Console(file=buffer, width=width, no_color=True, highlight=False).print(table)
    return buffer.getvalue()


RENDERINGS: dict[str, Callable[[Sequence[TriageEntry], date], str]] = {"table": as_table, "json": as_json}
"""Format name to rendering."""


def state(entry: TriageEntry, day: date) -> str:
    """The state of an entry on a day: in force, not begun, over (its last day has passed) or ended."""
    if entry.ended_at is not None:
        return "ended"
    if in_force(entry, day):
        return "in force"
    return "not begun" if entry.from_day > day else "over"


def _row(entry: TriageEntry, day: date) -> tuple[str, ...]:
    action = f"{entry.action} {entry.verdict}" if entry.verdict else entry.action
    target = target_words(entry)
    if entry.episode:
        target += f", episode {entry.episode}"
    until = str(entry.until_day or "–")
    ended = f" {plain(entry.ended_at)[:10]}" if entry.ended_at else ""
    return (
        str(entry.id),
        action,
        target,
        str(entry.from_day),
        until,
        entry.by,
        entry.reason or "–",
        state(entry, day) + ended,
    )

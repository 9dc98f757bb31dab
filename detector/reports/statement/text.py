"""A statement for a terminal."""

from __future__ import annotations

import io
import shutil
import sys

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detector.boundary.text import visible
from detector.chargeback.statement import Statement, TeamTotal
from detector.reports.statement import StatementFormat
from detector.reports.statement.words import change, gaps, money, remarks, team_name

PIPE_WIDTH = 160


class TextStatement(StatementFormat):
    """A table for the terminal."""

    filename = None

    def render(self, statement: Statement) -> str:
        """Render one row per team, highest total first, and the remarks below the table."""
        listing = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_footer=True)
        usage = sum(team.usage for team in statement.teams)
        shared = sum(team.shared for team in statement.teams)
        listing.add_column("team", "total")
        footers = {
            "keys": f"{sum(team.keys for team in statement.teams):,}",
            "requests": f"{statement.requests:,}",
            "usage": money(statement, usage),
            "shared": money(statement, shared),
            statement.currency: money(statement, statement.total),
            "change": change(statement.total, statement.before),
        }
        for name, footer in footers.items():
            listing.add_column(name, footer, justify="right")
        for team in statement.teams:
            listing.add_row(*(Text(visible(cell)) for cell in _row(statement, team)))
        buffer = io.StringIO()
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE_WIDTH
        Console(file=buffer, width=width, no_color=True, highlight=False).print(listing)
        state = "" if statement.final else ", not final"
        title = (
            f"{statement.currency} {money(statement, statement.total)} for {statement.month.first:%B %Y}{state}\n"
        )
        notes = [*remarks(statement), *gaps(statement)]
        return title + buffer.getvalue() + "".join(f"{visible(line)}\n" for line in notes)


def _row(statement: Statement, team: TeamTotal) -> list[str]:
    amounts = (money(statement, amount) for amount in (team.usage, team.shared, team.total))
    counts = (f"{team.keys:,}", f"{team.requests:,}")
    return [team_name(team.team), *counts, *amounts, change(team.total, team.before)]

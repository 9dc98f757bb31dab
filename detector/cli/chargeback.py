"""``chargeback``: the statement of a month's costs by team and key."""

# ruff: noqa: PLC0415  heavy imports wait until needed

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from detector.boundary.text import visible
from detector.cli.options import Command, configured, load_config
from detector.config.plugins import STATEMENT_FORMATS


@click.command(
    cls=Command,
    epilog="""Examples:
      python -m detector chargeback
      python -m detector chargeback --month 2026-10 --format html --out october.html
      python -m detector chargeback --month 2026-10 --format focus > focus.csv""",
)
@click.option("--month", metavar="YYYY-MM", help="The month; the last complete month by default.")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(list(STATEMENT_FORMATS)),
    default="text",
    show_default=True,
    help="Format of the statement.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write; stdout by default.")
@configured
def chargeback(
    path: Path, overrides: Sequence[str], month: str | None, format_name: str, out: Path | None
) -> None:
    """Split the costs of a month's requests and the shared costs by team and key.

    The section chargeback holds the prices and shared costs. The command first pulls the days that the history
    lacks. It says which days are missing and whether the statement can still change. The exit code is 4 if days
    are missing.
    """
    from detector.boundary.disk import write_atomically
    from detector.chargeback.statement import Month
    from detector.cli.progress import watched
    from detector.model.errors import DONE, PARTIAL
    from detector.operations.schedule.monthly import last_month, statement
    from detector.reports.statement import statement_format
    from detector.reports.statement.words import remarks

    config = load_config(path, overrides)
    now = datetime.now(UTC)
    wanted = Month.parse(month) if month is not None else last_month(config, now)
    with watched("Pulling") as progress:
        made = statement(config, wanted, now, progress)
    text = statement_format(format_name).render(made)
    if out is None:
        click.echo(text, nl=False)
    else:
        write_atomically(out, text.encode(), shared=config.report.shared)
        click.echo(out)
    if format_name != "text" or out is not None:
        for line in remarks(made):
            click.echo(f"detector: {visible(line)}", err=True)
    sys.exit(PARTIAL if made.days.missing else DONE)

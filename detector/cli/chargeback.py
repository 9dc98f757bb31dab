"""``chargeback``: what a month's usage costs."""

# ruff: noqa: PLC0415  heavy imports wait until needed

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from detector.cli.options import Command, configured, load_config, safe
from detector.config.plugins import STATEMENT_FORMATS


@click.command(
    cls=Command,
    epilog="""Examples:
      python -m detector chargeback
      python -m detector chargeback --month 2026-10 --format html --out october.html
      python -m detector chargeback --month 2026-10 --format focus > focus.csv""",
)
@click.option("--month", metavar="YYYY-MM", help="The month; by default the one that ended last.")
@click.option(
    "--format",
    "form",
    type=click.Choice(list(STATEMENT_FORMATS)),
    default="text",
    show_default=True,
    help="Which rendering.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write; stdout by default.")
@configured
def chargeback(path: Path, overrides: Sequence[str], month: str | None, form: str, out: Path | None) -> None:
    """Split what a month's requests cost, and shared costs, by team and key.

    Prices and shared costs are those of the section chargeback. Days that the history lacks are pulled first.
    Says what is missing and whether the statement can still change; exit 4 where days are missing.
    """
    from detector.boundary.disk import write_atomically
    from detector.chargeback.statement import Month
    from detector.cli.progress import watched
    from detector.model.errors import DONE, PARTIAL
    from detector.operations.schedule.monthly import last_month, statement
    from detector.reports.statement import statement_format
    from detector.reports.statement.words import remarks

    config, now = load_config(path, overrides), datetime.now(UTC)
    wanted = Month.parse(month) if month is not None else last_month(config, now)
    with watched("Pulling") as progress:
        made = statement(config, wanted, now, progress)
    text = statement_format(form).render(made)
    if out is None:
        click.echo(text, nl=False)
    else:
        write_atomically(out, text.encode())
        click.echo(out)
    if form != "text" or out is not None:
        for line in remarks(made):
            click.echo(f"detector: {safe(line)}", err=True)
    sys.exit(PARTIAL if made.days.missing else DONE)

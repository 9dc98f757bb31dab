"""``prune``, ``doctor``, ``backup`` and ``restore``: maintenance of the stored data."""

# ruff: noqa: PLC0415  heavy imports wait until needed

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from detector.boundary.text import visible
from detector.boundary.words import counted
from detector.cli.options import Command, configured, load_config
from detector.model.errors import DONE, FAILURE, PARTIAL

if TYPE_CHECKING:
    from detector.operations.upkeep.examination import Defect
    from detector.pipeline import Job


@click.command(
    cls=Command,
    epilog="""Examples:
      python -m detector prune --pretend
      python -m detector prune --set history.keep_days=200""",
)
@click.option("--pretend", is_flag=True, help="Only say what would be deleted.")
@configured
def prune(path: Path, overrides: Sequence[str], pretend: bool) -> None:
    """Delete days, reports, runs and messages older than history.keep_days. `schedule` does so every day.

    The command keeps the days that detection needs, all verdicts and mutes, and the latest sighting of each
    finding.
    """
    from detector.operations.schedule.retention import remove_old

    old = remove_old(load_config(path, overrides), datetime.now(UTC), pretend=pretend)
    verb = "would be deleted" if pretend else "deleted"
    rows = old.state
    days = counted(len(old.days), "day")
    reports = counted(len(old.reports), "report")
    click.echo(f"{days} and {reports} before {old.before} {verb}.")
    runs = counted(rows.runs, "run")
    messages = counted(rows.messages, "message")
    click.echo(f"Of the state, {runs}, {messages} and {counted(rows.sightings, 'sighting')} {verb}.")


@click.command(
    cls=Command,
    epilog="""Examples:
      python -m detector doctor
      python -m detector doctor --repair""",
)
@click.option("--repair", "mend", is_flag=True, help="Pull damaged days again and rebuild missing reports.")
@configured
def doctor(path: Path, overrides: Sequence[str], mend: bool) -> None:
    """Check the state, every stored day and the reports. The exit code is 1 if a problem remains.

    With --repair, the command pulls damaged and missing days again from the source. It keeps a damaged file as
    usage.parquet.damaged, unless the source gives exactly as many requests as were stored. If the source gives
    fewer, the day stays missing.
    """
    from detector.cli.progress import watched
    from detector.operations.upkeep.examination import DefectKind, examine
    from detector.pipeline import Job
    from detector.state.database import State
    from detector.state.runs import only_run

    config = load_config(path, overrides)
    problems = []
    earlier = []
    with closing(State.of(config)) as state, only_run(state):
        job = Job.assemble(config, datetime.now(UTC), state=state)
        with watched("Checking") as progress:
            for problem in examine(job, progress):
                if problem.kind is DefectKind.EARLIER:
                    earlier.append(problem)
                    continue
                click.echo(visible(problem.text))
                problems.append(problem)
        days = counted(len(job.history.days()), "day")
        if not problems:
            click.echo(f"Sound: the state, {days} and their reports.")
        elif not mend:
            click.echo(f"{counted(len(problems), 'problem')} in {days}; --repair mends what can be mended.")
        if earlier and not mend:
            click.echo(
                f"{counted(len(earlier), 'day')} of the history from before this state can be read; "
                "--repair notes their checksums."
            )
        to_mend = [*earlier, *problems]
        remaining = _mend(job, to_mend) if mend and to_mend else len(problems)
    sys.exit(FAILURE if remaining else DONE)


def _mend(job: Job, problems: Sequence[Defect]) -> int:
    """Repair the problems, print the result for each, and return the number of remaining problems."""
    from detector.operations.upkeep.repair import repair

    mended = 0
    remaining = 0
    for result in repair(job, problems):
        if result.mended:
            mended += result.problems
            click.echo(f"mended: {visible(result.text)}")
        else:
            remaining += result.problems
            click.echo(f"NOT MENDED: {visible(result.text)}")
    click.echo(f"{mended:,} mended, {remaining:,} not mended.")
    return remaining


@click.command(
    cls=Command,
    epilog="""Example:
      python -m detector backup --out /mnt/backup/detector.tar""",
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file to write, a plain tar."
)
@configured
def backup(path: Path, overrides: Sequence[str], out: Path) -> None:
    """Write the state, the history and the snapshots of running totals into one file, readable only by its owner.

    The file holds no reports; `doctor --repair` rebuilds them. The exit code is 4 if a stored day was damaged.
    """
    from detector.cli.progress import watched
    from detector.operations.upkeep.backup import back_up
    from detector.state.database import State

    config = load_config(path, overrides)
    with closing(State.of(config)) as state, watched("Copying") as progress:
        made = back_up(config, state, out, datetime.now(UTC), progress)
    for day in made.damaged:
        click.echo(f"detector: the day {day} is damaged, in the backup too; `doctor --repair` mends it", err=True)
    size = counted(out.stat().st_size, "byte")
    click.echo(f"{out}: the state and {counted(made.days, 'day')}, {size}.")
    sys.exit(PARTIAL if made.damaged else DONE)


@click.command(
    cls=Command,
    epilog="""Examples:
      python -m detector restore /mnt/backup/detector.tar
      python -m detector restore /mnt/backup/detector.tar --replace""",
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--replace", is_flag=True, help="Replace an existing history and state, which are lost.")
@configured
def restore(path: Path, overrides: Sequence[str], file: Path, replace: bool) -> None:
    """Check a backup completely, and then restore it.

    A backup of SQLite can be restored to PostgreSQL, and the reverse. This is the way to change the database.
    """
    from detector.operations.upkeep.archive import opened
    from detector.operations.upkeep.restore import contents, restore_backup
    from detector.state.database import State

    config = load_config(path, overrides)
    with opened(file) as archive, closing(State.of(config)) as state:
        former = restore_backup(config, state, archive, replace=replace)
        now = contents(config, state)
    if replace:
        click.echo(f"Replaced: {former}.")
    click.echo(f"Restored: {now}, as of {visible(archive.manifest.created_at)}.")

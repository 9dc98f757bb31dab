"""``prune``, ``doctor``, ``backup`` and ``restore``: looking after what is stored."""

# ruff: noqa: PLC0415  heavy imports wait until needed

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from detector.boundary.words import counted
from detector.cli.options import Command, configured, load_config, safe
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
@click.option("--pretend", is_flag=True, help="Say what would be taken away, and keep it.")
@configured
def prune(path: Path, overrides: Sequence[str], pretend: bool) -> None:
    """Take away days, reports, runs and messages older than history.keep_days; `schedule` does so every day.

    What judging reads stays, and so do verdicts, mutes, and the last that was seen of each finding.
    """
    from detector.operations.schedule.retention import remove_old

    old = remove_old(load_config(path, overrides), datetime.now(UTC), pretend=pretend)
    verb, rows = "would be taken away" if pretend else "taken away", old.state
    days, reports = counted(len(old.days), "day"), counted(len(old.reports), "report")
    click.echo(f"{days} and {reports} before {old.before} {verb}.")
    runs, messages = counted(rows.runs, "run"), counted(rows.messages, "message")
    click.echo(f"Of the state, {runs}, {messages} and {counted(rows.sightings, 'sighting')} {verb}.")


@click.command(
    cls=Command,
    epilog="""Examples:
      python -m detector doctor
      python -m detector doctor --repair""",
)
@click.option("--repair", "mend", is_flag=True, help="Pull damaged days anew, and make missing reports again.")
@configured
def doctor(path: Path, overrides: Sequence[str], mend: bool) -> None:
    """Check the state, every stored day and the reports; exit 1 where something is wrong and was not mended.

    With --repair, damaged and missing days are pulled anew from the source. A damaged file is kept as
    usage.parquet.damaged unless the source tells exactly as many requests as were stored; where it tells fewer,
    the day stays a gap.
    """
    from detector.cli.progress import watched
    from detector.operations.upkeep.examination import examine
    from detector.pipeline import Job
    from detector.state.database import State
    from detector.state.runs import only_run

    config, problems = load_config(path, overrides), []
    with closing(State(config.state.url)) as state, only_run(state):
        job = Job.assemble(config, datetime.now(UTC), state=state)
        with watched("Checking") as progress:
            for problem in examine(job, progress):
                click.echo(safe(problem.text))
                problems.append(problem)
        days = counted(len(job.history.days()), "day")
        if not problems:
            click.echo(f"Sound: the state, {days} and their reports.")
        elif not mend:
            click.echo(f"{counted(len(problems), 'problem')} in {days}; --repair mends what can be mended.")
        left = _mend(job, problems) if mend and problems else len(problems)
    sys.exit(FAILURE if left else DONE)


def _mend(job: Job, problems: Sequence[Defect]) -> int:
    """Mend, say what became of each problem, and return how many are left."""
    from detector.operations.upkeep.repair import repair

    left, mended = 0, 0
    for done in repair(job, problems):
        click.echo(f"{'mended' if done.mended else 'NOT MENDED'}: {safe(done.text)}")
        mended, left = mended + done.mended, left + (not done.mended)
    click.echo(f"{mended:,} mended, {left:,} not mended.")
    return left


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
    """Put the state, the history and snapshots of running totals into one file that its owner alone can read.

    Reports are not in it: `doctor --repair` makes them again. Exit 4 where a day in it was damaged already.
    """
    from detector.cli.progress import watched
    from detector.operations.upkeep.backup import back_up
    from detector.state.database import State

    config = load_config(path, overrides)
    with closing(State(config.state.url)) as state, watched("Copying") as progress:
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
@click.option("--replace", is_flag=True, help="Also where there is a history or a state already, which are lost.")
@configured
def restore(path: Path, overrides: Sequence[str], file: Path, replace: bool) -> None:
    """Put a backup in its place, after checking all of it.

    A backup of SQLite can be restored to PostgreSQL and the reverse: that is how to move from one to the other.
    """
    from detector.operations.upkeep.archive import opened
    from detector.operations.upkeep.restore import contents, restore_backup
    from detector.state.database import State

    config = load_config(path, overrides)
    with opened(file) as archive, closing(State(config.state.url)) as state:
        former = restore_backup(config, state, archive, replace=replace)
        now = contents(config, state)
    if replace:
        click.echo(f"Replaced: {former}.")
    click.echo(f"Restored: {now}, as of {safe(archive.manifest.created_at)}.")

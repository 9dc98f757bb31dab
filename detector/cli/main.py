"""The command line. Results go to stdout, everything else to stderr; heavy imports wait until needed."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from detector.boundary.masking import without_secrets
from detector.boundary.plugins import load_plug_in
from detector.boundary.suggestions import did_you_mean
from detector.boundary.text import visible
from detector.boundary.words import counted
from detector.cli.options import DAY, Command, Group, configured, day_option, load_config
from detector.config.plugins import REPORTERS
from detector.model.errors import (
    FAILURE,
    FINDINGS,
    PARTIAL,
    ConfigError,
    DetectorError,
    MisconfiguredSourceError,
    NotReadyError,
    worst,
)
from detector.model.finding import Severity

if TYPE_CHECKING:
    from apscheduler.triggers.base import BaseTrigger

    from detector.config.config import Config
    from detector.model.report import Outcome
    from detector.model.usage import Accounting
    from detector.pipeline import Job

COMMANDS = {
    "chargeback": "detector.cli.chargeback:chargeback",
    "deliver": "detector.cli.delivery:deliver",
    "triage": "detector.cli.triage:triage",
    "serve": "detector.cli.serve:serve",
    "token": "detector.cli.serve:token",
    "prune": "detector.cli.upkeep:prune",
    "doctor": "detector.cli.upkeep:doctor",
    "backup": "detector.cli.upkeep:backup",
    "restore": "detector.cli.upkeep:restore",
}
"""The commands that have a module of their own; the others follow here."""
SEVERITIES = [severity.value for severity in Severity]


class _RunByDefault(Group):
    """A group whose bare call, with or without options, is ``run``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "-h", "--version")):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=_RunByDefault,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""Examples:
      python -m detector                                  evaluate yesterday with config.yaml
      python -m detector demo                             a made-up organization and its report
      python -m detector run --day 2026-11-22 --fail-on high
      python -m detector usage --from 2026-11-01 --to 2026-11-22 --format csv

    Exit codes: 0 done, 1 failure, 2 bad usage or configuration, 3 findings at or above --fail-on,
    4 partial (report written, a part failed or the day was not wholly judged), 75 try later.""",
)
@click.version_option(package_name="key-usage-detector")
def cli() -> None:
    """Find API keys that behave unlike themselves: spikes, dormant keys that wake, test keys in production.

    Without a command, evaluates yesterday.
    """


@cli.command(
    cls=Command,
    epilog="""Examples:
      python -m detector run
      python -m detector run --day 2026-11-22 --format json
      python -m detector run --config /etc/detector.yaml --fail-on high""",
)
@day_option("The day to evaluate; yesterday by default.")
@click.option("--fail-on", type=click.Choice(SEVERITIES), help="Exit 3 with a finding of this severity or above.")
@click.option("--no-deliver", is_flag=True, help="Write the reports; send and queue nothing.")
@click.option("--resend", is_flag=True, help="Send the messages about this day again.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="What stdout shows.")
@configured
def run(
    path: Path,
    overrides: Sequence[str],
    day: date | None,
    fail_on: str | None,
    no_deliver: bool,
    resend: bool,
    form: str,
) -> None:
    """Evaluate yesterday or a given day, write its reports and send them.

    The run first pulls the days that the history lacks: on a new installation the last 120 days. Without --day
    it also evaluates the days that earlier runs missed. It does not evaluate a day with incomplete data before
    schedule.deadline; it then ends with exit code 75: try again later.
    """
    from detector.operations.monitoring.logs import logging_to_stderr
    from detector.operations.schedule.nightly import nightly
    from detector.pipeline import Sending

    if no_deliver and resend:
        raise ConfigError("--no-deliver and --resend contradict each other")
    sending = Sending.NEVER if no_deliver else Sending.AGAIN if resend else Sending.NOW
    config = load_config(path, overrides)
    now = datetime.now(UTC)
    log_format = config.monitoring.log_format
    bars = log_format == "console" and sys.stderr.isatty()
    with (
        logging_to_stderr(log_format, logging.WARNING if bars else logging.INFO),
        _watched("Pulling", logged=not bars) as progress,
    ):
        results = nightly(config, day=day, now=now, progress=progress, sending=sending)
    if form == "json":
        from detector.reports import reporter

        click.echo(reporter("json").render(results[-1].report), nl=False)
    else:
        from detector.reports.terminal.text import render

        click.echo("\n\n".join(render(result.report, result.files) for result in results))
    reached = fail_on and any(
        finding.severity.rank >= Severity(fail_on).rank
        for result in results
        for finding in result.report.findings
        if finding.status.value not in ("resolved", "muted")
    )
    sys.exit(FINDINGS if reached else worst(result.exit_code for result in results))


@cli.command(
    cls=Command,
    epilog="""Examples:
      python -m detector usage
      python -m detector usage --from 2026-11-01 --to 2026-11-22 --format csv > usage.csv""",
)
@click.option("--from", "first", type=DAY, help="First day; yesterday by default.")
@click.option("--to", "last", type=DAY, help="Last day, included; --from by default.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    help="Shape of the answer.",
)
@configured
def usage(path: Path, overrides: Sequence[str], first: date | None, last: date | None, form: str) -> None:
    """Print the by-key usage of a period, most requests first, keys without requests included."""
    from detector.reports.accounts import sentence
    from detector.reports.terminal import usage as rendering
    from detector.sources.pull import usage_between
    from detector.usage.strangers import OTHER_KEYS

    job = _job(path, overrides)
    first = first or last or _last_day(job.config)
    last = last or first
    _require_order(first, last)
    _pull(job, first, last)
    records = usage_between(job.history, first, last)
    click.echo(rendering.RENDERINGS[form](records), nl=False)
    accounting = _accounting(job, first, last)
    faults = job.history.notes(last).faults
    # The records of earlier days, and those that came without a time, are in the accounting alone.
    reasons = accounting.unusable.keys() - {fault.reason for fault in faults}
    for fault in faults:
        click.echo(f"detector: {fault.count:,} × {visible(fault.reason)}", err=True)
    for reason in sorted(reasons):
        click.echo(f"detector: {accounting.unusable[reason].records:,} × {visible(reason)}", err=True)
    for key in records.loc[~records["active"] & (records["request_count"] > 0), "key_id"]:
        told = f"revoked key {visible(key)} has requests"
        if key == OTHER_KEYS:
            told = "the others of many unregistered keys have requests"
        click.echo(f"detector: {told} that are not in the answer", err=True)
    if accounting.counted < accounting.read:
        click.echo(f"detector: {sentence(accounting)}", err=True)


@cli.command(
    cls=Command,
    epilog="""Example:
      python -m detector backfill --from 2026-01-01 --to 2026-11-22""",
)
@click.option("--from", "first", type=DAY, required=True, help="First day.")
@click.option("--to", "last", type=DAY, required=True, help="Last day, included.")
@configured
def backfill(path: Path, overrides: Sequence[str], first: date, last: date) -> None:
    """Pull past days into the history without evaluating them. Stored days are kept."""
    _require_order(first, last)
    job = _job(path, overrides)
    pulled = _pull(job, first, last)
    total = (last - first).days + 1
    lacking = len(job.history.missing(first, last))
    there = total - len(pulled) - lacking
    already = counted(there, "was there already", "were there already")
    click.echo(f"{len(pulled):,} of {counted(total, 'day')} pulled, {already}.")
    if lacking:
        click.echo(f"detector: the source cannot tell about {lacking:,} of {counted(total, 'day')}", err=True)


@cli.command(
    cls=Command,
    epilog="""Example:
      python -m detector backtest --from 2026-09-01 --to 2026-11-22 --out /tmp/backtest""",
)
@click.option("--from", "first", type=DAY, required=True, help="First evaluated day.")
@click.option("--to", "last", type=DAY, required=True, help="Last evaluated day, included.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for the results."
)
@configured
def backtest(path: Path, overrides: Sequence[str], first: date, last: date, out: Path) -> None:
    """Replay past days, each with only what was known on that day.

    The results are findings.ndjson, scores.csv, days.csv and summary.json. The state database does not change.
    If a part failed on any day, the exit code is 4.
    """
    import json

    from detector.operations.backtest import run_backtest

    _require_order(first, last)
    job = _job(path, overrides)
    _pull(job, first - timedelta(days=job.config.history.first_pull_days), last)
    with _watched("Judging") as progress:
        summary = run_backtest(job.config, job.history, first, last, out, progress)
    click.echo(json.dumps(summary, indent=2))
    for failure, days in summary["failures"].items():
        click.echo(f"detector: on {counted(days, 'day')}: {visible(failure)}", err=True)
    if summary["failures"]:
        sys.exit(PARTIAL)


@cli.command(
    cls=Command,
    epilog="""Examples:
      python -m detector report 2026-11-22 --out report.html
      python -m detector report 2026-11-22 --format ocsf | curl --data-binary @- https://siem.example/intake""",
)
@click.argument("day", type=DAY)
@click.option("--format", "form", type=click.Choice(list(REPORTERS)), default="html", help="Which rendering.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write; stdout by default.")
@configured
def report(path: Path, overrides: Sequence[str], day: date, form: str, out: Path | None) -> None:
    """Render the report of a past day from the history, as it would be evaluated today."""
    from detector.boundary.disk import write_atomically
    from detector.pipeline import build_report, judge_day
    from detector.reports import reporter

    job = _job(path, overrides)
    _require_stored(job, day)
    made = build_report(job, judge_day(job, day), run_id="report")
    text = reporter(form).render(made)
    if out is None:
        click.echo(text, nl=False)
    else:
        write_atomically(out, text.encode(), shared=job.config.report.shared)
        click.echo(out)
    _exit_unless_judged(made.summary.outcome, made.summary.verdict, made.summary.subline)


@cli.command(
    cls=Command,
    epilog="""Example:
      python -m detector explain key_7f3a --day 2026-11-22""",
)
@click.argument("key")
@day_option("The day to explain; the latest in the history by default.")
@configured
def explain(path: Path, overrides: Sequence[str], key: str, day: date | None) -> None:
    """Show what is known of a key, its baseline, and why each detector has a finding or none."""
    from detector.judging.coverage import coverage
    from detector.judging.summary import verdict_on
    from detector.pipeline import judge_day
    from detector.reports.terminal.explain import render

    job = _job(path, overrides)
    stored = job.history.days()
    if not stored:
        raise ConfigError("the history is empty; pull some days with `run` or `backfill` first")
    day = day or stored[-1]
    _require_stored(job, day)
    judged = judge_day(job, day)
    if key not in judged.panel.keys:
        raise ConfigError(
            f"no key {visible(key)!r} is active or in use on {day}{did_you_mean(key, list(judged.panel.keys))}"
        )
    click.echo(render(judged, key))
    concluded = verdict_on(judged, coverage(judged, job.config, tuple(judged.failures)))
    _exit_unless_judged(concluded.outcome, concluded.headline, concluded.subline)


def _exit_unless_judged(outcome: Outcome, headline: str, subline: str) -> None:
    """Exit as partial, with the reason, for a day that was not wholly evaluated."""
    if not outcome.is_judged:
        click.echo(f"detector: {visible(headline)}: {visible(subline)}", err=True)
        sys.exit(PARTIAL)


@cli.command(
    cls=Command,
    epilog="""Example:
      python -m detector check --config config.yaml""",
)
@configured
def check(path: Path, overrides: Sequence[str]) -> None:
    """Check the configuration, the source, the history and the state, and tell what they hold.

    `check` lists the configured channels and sends nothing; `deliver --test` sends. The exit code is 0 if all is
    well, 1 if the source or the state cannot be reached, 2 if the configuration is wrong or none of the records
    can be used with it, and 75 if the source holds no record yet.
    """
    from detector.cli.inspection import inspect, lines
    from detector.delivery import open_channels
    from detector.judging.completeness import none_usable

    job = _job(path, overrides)
    click.echo(f"configuration  {path}: valid")
    found = inspect(job.source, job.config.zone, job.now)
    days = job.history.days()
    click.echo(
        f"source         {job.config.source.name} ({job.config.source.kind}, {job.config.source.shape}): readable"
    )
    for name, fact in lines(found, job.config.detection):
        click.echo(f"{name:<14} {visible(fact)}")
    click.echo(f"history        {counted(len(days), 'day')}" + (f", {days[0]} to {days[-1]}" if days else ""))
    click.echo(f"last run       {visible(_last_run(job))}")
    for channel in open_channels(job.config):
        click.echo(f"delivery       {visible(channel.name)}: {visible(channel.describe())}")
    if not found.usable and found.accounting.read:
        raise MisconfiguredSourceError(none_usable(found.accounting, found.faults))
    if found.watermark is None and found.usable:
        raise MisconfiguredSourceError("the source does not tell when a key was used; its keys need last_activity")
    if found.watermark is None:
        raise NotReadyError(
            "the source is readable and holds no record yet; check that source.usage is the right one"
        )


@cli.command(
    cls=Command,
    epilog="""Examples:
      python -m detector demo
      python -m detector demo --out /tmp/demo""",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="Folder to fill.",
)
def demo(out: Path) -> None:
    """Make a seeded organization of about 300 keys with planted incidents, and evaluate one day of it."""
    from detector.cli.demo import JUDGED_DAY, make
    from detector.operations.monitoring.logs import logging_to_stderr
    from detector.operations.schedule.nightly import nightly
    from detector.reports.terminal.text import render

    with _watched("Making") as progress:
        config_path = make(out, progress)
    with logging_to_stderr("console", logging.WARNING), _watched("Pulling") as progress:
        (result,) = nightly(load_config(config_path, ()), day=JUDGED_DAY, now=datetime.now(UTC), progress=progress)
    click.echo(render(result.report, result.files))
    click.echo(f"\nLook around: python -m detector usage --config {config_path} --from {JUDGED_DAY}")
    sys.exit(result.exit_code)


@cli.command(
    cls=Command,
    epilog="""Examples:
      python -m detector schedule --config /etc/detector.yaml""",
)
@configured
def schedule(path: Path, overrides: Sequence[str]) -> None:
    """Stay and evaluate every day at its hour (schedule.nightly), until a signal to stop.

    After SIGTERM or SIGINT a running day may finish within schedule.grace_minutes; a second signal ends the
    process at once. SIGHUP reads the configuration again. While the data of a day are incomplete, the process
    tries again every schedule.retry_minutes until schedule.deadline.
    """
    from detector.operations.monitoring.logs import logging_to_stderr
    from detector.operations.schedule.scheduler import run_scheduler

    config = load_config(path, overrides)
    with logging_to_stderr(config.monitoring.log_format, logging.INFO):
        run_scheduler(lambda: load_config(path, overrides))


@cli.command(
    cls=Command,
    epilog="""Example:
      python -m detector status || echo 'a day is overdue'""",
)
@configured
def status(path: Path, overrides: Sequence[str]) -> None:
    """Tell the last run, the last evaluated day and the next run; exit 1 if not all is well.

    All is well if the last day whose hour has come was evaluated on complete data by a run with exit code 0. Until
    schedule.deadline a day may wait for late data. An installation that never evaluated a day is not well from
    its first deadline on.
    """
    from detector.operations.schedule.health import nightly_trigger, trouble
    from detector.operations.schedule.monthly import last_month, written
    from detector.operations.schedule.scheduler import chargeback_trigger
    from detector.state.sightings import days_judged

    job = _job(path, overrides)
    click.echo(f"last run    {visible(_last_run(job))}")
    day, complete = max(days_judged(job.state).items(), default=(None, True))
    interim = "" if complete else " (its data were incomplete)"
    click.echo(f"last day    {day or 'none evaluated yet'}{interim}")
    click.echo(f"next run    {_coming(nightly_trigger(job.config), job.now)}")
    if job.config.chargeback.wanted:
        month = last_month(job.config, job.now)
        following = _coming(chargeback_trigger(job.config), job.now)
        click.echo(f"statement   {month} {written(job.config, month)}, the next one {following}")
    problem = trouble(job.config, job.state, job.now)
    if problem is not None:
        raise DetectorError(problem)


for name in COMMANDS:
    cli.add_command(load_plug_in(COMMANDS, name))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; an error the operator can act on becomes one line and its exit code."""
    _mask_what_python_prints()
    try:
        cli.main(args=list(arguments) if arguments is not None else None, prog_name="python -m detector")
    except DetectorError as error:
        click.echo(f"detector: {visible(str(error))}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.filename is None:
            raise
        text = without_secrets(f"{error.strerror}: {error.filename}")
        click.echo(f"detector: {visible(text)}", err=True)
        sys.exit(FAILURE)


class _WithoutSecrets(logging.Formatter):
    """The format of warnings where a command has set up no log."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(without_secrets(super().format(record)))


def _mask_what_python_prints() -> None:
    """Tracebacks of faults, and warnings of commands that have no log, show no secret."""

    def show(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        text = "".join(traceback.format_exception(kind, error, trace))
        click.echo("\n".join(visible(line) for line in without_secrets(text).split("\n")), err=True, nl=False)

    sys.excepthook = show
    threading.excepthook = lambda fault: show(fault.exc_type, fault.exc_value, fault.exc_traceback)
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_WithoutSecrets())


def _job(path: Path, overrides: Sequence[str]) -> Job:
    from detector.pipeline import Job

    return Job.assemble(load_config(path, overrides), datetime.now(UTC))


def _coming(trigger: BaseTrigger, now: datetime) -> str:
    following = trigger.get_next_fire_time(None, now)
    return f"{following:%Y-%m-%d %H:%M %Z}" if following else "never"


def _last_run(job: Job) -> str:
    """What became of the last run."""
    from detector.state.runs import is_at_work, last_run

    run = last_run(job.state)
    if run is None:
        return "none yet"
    if run.exit_code is not None:
        return f"{run.day}: exit code {run.exit_code}: {run.message}"
    reached = f"came as far as: {run.stage or 'begun'}"
    if is_at_work(job.state):
        return f"{run.day}: at work since {run.started_at:%Y-%m-%d %H:%M:%S} UTC ({reached})"
    return f"{run.day}: did not finish ({reached})"


def _pull(job: Job, first: date, last: date) -> list[date]:
    """Pull as a run does, and not beside one. Where nothing is to be pulled, nobody is in the way.

    Raises ConfigError where the last day has not begun, or lies before all data.
    """
    from detector.operations.schedule.nightly import require_possible
    from detector.sources.pull import days_to_pull, pull
    from detector.state.runs import only_run

    require_possible(job, last)
    if not days_to_pull(job.config, job.history, first, last, job.now):
        return []
    with only_run(job.state), _watched("Pulling") as progress:
        return pull(job.config, job.source, job.history, first, last, now=job.now, progress=progress)


def _accounting(job: Job, first: date, last: date) -> Accounting:
    """What became of the records of a period, as far as it is known."""
    from detector.model.day import each_day
    from detector.model.usage import Accounting

    total = Accounting(0)
    for day in each_day(first, last):
        total += job.history.notes(day).accounting or Accounting(0)
    return total


def _watched(title: str, *, logged: bool = False) -> Any:
    from detector.cli.progress import watched

    return watched(title, logged=logged)


def _last_day(config: Config) -> date:
    from detector.model.day import Day

    return Day.last_complete(datetime.now(UTC), config.zone).date


def _require_order(first: date, last: date) -> None:
    if first > last:
        raise ConfigError(f"--from {first} lies after --to {last}")


def _require_stored(job: Job, day: date) -> None:
    if day not in job.history.days():
        raise ConfigError(f"the day {day} is not in the history; `run --day {day}` or `backfill` pulls it")

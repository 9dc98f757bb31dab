"""One day, top to bottom: pull, remember, judge, report, deliver."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import Enum
from pathlib import Path

from detector.boundary.masking import without_secrets
from detector.boundary.words import counted
from detector.config.config import Config
from detector.delivery import open_channels
from detector.delivery.outbox import Delivered, Outbox, sentence, unreported
from detector.detectors import detector_classes
from detector.judging import triage
from detector.judging.completeness import is_unusable
from detector.judging.judging import Judged, judge
from detector.judging.summary import assemble
from detector.model.day import Day
from detector.model.errors import (
    DONE,
    PARTIAL,
    DetectorError,
    MisconfiguredSourceError,
    MissingDayError,
    NotReadyError,
    SourceError,
)
from detector.model.finding import Finding, Status
from detector.model.report import RunReport, SourceStatus
from detector.reports import reporter
from detector.reports.page import index
from detector.sources import Source, open_source
from detector.sources.pull import Progress, no_progress, pull
from detector.state.database import State
from detector.state.ledger import StateLedger
from detector.state.messages import Outgoing, StoredMessage
from detector.state.outbox import queue
from detector.state.runs import Stage, logged_run
from detector.state.sightings import days_judged, earlier_sightings, keys_judged_before, record_day
from detector.state.triage import triage_log
from detector.usage.history import History
from detector.usage.panel import load_panel

log = logging.getLogger("detector.run")

DIGEST_HOLD = timedelta(hours=1)
"""How long messages wait for the digest that replaces them. After a crash they are sent one by one instead."""


class Sending(Enum):
    """What a run does with its messages. NOW sends them, LATER holds them back for a digest, NEVER makes none, and
    AGAIN also sends those that were sent before."""

    NOW = "now"
    LATER = "later"
    AGAIN = "again"
    NEVER = "never"


@dataclass
class Job:
    """What a run works with, assembled once: configuration, source, history, state and the present instant."""

    config: Config
    source: Source
    history: History
    state: State
    now: datetime
    progress: Progress = no_progress
    failures: list[str] = field(default_factory=list)
    source_error: SourceError | None = None
    days_read: int = 0
    """The days that were stored before the source failed."""

    @classmethod
    def assemble(
        cls, config: Config, now: datetime, progress: Progress = no_progress, state: State | None = None
    ) -> Job:
        """Open what the configuration names. A caller that holds the state open and locked passes it."""
        state = state or State.of(config)
        history = History(Path(config.history.path), config.zone, StateLedger(state))
        source = open_source(config.source, config.zone, lambda: now)
        return cls(config, source, history, state, now, progress)

    def fail(self, *failures: str) -> None:
        """Record what failed, without the secrets that a library may quote, and log it; the run goes on."""
        self.failures += map(without_secrets, failures)
        warn(*failures)


@dataclass(frozen=True)
class RunResult:
    """The report of a run, its files and its failures, also those after the report was made. ``amended`` says that
    an earlier run judged the same day on incomplete data."""

    report: RunReport
    files: tuple[Path, ...]
    exit_code: int
    failures: tuple[str, ...] = ()
    amended: bool = False

    def with_failures(self, failures: Sequence[str]) -> RunResult:
        """The same result with further failures."""
        return replace(self, failures=(*self.failures, *failures), exit_code=self.exit_code or PARTIAL)


def run_day(
    job: Job, day: date, sending: Sending = Sending.NOW, patient_until: datetime | None = None
) -> RunResult:
    """Judge one day, write its reports and send them. A failing part is recorded, and the other parts go on.

    While the data are incomplete and the present instant lies before ``patient_until``, it writes no report. It
    raises NotReadyError where the source was read, and SourceError where it was not. A day that was judged on
    incomplete data and is complete now is reported again.
    """
    with logged_run(job.state, day, job.now) as run:
        undelivered = recall_undelivered(job)
        pulled = pull_what_is_needed(job, day)
        run.reach(Stage.PULLED, days=len(pulled))
        judged = judge_day(job, day)
        warn(*judged.failures)
        is_early = patient_until is not None and job.now < patient_until
        if is_early and may_become_complete(job, judged):
            raise not_ready(job, judged)
        report = build_report(job, judged, run.run_id)
        run.reach(Stage.JUDGED, **facts_of(report))
        files = write_reports(job, report)
        run.reach(Stage.REPORTED, files=len(files))
        amended = judged.extent.complete and days_judged(job.state).get(day) is False
        outgoing = prepare_messages(job, [report], sending, undelivered, again=amended)
        record_day(
            job.state, day, judged.extent, open_findings(judged), outgoing, keys_judged=judged.trusted_keys_judged
        )
        run.reach(Stage.RECORDED, messages=len(list(outgoing.messages)) if outgoing else 0)
        if sending in (Sending.NOW, Sending.AGAIN):
            delivered = send_waiting(job)
            run.reach(Stage.SENT, messages=delivered.sent, waiting=delivered.waiting)
        failures = (*job.failures, *judged.failures)
        exit_code = exit_code_of(job, report, failures)
        run.end(exit_code, report.summary.verdict)
    return RunResult(report, files, exit_code, failures, amended)


def warn(*failures: str) -> None:
    """Log what failed, each once."""
    for failure in failures:
        log.warning("%s", failure)


def may_become_complete(job: Job, judged: Judged) -> bool:
    """Whether the day is incomplete and may be complete later, without a change of the configuration."""
    is_hopeless = isinstance(job.source_error, MisconfiguredSourceError) or is_unusable(judged.panel)
    return not judged.extent.complete and not is_hopeless


def exit_code_of(job: Job, report: RunReport, failures: Sequence[str]) -> int:
    """The exit code of a run that has written a report. A day that was not wholly evaluated is never a success."""
    if job.source_error is not None:
        return job.source_error.exit_code
    return DONE if report.summary.outcome.is_judged and not failures else PARTIAL


def not_ready(job: Job, judged: Judged) -> DetectorError:
    """Why a day cannot be judged yet, and what was read."""
    day = judged.panel.day.date
    error = job.source_error
    if isinstance(error, MissingDayError):
        return NotReadyError(f"the day {day} is not ready: {error}")
    if error is not None:
        read = (
            f"Only {counted(job.days_read, 'day')} before it could be read"
            if job.days_read
            else "Nothing was read"
        )
        return SourceError(f"the day {day} was not evaluated: {error}. {read}.")
    reasons = " ".join(problem.text for problem in judged.problems if problem.withholding)
    reach = judged.panel.watermark
    read = f"its data reach to {reach:%Y-%m-%d %H:%M:%S} UTC" if reach else "it holds no usable record yet"
    return NotReadyError(f"the day {day} is not ready: {reasons} The source was read; {read}.")


def recall_undelivered(job: Job) -> list[StoredMessage]:
    """The messages that earlier runs failed to deliver for good. The report of this run names each one."""
    undelivered = unreported(job.state)
    job.fail(*(sentence(stored) for stored in undelivered))
    return undelivered


def pull_what_is_needed(job: Job, day: date) -> list[date]:
    """Pull the days that judging needs and the history lacks. A failure of the source is recorded."""
    config = job.config
    history = job.history
    first = day - timedelta(days=config.history.first_pull_days)
    incomplete = days_judged(job.state).get(day) is False
    stored = len(history.days())
    try:
        return pull(
            config, job.source, history, first, day, now=job.now, progress=job.progress, incomplete=incomplete
        )
    except SourceError as error:
        job.source_error = error
        job.days_read = len(history.days()) - stored
        job.failures.insert(0, str(error))
        warn(str(error))
        return []


def judge_day(job: Job, day: date) -> Judged:
    """Judge a day from the history, the earlier findings and the verdicts of people on them."""
    panel = load_panel(job.history, day, panel_depth(job.config))
    verdicts = triage.precision(triage_log(job.state), day - timedelta(days=1))
    unread = str(job.source_error) if job.source_error else None
    before = dict(keys_judged_before(job.state, day))
    return judge(
        panel, job.config, earlier_sightings(job.state, day), verdicts, judged_before=before, unread=unread
    )


def build_report(job: Job, judged: Judged, run_id: str) -> RunReport:
    """The report of a judged day, with the triage of its findings as it is now."""
    config = job.config
    status = SourceStatus(
        name=config.source.name,
        kind=config.source.kind,
        shape=config.source.shape,
        watermark=judged.panel.watermark,
        error=str(job.source_error) if job.source_error else None,
        faults=judged.panel.faults,
        accounting=judged.panel.accounting,
    )
    run = {"run_id": run_id, "started_at": job.now}
    entries = triage_log(job.state)
    return assemble(
        judged, config, [status], run=run, generated_at=job.now, failures=job.failures, entries=entries
    )


def facts_of(report: RunReport) -> dict[str, object]:
    """The values that the log line of a judged day has."""
    judged = report.coverage.keys_judged
    return {
        "keys_judged": judged,
        "keys_not_judged": report.coverage.keys_active - judged,
        "findings": report.summary.open,
        "outcome": report.summary.outcome.value,
        "verdict": report.summary.verdict,
    }


def write_reports(job: Job, report: RunReport) -> tuple[Path, ...]:
    """Write every configured format and the index. A format that fails is recorded, and the others are written."""
    directory = Path(job.config.report.directory) / report.day.date.isoformat()
    shared = job.config.report.shared
    written = []
    for name in job.config.report.formats:
        try:
            written.append(reporter(name).write(report, directory, shared=shared))
        except Exception as error:  # one failing format must not cost the others
            job.fail(f"the {name} report could not be written: {error}")
    try:
        index.update(directory.parent, report, shared=shared)
    except Exception as error:  # the reports are there; the page that links them must not cost the run
        job.fail(f"the index of the days could not be written: {error}")
    return tuple(written)


def prepare_messages(
    job: Job,
    reports: Sequence[RunReport],
    sending: Sending,
    undelivered: Iterable[StoredMessage] = (),
    *,
    again: bool = False,
) -> Outgoing | None:
    """Render every channel's messages about the days. A channel that fails is recorded, and the others go on."""
    if sending is Sending.NEVER:
        return None
    again = again or sending is Sending.AGAIN
    messages = []
    for channel in open_channels(job.config, edition=str(reports[-1].run["run_id"]) if again else ""):
        try:
            messages += channel.messages(reports)
        except Exception as error:  # one failing channel must not cost the others
            job.fail(f"nothing could be prepared for {channel.name}: {type(error).__name__}: {error}")
    reported = [stored.id for stored in undelivered]
    hold = DIGEST_HOLD if sending is Sending.LATER else timedelta(0)
    return Outgoing(messages, job.now, again, reported, hold)


def send_waiting(job: Job) -> Delivered:
    """Send the due messages of this day and of earlier ones from the outbox. Failures are recorded."""
    delivered = Outbox(job.state, open_channels(job.config)).drain(job.now)
    job.fail(*delivered.failures)
    return delivered


def send_digest(job: Job, results: Sequence[RunResult]) -> list[str]:
    """Send one digest about several days that were judged with Sending.LATER; returns the failures of the job.

    The days' own messages wait in the outbox until the digest replaces them, so a crash before that loses nothing.
    """
    reports = [result.report for result in results]
    again = any(result.amended for result in results)
    outgoing = prepare_messages(job, reports, Sending.NOW, again=again)
    if outgoing is not None:
        queue(job.state, [report.day.date for report in reports], outgoing)
    delivered = send_waiting(job)
    log.info("digest", extra={"messages": delivered.sent, "waiting": delivered.waiting})
    return job.failures


def panel_depth(config: Config) -> int:
    """The number of days before the judged one that judging reads: the largest number that a detector asks for."""
    return max(detector.days_before(config.detection) for detector in detector_classes().values())


def kept_from(config: Config, now: datetime) -> date:
    """The oldest day to keep: ``history.keep_days`` before the last one, or earlier where judging reads more."""
    kept = max(config.history.keep_days, config.history.first_pull_days, panel_depth(config) + 1)
    return Day.last_complete(now, config.zone).date - timedelta(days=kept)


def open_findings(judged: Judged) -> list[Finding]:
    """The findings whose condition holds on the judged day."""
    return [finding for finding in judged.findings if finding.status is not Status.RESOLVED]

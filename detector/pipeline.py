"""One day, top to bottom: pull, remember, judge, report, deliver."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import Enum
from pathlib import Path

from detector.config.config import Config
from detector.delivery import open_channels
from detector.delivery.outbox import Delivered, Outbox, sentence, unreported
from detector.detectors import detector_classes
from detector.judging import triage
from detector.judging.judging import Judged, judge
from detector.judging.summary import assemble
from detector.model.day import Day
from detector.model.errors import DONE, PARTIAL, NotReadyError, SourceError
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
from detector.state.sightings import days_judged, earlier_sightings, record_day
from detector.state.triage import triage_log
from detector.usage.history import History
from detector.usage.panel import load_panel

log = logging.getLogger("detector.run")

DIGEST_HOLD = timedelta(hours=1)
"""How long messages wait for the digest that is to take their place; after a crash they go out by themselves."""


class Sending(Enum):
    """What a run does with its messages. LATER holds them back for a digest, NEVER does not even do that, AGAIN
    also sends what was sent before."""

    NOW = "now"
    LATER = "later"
    AGAIN = "again"
    NEVER = "never"


@dataclass
class Job:
    """The real parts, assembled once: configuration, source, history, state and the present instant."""

    config: Config
    source: Source
    history: History
    state: State
    now: datetime
    progress: Progress = no_progress
    failures: list[str] = field(default_factory=list)
    source_error: str | None = None

    @classmethod
    def assemble(
        cls, config: Config, now: datetime, progress: Progress = no_progress, state: State | None = None
    ) -> Job:
        """Open what the configuration names; a ``state`` that is open already, and locked, is worked on."""
        state = state or State(config.state.url)
        history = History(Path(config.history.path), config.zone, StateLedger(state))
        source = open_source(config.source, config.zone)
        return cls(config, source, history, state, now, progress)

    def fail(self, *failures: str) -> None:
        """Record what failed, and log it; the run goes on."""
        self.failures += failures
        warn(*failures)


@dataclass(frozen=True)
class RunResult:
    """What a run left behind; ``failures`` also has what failed after the report was made. ``amended``: the day
    had been judged on incomplete data before."""

    report: RunReport
    files: tuple[Path, ...]
    exit_code: int
    failures: tuple[str, ...] = ()
    amended: bool = False

    def with_failures(self, failures: Sequence[str]) -> RunResult:
        """The same with what failed after it was done."""
        return replace(self, failures=(*self.failures, *failures), exit_code=PARTIAL)


def run_day(
    job: Job, day: date, sending: Sending = Sending.NOW, patient_until: datetime | None = None
) -> RunResult:
    """Judge one day, write its reports and send them. A failing part is recorded; the others go on.

    Until ``patient_until`` a day whose data are incomplete is not judged: NotReadyError. One that was judged
    on incomplete data and now is complete is told again.
    """
    with logged_run(job.state, day, job.now) as run:
        undelivered = recall_undelivered(job)
        pulled = pull_what_is_needed(job, day)
        run.reach(Stage.PULLED, days=len(pulled))
        judged = judge_day(job, day)
        warn(*judged.failures)
        if not judged.extent.complete and patient_until is not None and job.now < patient_until:
            raise not_ready(job, judged)
        report = build_report(job, judged, run.run_id)
        run.reach(Stage.JUDGED, **facts_of(report))
        files = write_reports(job, report)
        run.reach(Stage.REPORTED, files=len(files))
        amended = judged.extent.complete and days_judged(job.state).get(day) is False
        outgoing = prepare_messages(job, [report], sending, undelivered, again=amended)
        record_day(job.state, day, judged.extent, open_findings(judged), outgoing)
        run.reach(Stage.RECORDED, messages=len(list(outgoing.messages)) if outgoing else 0)
        if sending in (Sending.NOW, Sending.AGAIN):
            delivered = send_waiting(job)
            run.reach(Stage.SENT, messages=delivered.sent, waiting=delivered.waiting)
        failures = (*job.failures, *judged.failures)
        exit_code = PARTIAL if failures else DONE
        run.end(exit_code, report.summary.verdict)
    return RunResult(report, files, exit_code, failures, amended)


def warn(*failures: str) -> None:
    """Log what failed, each once."""
    for failure in failures:
        log.warning("%s", failure)


def not_ready(job: Job, judged: Judged) -> NotReadyError:
    """Why a day cannot be judged yet."""
    reasons = [*job.failures, *(problem.text for problem in judged.problems if problem.withholding)]
    return NotReadyError(f"the day {judged.panel.day.date} is not ready: {' '.join(reasons)}")


def recall_undelivered(job: Job) -> list[StoredMessage]:
    """What earlier runs could not deliver for good; this day's report names it, once."""
    undelivered = unreported(job.state)
    job.fail(*(sentence(stored) for stored in undelivered))
    return undelivered


def pull_what_is_needed(job: Job, day: date) -> list[date]:
    """Pull what judging a day needs and the history lacks; a source that fails is recorded."""
    config = job.config
    history = job.history
    first = day - timedelta(days=config.history.first_pull_days)
    incomplete = days_judged(job.state).get(day) is False
    try:
        return pull(
            config, job.source, history, first, day, now=job.now, progress=job.progress, incomplete=incomplete
        )
    except SourceError as error:
        job.source_error = str(error)
        job.failures.insert(0, job.source_error)
        warn(job.source_error)
        return []


def judge_day(job: Job, day: date) -> Judged:
    """Judge a day from the history alone, and from what people found earlier findings to be."""
    panel = load_panel(job.history, day, panel_depth(job.config))
    verdicts = triage.precision(triage_log(job.state), day - timedelta(days=1))
    return judge(panel, job.config, earlier_sightings(job.state, day), verdicts)


def build_report(job: Job, judged: Judged, run_id: str) -> RunReport:
    """The report of a judged day, with what people said about its findings until now."""
    config = job.config
    status = SourceStatus(
        name=config.source.name,
        kind=config.source.kind,
        shape=config.source.shape,
        watermark=judged.panel.watermark,
        error=job.source_error,
        faults=judged.panel.faults,
    )
    run = {"run_id": run_id, "started_at": job.now}
    entries = triage_log(job.state)
    return assemble(
        judged, config, [status], run=run, generated_at=job.now, failures=job.failures, entries=entries
    )


def facts_of(report: RunReport) -> dict[str, object]:
    """What the log tells of a judged day."""
    judged = report.coverage.keys_judged
    return {
        "keys_judged": judged,
        "keys_not_judged": report.coverage.keys_active - judged,
        "findings": report.summary.open,
        "verdict": report.summary.verdict,
    }


def write_reports(job: Job, report: RunReport) -> tuple[Path, ...]:
    """Write every configured format and the index; one that fails is recorded and the others go on."""
    directory = Path(job.config.report.directory) / report.day.date.isoformat()
    written = []
    for name in job.config.report.formats:
        try:
            written.append(reporter(name).write(report, directory))
        except Exception as error:  # one failing format must not cost the others
            job.fail(f"the {name} report could not be written: {error}")
    try:
        index.update(directory.parent, report)
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
    """Render what every channel has to tell of the days; a channel that fails is recorded, the others go on."""
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
    """Send what is due from the outbox, of this day and of earlier ones; what fails is recorded."""
    delivered = Outbox(job.state, open_channels(job.config)).drain(job.now)
    job.fail(*delivered.failures)
    return delivered


def send_digest(job: Job, results: Sequence[RunResult]) -> list[str]:
    """Tell of several days that were judged with Sending.LATER at once: one mail instead of many. What failed.

    Until this has put the digest in their place, the days' own messages wait; a crash before it loses nothing.
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
    """Days before the judged one that judging reads: as many as the detector that asks for most."""
    return max(detector.days_before(config.detection) for detector in detector_classes().values())


def kept_from(config: Config, now: datetime) -> date:
    """The oldest day that is kept: ``history.keep_days`` before the last one, and all that judging reads."""
    kept = max(config.history.keep_days, config.history.first_pull_days, panel_depth(config) + 1)
    return Day.last_complete(now, config.zone).date - timedelta(days=kept)


def open_findings(judged: Judged) -> list[Finding]:
    """The findings whose condition holds on the judged day."""
    return [finding for finding in judged.findings if finding.status is not Status.RESOLVED]

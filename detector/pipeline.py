"""One night, top to bottom: pull, remember, judge, report."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from detector import triage
from detector.config import Config
from detector.detectors.usage_spike import CALIBRATION_NIGHTS
from detector.errors import SourceError
from detector.history import History
from detector.judging import Judged, judge
from detector.model import Finding, RunReport, SourceStatus, Status
from detector.pull import Progress, pull, unwatched
from detector.reports import index, reporter
from detector.sources import Source, open_source
from detector.state import State
from detector.summary import assemble

DONE, PARTIAL = 0, 4


@dataclass
class Job:
    """The real parts, assembled once: configuration, source, history, state and the present instant."""

    config: Config
    source: Source
    history: History
    state: State
    now: datetime
    progress: Progress = unwatched
    failures: list[str] = field(default_factory=list)

    @classmethod
    def assemble(cls, config: Config, now: datetime, progress: Progress = unwatched) -> Job:
        """Open what the configuration names."""
        history = History(Path(config.history.path), config.zone)
        return cls(
            config, open_source(config.source, config.zone), history, State(config.state.url), now, progress
        )


@dataclass(frozen=True)
class Outcome:
    """What a run left behind."""

    report: RunReport
    files: tuple[Path, ...]
    exit_code: int


def run_night(job: Job, night: date) -> Outcome:
    """Judge one night and write its reports. A failing part is recorded; the others go on."""
    run_id = str(uuid.uuid4())
    job.state.begin_run(run_id, night, job.now)
    pull_what_is_needed(job, night)
    judged = judge_night(job, night)
    report = build_report(job, judged, run_id)
    files = write_reports(job, report)
    job.state.record(night, judged.complete, open_findings(judged))
    exit_code = PARTIAL if job.failures or judged.failures else DONE
    job.state.end_run(run_id, job.now, exit_code, report.summary.verdict)
    return Outcome(report, files, exit_code)


def pull_what_is_needed(job: Job, night: date) -> None:
    """Pull what judging a night needs and the history lacks; a source that fails is recorded."""
    first = night - timedelta(days=job.config.history.first_pull_nights)
    try:
        pull(job.config, job.source, job.history, first, night, now=job.now, progress=job.progress)
    except SourceError as error:
        job.failures.append(str(error))


def judge_night(job: Job, night: date) -> Judged:
    """Judge a night from the history alone, and from what people found earlier findings to be."""
    panel = job.history.panel(night, panel_depth(job.config))
    verdicts = triage.precision(job.state.triage(), night - timedelta(days=1))
    return judge(panel, job.config, job.state.earlier(night), verdicts)


def build_report(job: Job, judged: Judged, run_id: str) -> RunReport:
    """The report of a judged night, with what people said about its findings until now."""
    config = job.config
    status = SourceStatus(
        name=config.source.name,
        kind=config.source.kind,
        shape=config.source.shape,
        watermark=judged.panel.watermark,
        error=job.failures[0] if job.failures else None,
        faults=judged.panel.faults,
    )
    run, said = {"run_id": run_id, "started_at": job.now}, job.state.triage()
    return assemble(judged, config, [status], run=run, generated_at=job.now, failures=job.failures, said=said)


def write_reports(job: Job, report: RunReport) -> tuple[Path, ...]:
    """Write every configured format and the index; one that fails is recorded and the others go on."""
    directory = Path(job.config.report.directory) / report.night.day.isoformat()
    written = []
    for name in job.config.report.formats:
        try:
            written.append(reporter(name).write(report, directory))
        except Exception as error:  # one failing format must not cost the others
            job.failures.append(f"the {name} report could not be written: {error}")
    try:
        index.update(directory.parent, report)
    except Exception as error:  # the reports are there; the page that links them must not cost the run
        job.failures.append(f"the index of the nights could not be written: {error}")
    return tuple(written)


def panel_depth(config: Config) -> int:
    """Nights before the judged one that judging reads: baselines of the calibration nights, four dormancies."""
    detection = config.detection
    return max(detection.baseline_nights + CALIBRATION_NIGHTS, 4 * detection.dormant_after_nights)


def open_findings(judged: Judged) -> list[Finding]:
    """The findings whose condition holds on the judged night."""
    return [finding for finding in judged.findings if finding.status is not Status.RESOLVED]

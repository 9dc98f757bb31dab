"""Metrics for Prometheus, in a file that node_exporter's textfile collector reads.

All metrics are gauges about the last run of the days due. The last success and the last evaluated day come from
the state, so a run that fails does not reset them. Keys and findings come from the report of the run; without a
report they are left out, because zero would look like an all-clear.

Names: https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from detector.boundary.disk import write_atomically
from detector.config.config import Config
from detector.judging.finding_types import finding_types
from detector.model.day import Day
from detector.model.errors import StateError
from detector.model.finding import Severity, Status
from detector.model.report import Outcome, RunReport
from detector.model.usage import Accounting
from detector.state import outbox
from detector.state.database import State
from detector.state.messages import FAILED, WAITING
from detector.state.runs import last_success
from detector.state.sightings import days_judged

log = logging.getLogger("detector.metrics")


@dataclass(frozen=True)
class LastRun:
    """How a run of the days due ended, and the report of the last day it judged, if it did."""

    ended_at: datetime
    seconds: float
    exit_code: int
    report: RunReport | None


def write(path: Path, run: LastRun, config: Config, *, shared: bool = False) -> None:
    """Write the file, whole; other users may read it if it is ``shared``.

    One that cannot be written, or not be filled, stays as it was: a warning.
    """
    try:
        with closing(State.of(config)) as state:
            write_atomically(path, render(run, state, config.zone), shared=shared)
    except (OSError, StateError) as error:
        log.warning("the metrics were not written: %s", error)


def render(run: LastRun, state: State, zone: ZoneInfo) -> bytes:
    """The metrics in Prometheus's text format. Raises StateError."""
    registry = CollectorRegistry()
    _of_run(registry, run)
    _of_state(registry, state, zone)
    if run.report is not None:
        _of_report(registry, run.report)
    return generate_latest(registry)


def _of_run(registry: CollectorRegistry, run: LastRun) -> None:
    _gauge(registry, "last_run_timestamp_seconds", "When the last run ended.", run.ended_at.timestamp())
    _gauge(registry, "last_run_duration_seconds", "How long the last run took.", run.seconds)
    _gauge(registry, "last_run_exit_code", "Exit code of the last run; 0 is success.", run.exit_code)


def _of_state(registry: CollectorRegistry, state: State, zone: ZoneInfo) -> None:
    success = last_success(state)
    if success is not None:
        _gauge(registry, "last_success_timestamp_seconds", "When a run last succeeded.", success.timestamp())
    day = max(days_judged(state), default=None)
    if day is not None:
        end = Day(day, zone).end.timestamp()
        _gauge(registry, "last_judged_day_end_timestamp_seconds", "When the last judged day ended.", end)
    messages = Gauge("detector_outbox_messages", "Messages not delivered.", ["status"], registry=registry)
    for status in (WAITING, FAILED):
        messages.labels(status).set(outbox.count(state, status))


def _of_report(registry: CollectorRegistry, report: RunReport) -> None:
    outcomes = Gauge("detector_outcome", "1 for the outcome of the last day.", ["outcome"], registry=registry)
    for outcome in Outcome:
        outcomes.labels(outcome.value).set(outcome is report.summary.outcome)
    judged = report.coverage.keys_judged
    _gauge(registry, "keys_judged", "Keys judged in the last day.", judged)
    _gauge(registry, "keys_not_judged", "Active keys not judged in it.", report.coverage.keys_active - judged)
    known = [source.accounting for source in report.sources if source.accounting is not None]
    if known:
        _of_accountings(registry, known)
    findings = Gauge("detector_findings", "Its open findings.", ["type", "severity"], registry=registry)
    counts = Counter(
        (finding.type, finding.severity.value)
        for finding in report.findings
        if finding.status not in (Status.RESOLVED, Status.MUTED)
    )
    for kind in sorted({*finding_types(), *(kind for kind, _ in counts)}):
        for severity in Severity:
            findings.labels(kind, severity.value).set(counts[kind, severity.value])


def _of_accountings(registry: CollectorRegistry, accountings: Sequence[Accounting]) -> None:
    records = Gauge("detector_source_records", "Records read for it.", ["state"], registry=registry)
    for accounting in accountings:
        records.labels("counted").inc(accounting.counted)
        records.labels("keyless").inc(accounting.keyless)
        records.labels("repeated").inc(accounting.repeated)
        records.labels("unusable").inc(accounting.unusable_records)


def _gauge(registry: CollectorRegistry, name: str, meaning: str, value: float) -> None:
    Gauge(f"detector_{name}", meaning, registry=registry).set(value)

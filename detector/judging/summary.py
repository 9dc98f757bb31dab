"""Builds the report of an evaluated day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pandas as pd

from detector.config.config import Config
from detector.judging import triage, verdict
from detector.judging.budget import spent
from detector.judging.coverage import coverage
from detector.judging.fleet import fleet_total
from detector.judging.judging import Judged
from detector.model.finding import Finding, Status
from detector.model.panel import Panel
from detector.model.report import Coverage, RunReport, SourceStatus, Summary, Trends
from detector.model.triage import Precision, TriageEntry
from detector.usage.aggregation import in_answer_order


def assemble(
    judged: Judged,
    config: Config,
    sources: Sequence[SourceStatus],
    *,
    run: Mapping[str, Any],
    generated_at: datetime,
    failures: Sequence[str] = (),
    entries: Sequence[TriageEntry] = (),
) -> RunReport:
    """The report of an evaluated day, with the triage ``entries`` applied to its findings.

    ``failures`` are the parts of the run that failed outside the evaluation.
    """
    day = judged.panel.day
    judged = replace(judged, findings=triage.apply(judged.findings, entries, day.date))
    covered = coverage(judged, config, (*failures, *judged.failures))
    return RunReport(
        day=day,
        organization=config.organization,
        generated_at=generated_at,
        run=run,
        sources=tuple(sources),
        coverage=covered,
        summary=_summary(judged, config, covered, triage.precision(entries, day.date)),
        findings=tuple(judged.findings),
        usage=in_answer_order(judged.panel.records),
        trends=_trends(judged.panel),
        policy=dict(config.detection.deployments),
        mutes=triage.mutes_in_force(judged.findings, entries, day.date),
    )


def verdict_on(judged: Judged, covered: Coverage) -> verdict.Verdict:
    """The verdict on an evaluated day, whose findings have their triage."""
    total_is_usual = fleet_total(judged.panel).is_usual
    return verdict.conclude(judged.findings, judged.problems, covered, total_is_usual=total_is_usual)


def _summary(judged: Judged, config: Config, coverage: Coverage, precision: Mapping[str, Precision]) -> Summary:
    active = [finding for finding in judged.findings if finding.status not in (Status.RESOLVED, Status.MUTED)]
    concluded = verdict_on(judged, coverage)
    return Summary(
        outcome=concluded.outcome,
        verdict=concluded.headline,
        subline=concluded.subline,
        open=len(active),
        raised=sum(finding.status.raised for finding in active),
        resolved=_with(judged.findings, Status.RESOLVED),
        by_severity=_counts([finding.severity.value for finding in active]),
        by_type=_counts([finding.type for finding in active]),
        by_status=_counts([finding.status.value for finding in judged.findings]),
        budget=spent(judged.judgements, judged.thresholds, judged.findings, config.detection.alerts_per_1000_keys),
        fleet=fleet_total(judged.panel),
        precision=precision,
    )


def _with(findings: Sequence[Finding], status: Status) -> int:
    return sum(finding.status is status for finding in findings)


def _counts(values: list[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _trends(panel: Panel) -> Trends:
    usage = in_answer_order(panel.records)
    rows = panel.keys.get_indexer(pd.Index(usage["key_id"]))
    return Trends(
        days=tuple(day.item() for day in panel.days),
        key_ids=tuple(usage["key_id"]),
        requests=panel.requests[rows],
        known=panel.known[rows],
        missing=panel.missing,
    )

"""From a judged day to the report: the verdict in words, the counts behind it, and what was not judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from detector.boundary.words import counted, singular_or_plural
from detector.config.config import Config
from detector.detectors.statistics.baseline import baseline, counts_of
from detector.judging import policy, triage
from detector.judging.judging import Judged
from detector.model.finding import Finding, Severity, Status
from detector.model.panel import Panel
from detector.model.report import Budget, Coverage, Fleet, NotJudged, RunReport, SourceStatus, Summary, Trends
from detector.model.triage import TriageEntry
from detector.usage.aggregation import in_answer_order

VOLUME = ("usage_spike", "unusual_pattern")
"""The judgements that say whether a key was judged at all, the first that there is."""
FLEET_BAND = 2.0
FEWEST_SAME_WEEKDAY = 4
_WORDS = (
    "No",
    "One",
    "Two",
    "Three",
    "Four",
    "Five",
    "Six",
    "Seven",
    "Eight",
    "Nine",
    "Ten",
    "Eleven",
    "Twelve",
)


def assemble(
    judged: Judged,
    config: Config,
    sources: Sequence[SourceStatus],
    *,
    run: Mapping[str, Any],
    generated_at: datetime,
    failures: Sequence[str] = (),
    said: Sequence[TriageEntry] = (),
) -> RunReport:
    """The report of a judged day with what people ``said`` laid over its findings.

    ``failures`` are parts of the run that failed outside the judging.
    """
    day = judged.panel.day
    judged = replace(judged, findings=triage.apply(judged.findings, said, day.date))
    coverage = _coverage(judged, config, (*failures, *judged.failures))
    return RunReport(
        day=day,
        organization=config.organization,
        generated_at=generated_at,
        run=run,
        sources=tuple(sources),
        coverage=coverage,
        summary=replace(_summary(judged, config, coverage), precision=triage.precision(said, day.date)),
        findings=tuple(judged.findings),
        usage=in_answer_order(judged.panel.records),
        trends=_trends(judged.panel),
        policy=dict(config.detection.deployments),
        mutes=triage.mutes_in_force(judged.findings, said, day.date),
    )


def _coverage(judged: Judged, config: Config, failures: tuple[str, ...]) -> Coverage:
    panel, records = judged.panel, judged.panel.records
    window = slice(-1 - config.detection.baseline_days, -1)
    has_register = bool(records["registered"].any())
    unregistered = records[~records["registered"] & (records["request_count"] > 0) & has_register]
    revoked = records[~records["active"] & (records["request_count"] > 0)]
    return Coverage(
        complete=judged.extent.complete,
        problems=tuple(problem.text for problem in judged.problems),
        keys_active=int(records["active"].sum()),
        keys_judged=_keys_judged(judged),
        not_judged=tuple(_not_judged(judged)),
        baseline_days=int((~panel.missing[window]).sum()),
        missing_days=tuple(day.item() for day in _gaps(panel, window)),
        unregistered_keys=tuple(unregistered["key_id"]),
        revoked_keys_in_use=tuple(revoked["key_id"]),
        withheld=judged.withheld,
        failures=failures,
        revisions=panel.revisions,
    )


def _gaps(panel: Panel, window: slice) -> np.ndarray[Any, np.dtype[np.datetime64]]:
    """The days nobody saw in the middle of the baseline; those before the first seen one are no gap."""
    seen_from = int(np.argmin(panel.missing)) if not panel.missing.all() else len(panel.missing)
    gaps = panel.missing & (np.arange(len(panel.missing)) >= seen_from)
    days: np.ndarray[Any, np.dtype[np.datetime64]] = panel.days[window][gaps[window]]
    return days


def volume_judgement(judged: Judged) -> pd.DataFrame | None:
    """How the day's volume was judged by the configured method; None where that failed."""
    return next((judged.judgements[kind] for kind in VOLUME if kind in judged.judgements), None)


def _keys_judged(judged: Judged) -> int:
    volume = volume_judgement(judged)
    if volume is None:
        return 0
    scored = volume["score"].notna()
    return int((scored & judged.panel.records["active"].to_numpy()).sum())


def _not_judged(judged: Judged) -> list[NotJudged]:
    """Active keys without a score, by detector and reason."""
    active = judged.panel.records["active"].to_numpy()
    groups = []
    for kind, frame in judged.judgements.items():
        unscored = frame[frame["score"].isna() & active]
        for reason, rows in unscored.groupby("not_judged", sort=True, dropna=False):
            groups.append(NotJudged(kind, str(reason), len(rows), tuple(rows.index)))
    return groups


def _summary(judged: Judged, config: Config, coverage: Coverage) -> Summary:
    active = [finding for finding in judged.findings if finding.status not in (Status.RESOLVED, Status.MUTED)]
    pressing = [finding for finding in active if finding.severity is not Severity.INFO]
    outcome = _outcome(pressing, coverage)
    return Summary(
        outcome=outcome,
        verdict=_verdict(outcome, pressing, coverage),
        subline=_subline(outcome, pressing, coverage, _with(judged.findings, Status.MUTED)),
        open=len(active),
        raised=sum(finding.status.raised for finding in active),
        resolved=_with(judged.findings, Status.RESOLVED),
        by_severity=_counts([finding.severity.value for finding in active]),
        by_type=_counts([finding.type for finding in active]),
        by_status=_counts([finding.status.value for finding in judged.findings]),
        budget=_budget(judged, config),
        fleet=_fleet(judged.panel),
    )


def _with(findings: Sequence[Finding], status: Status) -> int:
    return sum(finding.status is status for finding in findings)


def _counts(values: list[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _outcome(pressing: list[Finding], coverage: Coverage) -> str:
    """findings, clear or not_judged: silence is only an all-clear where the day was looked at."""
    if any(finding.key_id is not None for finding in pressing):
        return "findings"
    if not coverage.complete or coverage.keys_judged == 0:
        return "not_judged"
    return "findings" if pressing else "clear"


def _verdict(outcome: str, pressing: list[Finding], coverage: Coverage) -> str:
    if outcome == "clear":
        return "Nothing to look at"
    if outcome == "not_judged":
        return "The day could not be judged"
    keys = {finding.key_id for finding in pressing if finding.key_id is not None}
    if not keys:
        return "The data need a look"
    news = {finding.key_id for finding in pressing if finding.key_id is not None and finding.status.raised}
    need = f"{_number(len(keys))} {singular_or_plural(len(keys), 'key needs', 'keys need')} a look"
    if not news:
        return f"{need}, none of them new" if len(keys) > 1 else f"{need}, not new"
    if len(news) < len(keys):
        need += f", {_number(len(news)).lower()} of them new"
    return need if coverage.complete else f"{need}, and the data are incomplete"


def _subline(outcome: str, pressing: list[Finding], coverage: Coverage, muted: int) -> str:
    if outcome == "not_judged":
        if coverage.problems and not coverage.complete:
            return coverage.problems[0]
        if coverage.failures:
            return coverage.failures[0]
        if coverage.keys_active == 0:
            return "There is no active key."
        return f"None of {counted(coverage.keys_active, 'active key')} has enough history yet."
    if outcome == "clear":
        judged = f"{coverage.keys_judged:,} of {counted(coverage.keys_active, 'active key')}"
        were = singular_or_plural(coverage.keys_judged, "was", "were")
        days = counted(coverage.baseline_days, "day")
        return f"{judged} {were} judged against {days}, and {_standing_out(muted)}."
    raised = _titles([finding for finding in pressing if finding.status.raised])
    ongoing = _titles([finding for finding in pressing if not finding.status.raised])
    parts = [f"New: {raised}." if raised else "", f"Ongoing: {ongoing}." if ongoing else ""]
    return " ".join(part for part in parts if part)


def _standing_out(muted: int) -> str:
    """An all-clear over muted findings says that they are there."""
    if not muted:
        return "none stands out"
    return f"nothing stands out but {_number(muted).lower()} {singular_or_plural(muted, 'muted finding')}"


def _titles(findings: list[Finding]) -> str:
    counts = Counter(finding.title for finding in findings)
    return ", ".join(
        f"{title.lower()} ({count:,})" if count > 1 else title.lower() for title, count in counts.items()
    )


def _number(count: int) -> str:
    return _WORDS[count] if count < len(_WORDS) else f"{count:,}"


def _budget(judged: Judged, config: Config) -> Budget:
    raised = [
        finding for finding in judged.findings if finding.type in judged.thresholds and finding.status.raised
    ]
    thresholds = judged.thresholds
    scored = {kind: int(judged.judgements[kind]["score"].notna().sum()) for kind in thresholds}

    def named(factor: float) -> int:
        judgements = ((judged.judgements[kind], limit.at(factor)) for kind, limit in thresholds.items())
        return sum(len(policy.named(frame, score)) for frame, score in judgements)

    return Budget(
        alerts_per_1000_keys=config.detection.alerts_per_1000_keys,
        expected=round(sum(scored[kind] * limit.rate(limit.score) for kind, limit in thresholds.items()), 2),
        raised=len(raised),
        at_half=named(0.5),
        at_double=named(2),
        thresholds={kind: round(limit.score, 2) for kind, limit in thresholds.items()},
        calibrated=bool(thresholds) and all(limit.calibrated for limit in thresholds.values()),
    )


def _fleet(panel: Panel) -> Fleet:
    """The fleet's total against the same weekday of the days before, or all of them while there are few."""
    active = panel.records["active"].to_numpy()
    requests, errors = panel.requests[active].sum(axis=0), panel.errors[active].sum(axis=0)
    seen = ~panel.missing[:-1]
    weekday = (panel.days[-1] - panel.days[:-1]).astype(int) % 7 == 0
    chosen = seen & weekday if (seen & weekday).sum() >= FEWEST_SAME_WEEKDAY else seen
    usual = baseline(requests[None, :-1], chosen[None, :])
    expected, low, high = (
        None if np.isnan(value) else round(float(counts_of(value)[0]), 1)
        for value in (
            usual.mean,
            usual.mean - FLEET_BAND * usual.spread,
            usual.mean + FLEET_BAND * usual.spread,
        )
    )
    return Fleet(int(requests[-1]), int(errors[-1]), expected, low, high)


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

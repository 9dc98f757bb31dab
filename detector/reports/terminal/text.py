"""The report for a terminal: verdict, findings, coverage, and the paths of the report files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from detector.boundary.text import visible
from detector.boundary.words import counted
from detector.judging.finding_types import finding_type
from detector.judging.triage import mute_words
from detector.model.finding import FLEET, Finding, Severity, Status
from detector.model.report import RunReport
from detector.reports import accounts, counts, revisions, verdicts

MOST = 25
"""The terminal shows this many findings; the report files have all."""


def render(report: RunReport, files: Sequence[Path] = ()) -> str:
    """Render the day as plain lines. Findings of severity info are left out."""
    opened = [finding for finding in report.findings if finding.status not in (Status.RESOLVED, Status.MUTED)]
    alerts = [finding for finding in opened if finding.severity is not Severity.INFO]
    lines = [f"{report.summary.verdict}.", report.summary.subline, ""]
    for finding in alerts[:MOST]:
        lines += _finding(finding)
    if len(alerts) > MOST:
        lines += [f"... and {len(alerts) - MOST:,} more in the report.", ""]
    lines += _coverage(report) + _triage(report)
    lines += [f"Report      {path}" for path in files]
    return "\n".join(visible(line) for line in lines)


def _finding(finding: Finding) -> list[str]:
    head = f"{finding.severity.upper():8} {_subject(finding)} [{finding.status}]"
    lines = [head, f"         {finding.reason}"]
    if finding.acknowledged:
        lines.append(f"         {finding.acknowledged}")
    if finding.verdict:
        lines.append(f"         Verdict: {verdicts.WORDS[finding.verdict]}")
    if not finding.acknowledged:
        lines.append(f"         {verdicts.acknowledgement(finding)}")
    return [*lines, ""]


def _triage(report: RunReport) -> list[str]:
    """The muted findings, the mutes in force, and the verdicts on past findings."""
    muted = [finding for finding in report.findings if finding.status is Status.MUTED]
    lines = [f"Muted       {_subject(finding)}. {finding.reason} {finding.muted}" for finding in muted[:MOST]]
    if len(muted) > MOST:
        lines.append(f"Muted       ... and {len(muted) - MOST:,} more in the report")
    lines += [f"Mute {mute.id:<6} {mute_words(mute)}" for mute in report.mutes]
    return [*lines, *(f"Verdicts    {line}" for line in verdicts.lines(report.summary))]


def _subject(finding: Finding) -> str:
    subject = finding.key_id or FLEET
    if finding.name and finding.name != finding.key_id:
        subject += f" ({finding.name})"
    return f"{finding.title}: {subject}"


def _coverage(report: RunReport) -> list[str]:
    coverage = report.coverage
    state = "complete"
    if not coverage.complete:
        state = "incomplete: " + " ".join(coverage.problems[:1])
    lines = [
        f"Findings    {counts.sentence(report)}",
        f"Day         {report.day.date} ({report.day.timezone})",
        f"Data        {state}",
        f"Evaluated   {coverage.keys_judged:,} of {counted(coverage.keys_active, 'active key')} against "
        f"{counted(coverage.baseline_days, 'day')}",
        f"Chance      {counts.statistical(report.summary.budget)}",
    ]
    known = [source.accounting for source in report.sources if source.accounting is not None]
    lines += [f"Records     {accounts.sentence(accounting)}" for accounting in known]
    lines += [f"Late data   {line}" for line in revisions.lines(coverage)]
    lines += [
        f"Skipped     {counted(group.count, 'key')} for {finding_type(group.type).title.lower()}: {group.reason}"
        for group in coverage.not_judged
    ]
    return lines

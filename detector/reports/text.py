"""The report for a terminal: verdict, findings, coverage, and where the files lie."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from detector.model import Finding, RunReport, Severity, Status
from detector.reports import visible

MOST = 25


def render(report: RunReport, files: Sequence[Path] = ()) -> str:
    """The night in plain lines, most important first; at most ``MOST`` findings, the rest counted."""
    held = [finding for finding in report.findings if finding.status is not Status.RESOLVED]
    pressing = [finding for finding in held if finding.severity is not Severity.INFO]
    lines = [f"{report.summary.verdict}.", report.summary.subline, ""]
    lines += [line for finding in pressing[:MOST] for line in _finding(finding)]
    if len(pressing) > MOST:
        lines += [f"... and {len(pressing) - MOST:,} more in the report.", ""]
    lines += _receipt(report)
    lines += [f"Report      {path}" for path in files]
    return "\n".join(visible(line) for line in lines)


def _finding(finding: Finding) -> list[str]:
    subject = finding.key_id or "the whole fleet"
    name = f" ({finding.name})" if finding.name and finding.name != finding.key_id else ""
    head = f"{finding.severity.upper():8} {finding.title}: {subject}{name} [{finding.status}]"
    return [head, f"         {finding.reason}", ""]


def _receipt(report: RunReport) -> list[str]:
    coverage, budget = report.coverage, report.summary.budget
    state = "complete" if coverage.complete else "incomplete: " + " ".join(coverage.problems[:1])
    lines = [
        f"Night       {report.night.day} ({report.night.timezone})",
        f"Data        {state}",
        f"Judged      {coverage.keys_judged:,} of {coverage.keys_active:,} active keys against "
        f"{coverage.baseline_nights} nights",
        f"Budget      {budget.alerts_per_1000_keys:g} alarms per 1,000 keys by chance; "
        f"expected {budget.expected:g}, raised {budget.raised} "
        f"(half the budget {budget.at_half}, double {budget.at_double})",
    ]
    lines += [f"Not judged  {group.count:,} keys by {group.type}: {group.reason}" for group in coverage.not_judged]
    return lines

"""The day as ``report.html``: one file for people, complete without script, network or fonts.

This module turns a ``RunReport`` into the texts, rows and drawings of the page. The template only loops over them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np
from markupsafe import Markup

from detector.boundary.words import counted, singular_or_plural
from detector.judging.finding_types import finding_type
from detector.judging.triage import mute_words
from detector.model.day import Day
from detector.model.finding import Status
from detector.model.report import RunReport, SourceStatus
from detector.model.usage import Fault
from detector.reports import Reporter, accounts, counts, revisions, verdicts
from detector.reports.exports.json import plain, tool_version
from detector.reports.page import charts
from detector.reports.page.assets import assets, environment
from detector.reports.page.cards import cards, facets, heat_map, records
from detector.reports.page.formatting import local_time
from detector.reports.page.tables import deployments, has_data, unused_keys, usage_table

NAMED_KEYS = 12
FEW_VALUES = 8
"""Up to this many values of a facet are buttons; more values become a list."""


class HtmlReporter(Reporter):
    """Writes ``report.html``, a page that opens from a mail, a share or a disk."""

    filename = "report.html"
    media_type = "text/html; charset=utf-8"
    description = "for people: one file that needs no network and works without scripting"
    is_page = True

    def render(self, report: RunReport) -> str:
        """Render the whole page."""
        return environment().get_template("report.html.j2").render(page=page(report))


def page(report: RunReport) -> dict[str, Any]:
    """All values of the template, in the order in which the template shows them."""
    opened = [f for f in report.findings if f.status not in (Status.RESOLVED, Status.MUTED)]
    alarms = [f for f in opened if not finding_type(f.type).is_inventory]
    all_facets = facets(alarms)
    return {
        **assets("report.js"),
        "report": report,
        "banner": _banner(report),
        "facts": list(_facts(report)),
        "facets": [facet for facet in all_facets if len(facet.values) > 1],
        "cards": cards(report, alarms, all_facets),
        "warnings": _warnings(report),
        "alarms": len(alarms),
        "records": records(alarms),
        "heat": heat_map(report, alarms),
        "few": FEW_VALUES,
        "resolved": [f for f in report.findings if f.status == Status.RESOLVED],
        "muted": [f for f in report.findings if f.status == Status.MUTED],
        "precision": list(verdicts.lines(report.summary)),
        "remarks": [f for f in opened if finding_type(f.type).is_inventory],
        "fleet": _fleet(report),
        "table": usage_table(report),
        "has_data": has_data(report),
        "unused": unused_keys(report),
        "deployments": deployments(report),
        "policy_gaps": [g for g in report.coverage.not_judged if g.type == "environment_mismatch"],
        "accounts": list(_accounts(report)),
        "faults": list(_faults(report)),
        "receipt": list(_receipt(report)),
        "shown_keys": NAMED_KEYS,
    }


def _banner(report: RunReport) -> str:
    """The title of the warning at the top of the page; empty if there is no warning."""
    if not report.coverage.complete:
        return "The data are incomplete"
    if not report.summary.outcome.is_judged:
        return "Not everything was evaluated"
    return "A part of the run failed" if report.coverage.failures else ""


def _warnings(report: RunReport) -> list[str]:
    """The lines of the warning: what is wrong with the day, and what else failed."""
    coverage = report.coverage
    others = [f"Failed: {failure}" for failure in coverage.failures if failure not in coverage.problems]
    lines = [*coverage.problems, *others]
    if coverage.withheld:
        lines.append(f"Not reported for this day: {', '.join(coverage.withheld)}.")
    return lines


# Facts under the verdict


def _facts(report: RunReport) -> Iterator[tuple[str, str]]:
    """Four facts: whether the data are complete, the evaluated keys, the findings of statistics, all requests."""
    yield ("Complete" if report.coverage.complete else "Incomplete", _reach(report))
    yield _judged(report)
    yield _budget(report)
    requests = report.summary.fleet.requests
    yield f"{requests:,}", f"{singular_or_plural(requests, 'request')} over all keys, {_fleet_comparison(report)}"


def _reach(report: RunReport) -> str:
    answered = [source for source in report.sources if source.error is None]
    failed = len(report.sources) - len(answered)
    if failed:
        return f"{failed} of {counted(len(report.sources), 'source')} did not deliver"
    # The source whose data end first decides how far the day is covered.
    marks = [source.watermark for source in answered if source.watermark is not None]
    reach = _until(min(marks), report.day) if marks else "data"
    return f"{reach} from {counted(len(answered), 'source')}"


def _until(watermark: datetime, day: Day) -> str:
    if watermark >= day.end:
        return "data for the whole day"
    local = watermark.astimezone(day.timezone)
    if local.date() == day.date:
        return f"data to {local:%H:%M}"
    return f"data to {local_time(watermark, day)}"


def _judged(report: RunReport) -> tuple[str, str]:
    coverage = report.coverage
    gap = coverage.keys_active - coverage.keys_judged
    keys = singular_or_plural(coverage.keys_active, "key")
    note = f"{keys} evaluated, {gap:,} not evaluated" if gap else f"{keys} evaluated"
    return f"{coverage.keys_judged:,} of {coverage.keys_active:,}", note


def _budget(report: RunReport) -> tuple[str, str]:
    budget = report.summary.budget
    found = singular_or_plural(budget.raised, "new finding rests", "new findings rest")
    return f"{budget.raised:,}", f"{found} on statistics; {counts.by_chance(budget)}"


def _fleet_comparison(report: RunReport) -> str:
    fleet = report.summary.fleet
    if not report.coverage.keys_judged:
        return "not evaluated"
    if fleet.low is None or fleet.high is None:
        return "without history to compare"
    if fleet.requests > fleet.high:
        return f"above the expected maximum of {charts.number(fleet.high)}"
    if fleet.requests < fleet.low:
        return f"below the expected minimum of {charts.number(fleet.low)}"
    return "within the usual range"


# The fleet


def _fleet(report: RunReport) -> Markup:
    trends = report.trends
    fleet = report.summary.fleet
    if not trends.key_ids:
        return Markup("")
    first = int(np.argmax(trends.known.any(axis=0)))  # the first day on which any key existed
    totals = [None] * first + [int(count) for count in trends.requests.sum(axis=0)[first:]]
    missing = trends.missing.tolist()
    series = charts.Series(trends.days, totals, missing, fleet.expected, fleet.low, fleet.high)
    return charts.days_chart(series, "Requests of all keys per day", "fleet-chart")


# The accounting of the sources


def _accounts(report: RunReport) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The accounting of every source: its line, and its rows where not all records were counted."""
    for source in report.sources:
        if source.accounting is None:
            continue
        line = f"{accounts.sentence(source.accounting)}."
        if len(report.sources) > 1:
            line = f"Source {source.name}: {line}"
        rows = list(accounts.rows(source.accounting))
        yield line, rows if len(rows) > 1 else []


def _faults(report: RunReport) -> Iterator[tuple[Fault, str]]:
    """Every fault, and what became of its records."""
    for source in report.sources:
        for fault in source.faults:
            unknown = "" if fault.dated else "; their day is unknown"
            yield fault, f"{accounts.became(fault)}, in source {source.name}{unknown}."


# Environment policy and receipt


def _receipt(report: RunReport) -> Iterator[tuple[str, str]]:
    """The facts that are needed to repeat the run: data, versions, settings and thresholds."""
    day = report.day
    budget = report.summary.budget
    yield "Findings", counts.sentence(report)
    yield "Day", f"{plain(day.start)} to {plain(day.end)} ({day.timezone.key})"
    yield "Generated", str(plain(report.generated_at))
    yield "Version", f"detector {tool_version()}"
    for name, value in plain(report.run).items():
        yield name.replace("_", " ").capitalize(), str(value)
    for source in report.sources:
        yield f"Source {source.name}", _source(source, day)
    yield "History", f"{counted(report.coverage.baseline_days, 'day')} before the evaluated day"
    for number, line in enumerate(revisions.lines(report.coverage), start=1):
        yield f"Late data {number}", line
    allowed = charts.number(budget.alerts_per_1000_keys)
    yield "Alert budget", f"{allowed} by chance per 1,000 keys on an ordinary day (detection.alerts_per_1000_keys)"
    half = counted(budget.at_half, "key")
    yield "Other budgets", f"half the budget names {half}, double the budget names {budget.at_double:,}"
    for name, limit in sorted(budget.thresholds.items()):
        yield f"Threshold, {finding_type(name).title.lower()}", f"score {limit:.3g}"
    for mute in report.mutes:
        yield f"Mute {mute.id}", mute_words(mute)


def _source(source: SourceStatus, day: Day) -> str:
    reach = "end of the data unknown"
    if source.watermark:
        reach = f"data to {local_time(source.watermark, day)}"
    return f"{source.kind}, {source.shape}, {source.error or reach}"

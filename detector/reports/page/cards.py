"""The findings of the page: one card per key, the facets to filter by, and the records to copy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from detector.boundary.text import LONGEST_TEXT, in_every_text, shortened
from detector.boundary.words import long_day
from detector.judging.finding_types import finding_type
from detector.model.finding import Finding, Status
from detector.model.report import RunReport
from detector.reports import verdicts
from detector.reports.exports.json import escaped, finding_record
from detector.reports.page import charts, compact_charts
from detector.reports.page.series import key_series

OPEN_CARDS = 12
"""This many cards are open. Later cards show their first lines, and the rest on demand."""
ENDPOINT_CHARTS = 25
"""This many cards have a chart of their endpoints. Later cards only say in words what changed."""
HEAT_ROWS = 40
FEWEST_HEAT_ROWS = 3
"""With fewer keys there is no heat map, because their own charts show them at a glance."""
NOT_COPIED = {"endpoints_usual", "endpoints_observed"}
"""Fields that are too large for a second copy on the page."""


@dataclass(frozen=True)
class Entry:
    """One finding of a card. ``marks`` are its filter values; ``triage`` are the sentences of people about it."""

    finding: Finding
    status: str
    marks: str
    numbers: list[tuple[str, str]]
    triage: list[str]
    acknowledgement: str
    """The command that acknowledges the finding; empty where it is acknowledged."""


@dataclass(frozen=True)
class Card:
    """All open findings of one key, the most severe first; ``key_id`` None is the whole fleet."""

    lead: Entry
    others: list[Entry]
    chart: Markup
    has_range: bool
    endpoint_chart: Markup
    shares: list[charts.EndpointShare]
    folded: bool


@dataclass(frozen=True)
class Facet:
    """One property to filter by. Each value has a mark, a label and the number of its findings."""

    name: str
    values: list[tuple[str, str, int]]


@dataclass(frozen=True)
class HeatRow:
    """One key of the heat map; ``finding_id`` is its most severe finding."""

    name: str
    finding_id: str
    severity: str
    cells: Markup


def cards(report: RunReport, alarms: Sequence[Finding], all_facets: Sequence[Facet]) -> list[Card]:
    """One card for each key with alarms, in the order of the alarms."""
    positions = {key_id: i for i, key_id in enumerate(report.trends.key_ids)}
    marks = {}
    for facet in all_facets:
        for mark, label, _ in facet.values:
            marks[facet.name, label] = mark
    return [_card(report, group, positions, marks, number) for number, group in enumerate(_by_key(alarms))]


def heat_map(report: RunReport, alarms: Sequence[Finding]) -> list[HeatRow]:
    """The daily requests of the keys with findings, to show what happened on several keys on one day."""
    positions = {key_id: i for i, key_id in enumerate(report.trends.key_ids)}
    groups = [group for group in _by_key(alarms) if group[0].key_id in positions]
    if len(groups) < FEWEST_HEAT_ROWS:
        return []
    return [_heat_row(report, group[0], positions[group[0].key_id or ""]) for group in groups[:HEAT_ROWS]]


def facets(alarms: Sequence[Finding]) -> list[Facet]:
    """The facets in a fixed order, with the values that occur among the alarms."""
    counts: dict[str, dict[str, int]] = {"Severity": {}, "Status": {}, "Kind": {}, "Team": {}, "Environment": {}}
    for finding in alarms:
        for name, value in _facet_values(finding):
            counts[name][value] = counts[name].get(value, 0) + 1
    result = []
    # A mark is a letter and a number, because a value may hold spaces and any other character.
    for letter, (name, values) in zip("abcde", counts.items(), strict=True):
        facet = Facet(name, [])
        for position, (value, count) in enumerate(values.items()):
            facet.values.append((f"{letter}{position}", value, count))
        result.append(facet)
    return result


def records(alarms: Sequence[Finding]) -> Markup:
    """The findings' records for the script: the field names once, then a list of values for each finding."""
    names: list[str] = []
    rows = []
    for finding in alarms:
        record = {name: value for name, value in finding_record(finding).items() if name not in NOT_COPIED}
        names = list(record)
        rows.append([in_every_text(value, _shown) for value in record.values()])
    return data_block({"names": names, "rows": rows})


def data_block(value: Any) -> Markup:
    """JSON for the inside of a script element. No text in the JSON can end the element."""
    text = escaped(json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")))
    # A browser ends a script element at "</script" inside a JSON text, too.
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704  the loop above replaced all characters of markup


def _shown(text: str) -> str:
    return shortened(text, LONGEST_TEXT)


def _by_key(alarms: Sequence[Finding]) -> list[list[Finding]]:
    """Group findings by key, the most severe first in each group. The groups keep the order of the alarms."""
    groups: dict[str | None, list[Finding]] = {}
    for finding in alarms:
        groups.setdefault(finding.key_id, []).append(finding)
    return [sorted(group, key=lambda finding: -finding.severity.rank) for group in groups.values()]


def _card(
    report: RunReport,
    group: Sequence[Finding],
    positions: Mapping[str, int],
    marks: Mapping[tuple[str, str], str],
    number: int,
) -> Card:
    lead, *others = [_entry(finding, marks) for finding in group]
    name = group[0].heading
    folded = number >= OPEN_CARDS
    series = _card_series(report, group, positions)
    chart = Markup("")
    if series is not None:
        # A page may have hundreds of folded cards; their compact charts keep it small.
        draw = compact_charts.compact_days_chart if folded else charts.days_chart
        chart = draw(series, f"Requests of {name} per day", f"c{number}")
    shares: list[charts.EndpointShare] = []
    endpoint_chart = Markup("")
    if number < ENDPOINT_CHARTS:
        shares = charts.endpoint_shares(*_endpoint_counts(group))
    if shares:
        endpoint_chart = charts.endpoint_chart(shares, f"Endpoints of {name}", f"c{number}-mix")
    return Card(
        lead=lead,
        others=others,
        chart=chart,
        has_range=series is not None and series.has_range,
        endpoint_chart=endpoint_chart,
        shares=shares,
        folded=folded,
    )


def _card_series(
    report: RunReport, group: Sequence[Finding], positions: Mapping[str, int]
) -> charts.Series | None:
    """The key's daily requests, with the expected range of its first finding about the number of requests.

    None for the fleet, which has its own chart further down the page, and for keys that are not active.
    """
    position = positions.get(group[0].key_id or "")
    if position is None:
        return None
    volume_findings = (finding for finding in group if finding_type(finding.type).counts_requests)
    return key_series(report, position, next(volume_findings, None))


def _endpoint_counts(group: Sequence[Finding]) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """The usual and the observed requests by endpoint, from the first finding that has both."""
    for finding in group:
        if finding.endpoints_usual and finding.endpoints_observed:
            return finding.endpoints_usual, finding.endpoints_observed
    return {}, {}


def _heat_row(report: RunReport, worst: Finding, position: int) -> HeatRow:
    series = key_series(report, position).last(56)
    cells = compact_charts.heat_map_row(series, f"Requests of {worst.heading} per day")
    return HeatRow(worst.heading, worst.finding_id, str(worst.severity), cells)


def _entry(finding: Finding, marks: Mapping[tuple[str, str], str]) -> Entry:
    own_marks = " ".join(marks[facet] for facet in _facet_values(finding))
    command = "" if finding.acknowledged else verdicts.acknowledgement(finding)
    return Entry(finding, _status(finding), own_marks, list(_numbers(finding)), list(_triage(finding)), command)


def _triage(finding: Finding) -> Iterator[str]:
    """Sentences about the acknowledgement and the verdict of a finding."""
    if finding.acknowledged:
        yield finding.acknowledged
    if finding.verdict:
        yield f"Verdict: {verdicts.WORDS[finding.verdict]}"


def _status(finding: Finding) -> str:
    words = {
        Status.NEW: "new",
        Status.REOPENED: f"reopened, episode {finding.episode}",
        Status.ESCALATED: f"escalated, day {finding.days}",
        Status.ONGOING: f"ongoing, day {finding.days}",
    }
    return words.get(finding.status, str(finding.status))


def _numbers(finding: Finding) -> Iterator[tuple[str, str]]:
    """The numbers behind the reason of a finding."""
    yield "Observed", charts.number(finding.observed)
    yield "Expected", charts.number(finding.expected)
    yield "Usual range", f"{charts.number(finding.low)} to {charts.number(finding.high)}"
    components = ", ".join(f"{value:+.1f} {name}" for name, value in finding.terms.items())
    yield "Score", charts.number(finding.score) + (f" = {components}" if components else "")
    yield "First seen", long_day(finding.first_seen)
    yield "Episode", str(finding.episode)
    yield "Finding id", finding.finding_id


def _facet_values(finding: Finding) -> list[tuple[str, str]]:
    return [
        ("Severity", str(finding.severity).capitalize()),
        ("Status", str(finding.status).capitalize()),
        ("Kind", finding_type(finding.type).title),
        ("Team", finding.team or "no team"),
        ("Environment", finding.environment or "unknown"),
    ]

"""The findings of the page: a card a key, the ways to narrow them, and their records for copying."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from detector.boundary.text import LONGEST_TEXT
from detector.boundary.words import long_day
from detector.model.finding import Finding, Status
from detector.model.report import RunReport
from detector.reports import verdicts
from detector.reports.exports.json import escaped, finding_record
from detector.reports.kinds import title
from detector.reports.page import charts, sketches
from detector.reports.page.series import key_series

OPEN_CARDS = 12
"""Cards told in full; those after them show their first lines and disclose the rest."""
MIXED_CARDS = 25
"""Cards with their endpoint mix drawn; the others say in words what changed."""
HEAT_ROWS = 40
FEWEST_HEAT_ROWS = 3
"""Findings on fewer keys are seen at a glance in their own charts."""
VOLUME_TYPES = {"usage_spike", "unusual_pattern", "dormant_wake", "new_key_burst", "went_silent"}
"""Types whose expected range counts requests a day, so that it may be drawn behind the bars."""
NOT_COPIED = {"endpoints_usual", "endpoints_observed"}
"""Fields of a finding too large to stand on the page once more."""


@dataclass(frozen=True)
class Entry:
    """One finding as its card tells it; ``marks`` are the filter values it answers to, ``said`` is triage."""

    finding: Finding
    status: str
    marks: str
    numbers: list[tuple[str, str]]
    said: list[str]


@dataclass(frozen=True)
class Card:
    """All open findings of one key, the most severe first; ``key_id`` None is the whole fleet."""

    lead: Entry
    others: list[Entry]
    chart: Markup
    banded: bool
    mix: Markup
    shares: list[charts.Share]
    folded: bool


@dataclass(frozen=True)
class Facet:
    """One way to narrow the findings: its values, each with its mark, label and number of findings."""

    name: str
    values: list[tuple[str, str, int]]


@dataclass(frozen=True)
class HeatRow:
    """One key of the heat map; ``finding_id`` is the worst finding on it."""

    name: str
    finding_id: str
    severity: str
    cells: Markup


def cards(report: RunReport, alarms: Sequence[Finding], ways: Sequence[Facet]) -> list[Card]:
    """A card for every key among the alarms, in the order of their worst findings."""
    positions = {key_id: i for i, key_id in enumerate(report.trends.key_ids)}
    marks = {(facet.name, label): mark for facet in ways for mark, label, _ in facet.values}
    return [_card(report, group, positions, marks, number) for number, group in enumerate(_by_key(alarms))]


def heat_map(report: RunReport, alarms: Sequence[Finding]) -> list[HeatRow]:
    """The keys with findings, day by day, so that what happened together is seen together."""
    positions = {key_id: i for i, key_id in enumerate(report.trends.key_ids)}
    groups = [group for group in _by_key(alarms) if group[0].key_id in positions]
    if len(groups) < FEWEST_HEAT_ROWS:
        return []
    return [_heat_row(report, group[0], positions[group[0].key_id or ""]) for group in groups[:HEAT_ROWS]]


def facets(alarms: Sequence[Finding]) -> list[Facet]:
    """Severity, status, kind, team and environment with the values that occur that day, in a fixed order."""
    found: dict[str, dict[str, int]] = {"Severity": {}, "Status": {}, "Kind": {}, "Team": {}, "Environment": {}}
    for finding in alarms:
        for name, value in _facet_values(finding):
            found[name][value] = found[name].get(value, 0) + 1
    return [
        Facet(name, [(f"{letter}{i}", value, n) for i, (value, n) in enumerate(values.items())])
        for letter, (name, values) in zip("abcde", found.items(), strict=True)
    ]


def records(alarms: Sequence[Finding]) -> Markup:
    """The findings' records as the script reads them: names once, then a list of values for each finding."""
    rows = [
        {name: _short(value) for name, value in finding_record(finding).items() if name not in NOT_COPIED}
        for finding in alarms
    ]
    names = list(rows[0]) if rows else []
    return data_block({"names": names, "rows": [list(row.values()) for row in rows]})


def data_block(value: Any) -> Markup:
    """JSON that may stand within a script element: nothing in it can end the element."""
    text = escaped(json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704  all that markup is made of was just replaced


def _short(value: Any) -> Any:
    """A text cut to what the page would show of it, also within lists."""
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return value[: LONGEST_TEXT - 1] + "…"
    if isinstance(value, list):
        return [_short(item) for item in value]
    return {name: _short(item) for name, item in value.items()} if isinstance(value, dict) else value


def _by_key(alarms: Sequence[Finding]) -> list[list[Finding]]:
    """Findings by key, each group with its worst first, the groups as they were met."""
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
    shares = charts.shares(*_mixes(group)) if number < MIXED_CARDS else []
    series = _card_series(report, group, positions)
    name = group[0].heading
    drawing = charts.days_chart if number < OPEN_CARDS else sketches.sketch
    return Card(
        lead=lead,
        others=others,
        chart=drawing(series, f"Requests of {name} per day", f"c{number}") if series else Markup(""),
        banded=series is not None and series.banded,
        mix=charts.mix_chart(shares, f"Endpoints of {name}", f"c{number}-mix") if shares else Markup(""),
        shares=shares,
        folded=number >= OPEN_CARDS,
    )


def _card_series(
    report: RunReport, group: Sequence[Finding], positions: Mapping[str, int]
) -> charts.Series | None:
    """The key's days, with the range of the first finding that is about their number.

    None for the fleet, which has its own chart further down, and for keys that are not active.
    """
    position = positions.get(group[0].key_id or "")
    if position is None:
        return None
    return key_series(report, position, next((f for f in group if f.type in VOLUME_TYPES), None))


def _mixes(group: Sequence[Finding]) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """The first endpoint mix among a key's findings; nothing without both sides of it."""
    both = (f for f in group if f.endpoints_usual and f.endpoints_observed)
    return next(((f.endpoints_usual, f.endpoints_observed) for f in both), ({}, {}))


def _heat_row(report: RunReport, worst: Finding, position: int) -> HeatRow:
    series = key_series(report, position).last(56)
    cells = sketches.heat(series, f"Requests of {worst.heading} per day")
    return HeatRow(worst.heading, worst.finding_id, str(worst.severity), cells)


def _entry(finding: Finding, marks: Mapping[tuple[str, str], str]) -> Entry:
    own = " ".join(marks[facet] for facet in _facet_values(finding))
    return Entry(finding, _life(finding), own, list(_numbers(finding)), list(_said(finding)))


def _said(finding: Finding) -> Iterator[str]:
    """What people said of a finding."""
    if finding.acknowledged:
        yield finding.acknowledged
    if finding.verdict:
        yield f"Verdict: {verdicts.WORDS[finding.verdict]}"


def _life(finding: Finding) -> str:
    words = {
        Status.NEW: "new",
        Status.REOPENED: f"back, episode {finding.episode}",
        Status.ESCALATED: f"worse, day {finding.days}",
        Status.ONGOING: f"ongoing, day {finding.days}",
    }
    return words.get(finding.status, str(finding.status))


def _numbers(finding: Finding) -> Iterator[tuple[str, str]]:
    """The figures behind the sentence, for whoever asks."""
    yield "Observed", charts.number(finding.observed)
    yield "Expected", charts.number(finding.expected)
    yield "Usual range", f"{charts.number(finding.low)} to {charts.number(finding.high)}"
    parts = " ".join(f"{value:+.1f} {name}," for name, value in finding.terms.items()).rstrip(",")
    yield "Score", charts.number(finding.score) + (f" = {parts}" if parts else "")
    yield "First seen", long_day(finding.first_seen)
    yield "Episode", str(finding.episode)
    yield "Finding id", finding.finding_id


def _facet_values(finding: Finding) -> list[tuple[str, str]]:
    return [
        ("Severity", str(finding.severity).capitalize()),
        ("Status", str(finding.status).capitalize()),
        ("Kind", title(finding.type)),
        ("Team", finding.team or "no team"),
        ("Environment", finding.environment or "unknown"),
    ]

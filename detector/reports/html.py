"""The night as ``report.html``: one file for people, complete without script, network or fonts.

This module turns a ``RunReport`` into the words, rows and drawings of the page; the template only loops
over them. Whatever a customer can name reaches the page through one door, ``Environment.finalize``,
which spells out invisible characters before autoescaping takes care of markup.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import templates
from detector.aggregation import local_days, map_of
from detector.model import Finding, Night, RunReport, Severity, SourceStatus, Status
from detector.reports import Reporter, charts, counts, revisions, verdicts, visible
from detector.reports.json import plain, tool_version
from detector.triage import mute_words

TABLE_ROWS = 1000
"""Rows of the by-key table; what is beyond is counted on the page and stands in ``report.json``."""
VISIBLE_ROWS = 25
UNUSED_ROWS = 200
CHARTED_CARDS = 100
"""Cards with a chart; on a night with more findings the rest keep every word and lose the picture."""
NAMED_KEYS = 12
DEPLOYMENTS = 20

VOLUME_TYPES = {"usage_spike", "unusual_pattern", "dormant_wake", "new_key_burst", "went_silent"}
"""Types whose expected range counts requests a night, so that it may be drawn behind the bars."""
INVENTORY_TYPES = {"name_mismatch"}
"""Types that are remarks on the register, not alarms: they get a line, not a card."""

KINDS = {
    "usage_spike": ("Usage spike", "spike"),
    "unusual_pattern": ("Unusual pattern", "unusual"),
    "dormant_wake": ("Dormant key woke", "woke"),
    "environment_mismatch": ("Environment mismatch", "mismatch"),
    "name_mismatch": ("Name contradicts environment", "name"),
    "error_surge": ("Error surge", "errors"),
    "endpoint_shift": ("Endpoint shift", "endpoints"),
    "new_key_burst": ("Young key, heavy use", "young"),
    "revoked_key_use": ("Revoked key in use", "revoked"),
    "went_silent": ("Went silent", "silent"),
    "fleet_shift": ("Fleet shift", "fleet"),
    "data_quality": ("Data quality", "data"),
}
"""Type to its name and to the one word of its tag in the table."""


class HtmlReporter(Reporter):
    """Writes ``report.html``, a page that can be opened from a mail, a share or a disk."""

    filename = "report.html"

    def render(self, report: RunReport) -> str:
        """The whole page as text."""
        return _environment().get_template("report.html.j2").render(page=page(report))


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


@dataclass(frozen=True)
class Tag:
    """A word in the table that leads to the finding it stands for."""

    word: str
    severity: str
    finding_id: str


@dataclass(frozen=True)
class Row:
    """One key of the by-key table. ``used`` is the instant to sort by, ``last`` the words for it."""

    key_id: str
    name: str
    environment: str
    team: str
    requests: int
    errors: str
    error_share: float
    last: str
    used: str
    silent: str
    tags: list[Tag]
    spark: Markup
    severity: str


@dataclass(frozen=True)
class Facet:
    """One way to narrow the findings: its values, each with its mark, label and number of findings."""

    name: str
    values: list[tuple[str, str, int]]


def _banner(report: RunReport) -> str:
    """The title over what must be known before anything else is believed; none when all is in order."""
    if not report.coverage.complete:
        return "The data is not complete"
    return "A part of the run failed" if report.coverage.failures else ""


def page(report: RunReport) -> dict[str, Any]:
    """Everything the template says, in the order it says it."""
    opened = [f for f in report.findings if f.status not in (Status.RESOLVED, Status.MUTED)]
    alarms = [f for f in opened if f.type not in INVENTORY_TYPES]
    facets = _facets(alarms)
    return {
        **_assets(),
        "report": report,
        "banner": _banner(report),
        "facts": list(_facts(report)),
        "facets": [facet for facet in facets if len(facet.values) > 1],
        "cards": _cards(report, alarms, facets),
        "alarms": len(alarms),
        "resolved": [f for f in report.findings if f.status == Status.RESOLVED],
        "muted": [f for f in report.findings if f.status == Status.MUTED],
        "precision": list(verdicts.lines(report.summary)),
        "remarks": [f for f in opened if f.type in INVENTORY_TYPES],
        "fleet": _fleet(report),
        "table": _table(report),
        "seen": _seen(report),
        "unused": _unused(report),
        "deployments": _deployments(report),
        "policy_gaps": [g for g in report.coverage.not_judged if g.type == "environment_mismatch"],
        "receipt": list(_receipt(report)),
        "shown_keys": NAMED_KEYS,
    }


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_folder()),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": charts.number,
        "day": charts.long_day,
        "short_day": charts.short_day,
        "kind": kind,
        "counted": _counted,
        "verdict": verdicts.WORDS.get,
    }
    return environment


def _folder() -> Path:
    return Path(next(iter(templates.__path__)))


def _shown(value: object) -> object:
    """The one door for text: invisible characters spelled out, our own markup left alone."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value


@cache
def _assets() -> dict[str, Markup]:
    """The style sheet and the script with the hashes that let the page, and nothing else, run them."""
    style, script = ((_folder() / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = {"style": style, "script": script, "csp": policy}
    return {name: Markup(text) for name, text in parts.items()}  # noqa: S704  our own files


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def kind(name: str) -> str:
    """The plain name of a finding type; a type of somebody's own detector is named by itself."""
    return KINDS[name][0] if name in KINDS else name.replace("_", " ").capitalize()


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


# Facts under the verdict


def _facts(report: RunReport) -> Iterator[tuple[str, str]]:
    """Is the data complete, how many keys were judged, what the budget was, what the fleet did."""
    yield ("Complete" if report.coverage.complete else "Incomplete", _reach(report))
    yield _judged(report)
    yield _budget(report)
    yield (f"{report.summary.fleet.requests:,}", f"requests over all keys, {_mood(report)}")


def _reach(report: RunReport) -> str:
    answered = [source for source in report.sources if source.error is None]
    failed = len(report.sources) - len(answered)
    if failed:
        return f"{failed} of {_counted(len(report.sources), 'source')} did not deliver"
    marks = [source.watermark for source in answered if source.watermark is not None]
    reach = _until(min(marks), report.night) if marks else "data"
    return f"{reach} from {_counted(len(answered), 'source')}"


def _until(watermark: datetime, night: Night) -> str:
    if watermark >= night.end:
        return "data for the whole night"
    local = watermark.astimezone(night.timezone)
    return f"data to {local:%H:%M}" if local.date() == night.day else f"data to {_moment(watermark, night)}"


def _judged(report: RunReport) -> tuple[str, str]:
    coverage = report.coverage
    gap = coverage.keys_active - coverage.keys_judged
    note = f"keys judged, {gap:,} could not be" if gap else "keys judged, all of them"
    return f"{coverage.keys_judged:,} of {coverage.keys_active:,}", note


def _budget(report: RunReport) -> tuple[str, str]:
    budget = report.summary.budget
    basis = "" if budget.calibrated else "; default limits while history is short"
    note = f"raised by the statistical rules; about {charts.number(budget.expected)} expected by chance"
    return _counted(budget.raised, "alarm"), note + basis


def _mood(report: RunReport) -> str:
    fleet = report.summary.fleet
    if not report.coverage.keys_judged:
        return "not judged"
    if fleet.low is None or fleet.high is None:
        return "with no history to compare"
    if fleet.requests > fleet.high:
        return f"more than the {charts.number(fleet.high)} expected at most"
    if fleet.requests < fleet.low:
        return f"less than the {charts.number(fleet.low)} expected at least"
    return "within what is usual"


# Findings


def _cards(report: RunReport, alarms: Sequence[Finding], facets: Sequence[Facet]) -> list[Card]:
    groups: dict[str | None, list[Finding]] = {}
    for finding in alarms:
        groups.setdefault(finding.key_id, []).append(finding)
    positions = {key_id: i for i, key_id in enumerate(report.trends.key_ids)}
    marks = {(facet.name, label): mark for facet in facets for mark, label, _ in facet.values}
    return [
        _card(report, group, positions, marks, f"c{i}", charted=i < CHARTED_CARDS)
        for i, group in enumerate(groups.values())
    ]


def _card(
    report: RunReport,
    group: Sequence[Finding],
    positions: Mapping[str, int],
    marks: Mapping[tuple[str, str], str],
    card_id: str,
    *,
    charted: bool,
) -> Card:
    group = sorted(group, key=lambda finding: -finding.severity.rank)
    lead, *others = [_entry(finding, marks) for finding in group]
    shares = charts.shares(*_mixes(group)) if charted else []
    series = _key_series(report, group, positions) if charted else None
    name = _name(group[0])
    return Card(
        lead=lead,
        others=others,
        chart=charts.nights_chart(series, f"Requests of {name} per night", card_id) if series else Markup(""),
        banded=series is not None and series.banded,
        mix=charts.mix_chart(shares, f"Endpoints of {name}", f"{card_id}-mix") if shares else Markup(""),
        shares=shares,
    )


def _mixes(group: Sequence[Finding]) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """The first endpoint mix among a key's findings; nothing without both sides of it."""
    both = (f for f in group if f.endpoints_usual and f.endpoints_tonight)
    return next(((f.endpoints_usual, f.endpoints_tonight) for f in both), ({}, {}))


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
        Status.NEW: "new tonight",
        Status.REOPENED: f"back tonight, episode {finding.episode}",
        Status.ESCALATED: f"worse tonight, night {finding.nights}",
        Status.ONGOING: f"ongoing, night {finding.nights}",
    }
    return words.get(finding.status, str(finding.status))


def _numbers(finding: Finding) -> Iterator[tuple[str, str]]:
    """The figures behind the sentence, for whoever asks."""
    yield "Observed", charts.number(finding.observed)
    yield "Expected", charts.number(finding.expected)
    yield "Usual range", f"{charts.number(finding.low)} to {charts.number(finding.high)}"
    parts = " ".join(f"{value:+.1f} {name}," for name, value in finding.terms.items()).rstrip(",")
    yield "Score", charts.number(finding.score) + (f" = {parts}" if parts else "")
    yield "First seen", charts.long_day(finding.first_seen)
    yield "Last seen", charts.long_day(finding.last_seen)
    yield "Episode", str(finding.episode)
    yield "Finding id", finding.finding_id


def _name(finding: Finding) -> str:
    return finding.name or finding.key_id or "The whole fleet"


def _facets(alarms: Sequence[Finding]) -> list[Facet]:
    """Severity, status, kind and team with the values that occur tonight, in a fixed order."""
    counts: dict[str, dict[str, int]] = {"Severity": {}, "Status": {}, "Kind": {}, "Team": {}}
    for finding in alarms:
        for name, value in _facet_values(finding):
            counts[name][value] = counts[name].get(value, 0) + 1
    return [
        Facet(name, [(f"{name.lower()}-{i}", value, n) for i, (value, n) in enumerate(values.items())])
        for name, values in counts.items()
    ]


def _facet_values(finding: Finding) -> list[tuple[str, str]]:
    return [
        ("Severity", str(finding.severity).capitalize()),
        ("Status", str(finding.status).capitalize()),
        ("Kind", kind(finding.type)),
        ("Team", finding.team or "no team"),
    ]


def _key_series(report: RunReport, group: Sequence[Finding], positions: Mapping[str, int]) -> charts.Series | None:
    """The key's nights, with the range of the first finding that is about their number.

    None for the fleet, which has its own chart further down, and for keys that are not active.
    """
    position = positions.get(group[0].key_id or "")
    if position is None:
        return None
    return _series(report, position, next((f for f in group if f.type in VOLUME_TYPES), None))


def _series(report: RunReport, position: int, about: Finding | None = None) -> charts.Series:
    trends = report.trends
    counts = [
        n if known else None
        for n, known in zip(trends.requests[position].tolist(), trends.known[position].tolist(), strict=True)
    ]
    limits = (about.expected, about.low, about.high) if about else (None, None, None)
    return charts.Series(trends.nights, counts, trends.missing.tolist(), *limits)


# The fleet


def _fleet(report: RunReport) -> Markup:
    trends, fleet = report.trends, report.summary.fleet
    if not trends.key_ids:
        return Markup("")
    born = int(np.argmax(trends.known.any(axis=0)))
    totals = [None] * born + [int(count) for count in trends.requests.sum(axis=0)[born:]]
    limits = (fleet.expected, fleet.low, fleet.high)
    series = charts.Series(trends.nights, totals, trends.missing.tolist(), *limits)
    return charts.nights_chart(series, "Requests of all keys per night", "fleet-chart")


# Usage by key


def _table(report: RunReport) -> dict[str, Any]:
    """The rows to show, those to disclose, and the number of those that are only counted."""
    tags = _tags(report.findings)
    owns = report.usage["key_id"].isin(list(tags)).to_numpy()
    chosen = np.flatnonzero(owns | (np.arange(len(owns)) < TABLE_ROWS))
    positions = {key_id: i for i, key_id in enumerate(report.trends.key_ids)}
    rows = [_row(report, record, tags, positions) for record in report.usage.iloc[chosen].to_dict("records")]
    return {
        "first": rows[:VISIBLE_ROWS],
        "more": rows[VISIBLE_ROWS:],
        "nights": len(report.trends.nights),
        "left_out": len(report.usage) - len(rows),
        "total": len(report.usage),
        "silent": int((report.usage["request_count"] == 0).sum()),
    }


def _seen(report: RunReport) -> bool:
    """Whether the night was seen at all: if not, no requests means no knowledge, not silence."""
    return report.summary.outcome != "not_judged" and not report.trends.missing[-1:].any()


def _tags(findings: Iterable[Finding]) -> dict[str, list[Tag]]:
    tags: dict[str, list[Tag]] = {}
    for finding in findings:
        if finding.key_id is not None and finding.status not in (Status.RESOLVED, Status.MUTED):
            word = KINDS[finding.type][1] if finding.type in KINDS else kind(finding.type).lower()
            tags.setdefault(finding.key_id, []).append(Tag(word, str(finding.severity), finding.finding_id))
    return tags


def _row(
    report: RunReport, record: Mapping[Any, Any], tags: Mapping[str, list[Tag]], positions: Mapping[str, int]
) -> Row:
    key_id, requests = str(record["key_id"]), int(record["request_count"])
    share = int(record["error_count"]) / requests if requests else 0.0
    own, used = tags.get(key_id, []), _instant(record["last_activity"])
    position = positions.get(key_id)
    return Row(
        key_id=key_id,
        name=_text(record["name"]) or key_id,
        environment=_text(record["environment"]) or "unknown",
        team=_text(record["team"]),
        requests=requests,
        errors=f"{share:.1%}" if requests else "–",
        error_share=share,
        last=_moment(used, report.night) if used else "never",
        used=str(plain(used)) if used else "",
        silent="" if requests or not _seen(report) else _silence(used, report.night),
        tags=own,
        spark=Markup("") if position is None else charts.sparkline(_series(report, position)),
        severity=_worst(own),
    )


def _worst(tags: Sequence[Tag]) -> str:
    return max((tag.severity for tag in tags), key=lambda word: Severity(word).rank, default="")


def _silence(used: datetime | None, night: Night) -> str:
    """How long a key without requests tonight has been silent, in words."""
    if used is None:
        return "never seen used"
    nights = (night.day - used.astimezone(night.timezone).date()).days
    return f"silent for {_counted(nights, 'night')}"


def _unused(report: RunReport) -> dict[str, Any]:
    """The active keys without a request tonight, the longest silence first, never seen ones before all."""
    quiet = report.usage[report.usage["request_count"] == 0]
    quiet = quiet.sort_values(["last_activity", "key_id"], na_position="first")
    rows = [_unused_row(record, report.night) for record in quiet.head(UNUSED_ROWS).to_dict("records")]
    never = int(quiet["last_activity"].isna().sum())
    ages = _ages(quiet["last_activity"], report.night)
    return {"rows": rows, "total": len(quiet), "never": never, "ages": ages}


def _unused_row(record: Mapping[Any, Any], night: Night) -> dict[str, str]:
    used, created = _instant(record["last_activity"]), _instant(record["created_at"])
    return {
        "key_id": str(record["key_id"]),
        "name": _text(record["name"]) or str(record["key_id"]),
        "environment": _text(record["environment"]) or "unknown",
        "team": _text(record["team"]),
        "silent": _silence(used, night),
        "last": charts.long_day(used.astimezone(night.timezone).date()) if used else "–",
        "created": charts.long_day(created.astimezone(night.timezone).date()) if created else "–",
    }


def _ages(instants: pd.Series, night: Night) -> list[tuple[str, int]]:
    """How many keys have been silent for how long; the steps are for reading, not the rule's."""
    days = local_days(instants.dropna(), night)
    nights = (np.datetime64(night.day) - days).astype(int)
    steps = [
        ("a week or less", int((nights <= 7).sum())),
        ("8 to 30 nights", int(((nights > 7) & (nights <= 30)).sum())),
        ("more than 30 nights", int((nights > 30).sum())),
    ]
    return [(words, count) for words, count in steps if count]


# Environment policy and receipt


def _deployments(report: RunReport) -> list[tuple[str, list[int]]]:
    """Requests by deployment from live, test and other keys: what the policy was held against."""
    seen: dict[str, list[int]] = {}
    columns = {"live": 0, "test": 1}
    for environment, cell in zip(report.usage["environment"], report.usage["deployments"], strict=True):
        for deployment, count in map_of(cell).items():
            seen.setdefault(deployment, [0, 0, 0])[columns.get(_text(environment), 2)] += count
    return sorted(seen.items(), key=lambda item: (-sum(item[1]), item[0]))[:DEPLOYMENTS]


def _receipt(report: RunReport) -> Iterator[tuple[str, str]]:
    """What ran, on what, with which limits: enough to repeat it."""
    night, budget = report.night, report.summary.budget
    yield "Findings", counts.sentence(report.summary)
    yield "Night", f"{plain(night.start)} to {plain(night.end)} ({night.timezone.key})"
    yield "Generated", str(plain(report.generated_at))
    yield "Version", f"detector {tool_version()}"
    for name, value in plain(report.run).items():
        yield name.replace("_", " ").capitalize(), str(value)
    for source in report.sources:
        yield f"Source {source.name}", _source(source, night)
    yield "History", f"{_counted(report.coverage.baseline_nights, 'night')} before the judged one"
    for number, line in enumerate(revisions.lines(report.coverage), start=1):
        yield f"Late data {number}", line
    allowed = charts.number(budget.alerts_per_1000_keys)
    yield "Alert budget", f"{allowed} by chance per 1,000 keys on an ordinary night"
    yield "Other budgets", f"half would have named {budget.at_half} keys, double {budget.at_double}"
    for name, limit in sorted(budget.thresholds.items()):
        yield f"Limit, {kind(name).lower()}", f"score {limit:.3g} and above"
    for mute in report.mutes:
        yield f"Mute {mute.id}", mute_words(mute)


def _source(source: SourceStatus, night: Night) -> str:
    reach = f"data to {_moment(source.watermark, night)}" if source.watermark else "reach unknown"
    return f"{source.kind}, {source.shape}, {source.error or reach}"


# Values


def _text(value: object) -> str:
    """A cell as text; nothing where the frame has no value."""
    return value if isinstance(value, str) else ""


def _instant(value: object) -> datetime | None:
    return value if isinstance(value, datetime) and not pd.isna(value) else None


def _moment(value: datetime, night: Night) -> str:
    """22 Nov 23:59 in the report's timezone, with the year where it is another one."""
    local = value.astimezone(night.timezone)
    year = "" if local.year == night.day.year else f" {local.year}"
    return f"{charts.short_day(_date(local))}{year} {local:%H:%M}"


def _date(value: datetime) -> date:
    return value.date()

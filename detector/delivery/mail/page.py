"""The content of a mail, as one object from which both its text and its HTML are rendered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from detector.boundary.words import counted, long_day, singular_or_plural
from detector.delivery.routing import routed, settled
from detector.judging.completeness import DATA_QUALITY
from detector.judging.finding_types import finding_type
from detector.judging.triage import SHOWN_ID, mute_words
from detector.model.finding import Finding, Severity, Status
from detector.model.report import Coverage, Outcome, RunReport
from detector.reports import accounts, counts, revisions, verdicts
from detector.reports.outcomes import WORDS
from detector.reports.page import charts

DAYS_SHOWN = 42
MOST_CHARTS = 6
OF_SEVERAL_DAYS = {
    Outcome.FINDINGS: "with findings",
    Outcome.NOTHING_NEW: "with nothing new",
    Outcome.PARTLY_JUDGED: "partly evaluated",
    Outcome.COULD_NOT_JUDGE: "not evaluated",
    Outcome.CLEAR: "clear",
}
"""The words for the number of days with an outcome."""
MOST_LINES = 5
"""Lines of one kind in a mail; the rest is counted."""

COLOURS = {
    "critical": "#86104a",
    "high": "#b3231a",
    "medium": "#8f5400",
    "low": "#0d6767",
    "info": "#545b66",
    "clear": "#1b6e3c",
    "not_judged": "#4b3a8f",
}


@dataclass(frozen=True)
class Tone:
    """How a mail looks at first sight: the word it begins with, and the colour of the bar above."""

    word: str
    colour: str


@dataclass(frozen=True)
class Chart:
    """A picture by its content id, what it shows in words, and the labels below it."""

    cid: str
    words: str
    first: str
    last: str
    caption: str
    series: charts.Series
    colour: str


@dataclass(frozen=True)
class MailCard:
    """One finding. ``facts`` are labels and values."""

    severity: str
    colour: str
    title: str
    life: str
    name: str
    key_id: str
    reason: str
    changes: list[str]
    actions: list[str]
    facts: list[tuple[str, str]]
    chart: Chart | None


@dataclass(frozen=True)
class MailPage:
    """Everything a mail says, in its order. Lists that are empty have no heading."""

    tone: Tone
    verdict: str
    subline: str
    about: str
    alarms: list[str]
    days: list[str]
    facts: list[tuple[str, str]]
    cards: list[MailCard]
    more: str
    resolved: list[str]
    muted: list[str]
    notes: list[str]
    link: str | None
    closing: str


@dataclass(frozen=True)
class Audience:
    """For whom a mail is: the security list (no teams), or people of some teams; from which severity on.

    ``teams`` maps a team to the severity from which its people are told.
    """

    minimum: Severity
    teams: Mapping[str, Severity] = field(default_factory=dict)

    def findings(self, report: RunReport) -> list[Finding]:
        """The open findings that they are told, most severe first."""
        if not self.teams:
            return routed(report, self.minimum)
        of_teams = [each for team, minimum in self.teams.items() for each in routed(report, minimum, (team,))]
        chosen = {finding.finding_id for finding in of_teams}
        return [finding for finding in routed(report, Severity.INFO) if finding.finding_id in chosen]


def page(
    reports: Sequence[RunReport], audience: Audience, *, most: int, link: str | None, remark: str = ""
) -> MailPage:
    """The mail about one day, or about several that were caught up (oldest first); at most ``most`` findings."""
    report = reports[-1]
    team = bool(audience.teams)
    findings = latest(reports, audience)
    shown = findings[:most]
    everything = latest(reports, Audience(Severity.INFO, dict.fromkeys(audience.teams, Severity.INFO)))
    return MailPage(
        tone=tone(reports, audience, findings),
        verdict=verdict(reports, audience, findings),
        subline="" if team or len(reports) > 1 else report.summary.subline,
        about=_about(reports),
        alarms=_alarms(reports, team),
        days=[_day_line(each) for each in reports] if len(reports) > 1 and not team else [],
        facts=[] if team else list(_facts(report)),
        cards=[_card(reports, finding, index) for index, finding in enumerate(shown)],
        more=" ".join(_more(len(findings) - len(shown), len(everything) - len(findings))),
        resolved=_capped(_resolved_line(each) for each in settled(report, Status.RESOLVED, audience.teams)),
        muted=_capped(_muted_line(each) for each in settled(report, Status.MUTED, audience.teams)),
        notes=[] if team else _notes(report),
        link=link,
        closing=" ".join(part for part in (_closing(report, audience), remark) if part),
    )


def latest(reports: Sequence[RunReport], audience: Audience) -> list[Finding]:
    """The open findings of the days, each as of the last day that has it, most severe first."""
    found: dict[str, Finding] = {}
    for report in reports:
        for finding in audience.findings(report):
            found[finding.finding_id] = finding
    if len(reports) == 1:
        return list(found.values())
    return sorted(found.values(), key=lambda finding: (-finding.severity.rank, -finding.day.toordinal()))


def tone(reports: Sequence[RunReport], audience: Audience, findings: Sequence[Finding]) -> Tone:
    """The outcomes of the days as words, the worst first, and a colour. Only "All clear" is an all-clear."""
    outcomes = {report.summary.outcome for report in reports}
    worst = max((finding.severity for finding in findings), key=lambda each: each.rank, default=Severity.INFO)
    found = f"{WORDS[Outcome.FINDINGS]}: {worst}"
    if audience.teams:
        return Tone(found, COLOURS[worst])
    words = [WORDS[outcome] for outcome in (Outcome.COULD_NOT_JUDGE, Outcome.PARTLY_JUDGED) if outcome in outcomes]
    # A finding on the data repeats that a day was not judged. It is news only where there is no such day.
    is_news = any(finding.status.raised and finding.type != DATA_QUALITY.kind for finding in findings)
    if Outcome.FINDINGS in outcomes or (words and is_news and worst is not Severity.INFO):
        return Tone("; ".join([found, *words]), COLOURS[worst])
    if words:
        return Tone("; ".join(words), COLOURS["not_judged"])
    if Outcome.NOTHING_NEW in outcomes:
        return Tone(WORDS[Outcome.NOTHING_NEW], COLOURS[worst])
    return Tone(WORDS[Outcome.CLEAR], COLOURS["clear"])


def verdict(reports: Sequence[RunReport], audience: Audience, findings: Sequence[Finding]) -> str:
    """The sentence a person would say first."""
    if audience.teams:
        keys = len({finding.key_id for finding in findings})
        who = " and ".join(audience.teams)
        return f"{counted(keys, 'key')} of team {who} {singular_or_plural(keys, 'needs', 'need')} a look"
    if len(reports) == 1:
        return reports[0].summary.verdict
    amounts = Counter(report.summary.outcome for report in reports)
    parts = [f"{amounts[outcome]:,} {words}" for outcome, words in OF_SEVERAL_DAYS.items() if amounts[outcome]]
    return f"{counted(len(reports), 'day')} caught up: {', '.join(parts)}"


def _about(reports: Sequence[RunReport]) -> str:
    first = reports[0].day
    last = reports[-1].day
    day = f"{last.date:%A} {long_day(last.date)}, {last.timezone.key}"
    days = f"Day of {day}" if first == last else f"Days from {long_day(first.date)} to {day}"
    return f"{reports[-1].organization} · {days}" if reports[-1].organization else days


def _alarms(reports: Sequence[RunReport], team: bool) -> list[str]:
    """What must be known before anything else is believed. A team is not told what was wrong elsewhere."""
    if team:
        whole = all(report.coverage.complete for report in reports)
        return [] if whole else ["The data are not complete; the security team was told."]
    lines = []
    for report in reports:
        coverage = report.coverage
        about = f"{charts.short_day(report.day.date)}: " if len(reports) > 1 else ""
        lines += [f"{about}{problem}" for problem in coverage.shortfalls]
        lines += [f"{about}{failure}" for failure in coverage.failures]
        if coverage.withheld:
            lines.append(f"{about}Not reported for this day: {', '.join(coverage.withheld)}.")
    return _capped(dict.fromkeys(lines), 2 * MOST_LINES)


def _day_line(report: RunReport) -> str:
    return f"{report.day.date:%a} {charts.short_day(report.day.date)}: {report.summary.verdict}"


def _facts(report: RunReport) -> Iterator[tuple[str, str]]:
    coverage = report.coverage
    fleet = report.summary.fleet
    yield "Data", "complete" if coverage.complete else "incomplete"
    yield "Evaluated", f"{coverage.keys_judged:,} of {counted(coverage.keys_active, 'active key')}"
    yield "Findings", counts.sentence(report)
    yield "Chance", counts.statistical(report.summary.budget)
    usual = "" if fleet.low is None else f", usually {charts.number(fleet.low)} to {charts.number(fleet.high)}"
    yield "Requests", f"{fleet.requests:,} over all keys{usual}"
    for source in report.sources:
        if source.accounting is not None:
            yield "Records", accounts.sentence(source.accounting)


def _card(reports: Sequence[RunReport], finding: Finding, index: int) -> MailCard:
    report = next((each for each in reports if each.day.date == finding.day), reports[-1])
    return MailCard(
        severity=str(finding.severity).capitalize(),
        colour=COLOURS[finding.severity],
        title=finding.title,
        life=_life(finding, several=len(reports) > 1),
        name=finding.heading,
        key_id=finding.key_id if finding.key_id and finding.name else "",
        reason=finding.reason,
        changes=_capped(finding.changes),
        actions=_capped(finding.actions),
        facts=list(_finding_facts(finding)),
        chart=_chart(report, finding, index) if index < MOST_CHARTS else None,
    )


def _life(finding: Finding, *, several: bool) -> str:
    when = f"on {charts.short_day(finding.day)}" if several else "on this day"
    words = {
        Status.NEW: f"new {when}",
        Status.REOPENED: f"back {when}, episode {finding.episode}",
        Status.ESCALATED: f"worse {when}, day {finding.days}",
    }
    return words.get(finding.status, f"ongoing, day {finding.days}")


def _finding_facts(finding: Finding) -> Iterator[tuple[str, str]]:
    owner = f"team {finding.team}" if finding.team else "no team"
    if finding.key_id:
        yield "Key", " · ".join(part for part in (finding.environment, owner, finding.application) if part)
    if finding.severity_reasons:
        yield "Severity", ", ".join(_capped(finding.severity_reasons))
    if finding.prevalence:
        yield "Rarity", finding.prevalence
    yield "Confidence", finding.confidence
    for technique in finding.techniques[:MOST_LINES]:
        yield technique.catalogue, f"{technique.id} {technique.name}: {technique.condition}"
    if finding.acknowledged:
        yield "Triage", finding.acknowledged
    if finding.verdict:
        yield "Verdict", verdicts.WORDS[finding.verdict]
    yield "Finding", finding.finding_id[:SHOWN_ID]
    if not finding.acknowledged:
        yield "Acknowledge", verdicts.acknowledgement(finding)


def _chart(report: RunReport, finding: Finding, index: int) -> Chart | None:
    trends = report.trends
    if finding.key_id not in trends.key_ids:
        return None
    row = trends.key_ids.index(finding.key_id)
    shown = slice(-DAYS_SHOWN, None)
    pairs = zip(trends.requests[row].tolist()[shown], trends.known[row].tolist()[shown], strict=True)
    banded = finding_type(finding.type).counts_requests
    limits = (finding.expected, finding.low, finding.high) if banded else (None, None, None)
    counts = [count if known else None for count, known in pairs]
    series = charts.Series(trends.days[shown], counts, trends.missing.tolist()[shown], *limits)
    shaded = " The shaded area is its expected range." if banded and finding.low is not None else ""
    return Chart(
        cid=f"chart{index}",
        words=charts.summary(series),
        first=charts.short_day(series.days[0]),
        last=charts.short_day(series.days[-1]),
        caption=f"Requests a day.{shaded}",
        series=series,
        colour=COLOURS[finding.severity],
    )


def _more(hidden: int, below: int) -> Iterator[str]:
    """What there is beyond the findings of the mail: nothing is left out in silence."""
    if hidden:
        yield f"{counted(hidden, 'more finding is', 'more findings are')} in the report."
    if below:
        yield f"{counted(below, 'less severe finding is', 'less severe findings are')} not shown here."


def _resolved_line(finding: Finding) -> str:
    return f"{finding.title}: {_subject(finding)}. {finding.reason}"


def _muted_line(finding: Finding) -> str:
    return f"{finding.title}: {_subject(finding)}. {finding.muted or ''}".strip()


def _subject(finding: Finding) -> str:
    if finding.name and finding.key_id and finding.name != finding.key_id:
        return f"{finding.name} ({finding.key_id})"
    return finding.subject


def _notes(report: RunReport) -> list[str]:
    coverage = report.coverage
    mutes = [f"Mute {mute.id}: {mute_words(mute)}" for mute in report.mutes]
    return [
        *_capped(revisions.lines(coverage)),
        *_skipped(coverage),
        *_capped(mutes),
        *_capped(verdicts.lines(report.summary)),
    ]


def _skipped(coverage: Coverage) -> Iterator[str]:
    """One line about the keys that a detector could not evaluate. Every mail would repeat the reasons."""
    keys: set[str] = set()
    for group in coverage.not_judged:
        keys.update(group.key_ids)
    if keys:
        evaluated = counted(len(keys), "key was", "keys were")
        yield f"{evaluated} not evaluated for every type of finding; the report has the reasons."


def _closing(report: RunReport, audience: Audience) -> str:
    who = f"team {' and '.join(audience.teams)}, about its keys alone" if audience.teams else "the security list"
    made = report.generated_at.astimezone(report.day.timezone)
    return f"Sent to {who}. Evaluated on {long_day(made.date())} at {made:%H:%M}."


def _capped(lines: Iterable[str], most: int = MOST_LINES) -> list[str]:
    """The first lines, and how many there are beyond."""
    listed = list(lines)
    rest = len(listed) - most
    return listed if rest <= 0 else [*listed[:most], f"and {rest:,} more in the report"]

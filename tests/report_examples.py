"""Example days for the tests of every report format: invented keys, numbers that agree with each other.

Each builder returns a fresh ``RunReport``. ``findings_day`` has a spike, a key that woke, a test key in
production, two findings on one key, an ongoing and a resolved one; ``triaged_day`` is the same after people
had their say; ``clear_day`` has nothing to report; ``not_judged_day`` has no usable data;
``hostile_day`` is the triaged day of customers who try to break the page with the names they choose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from detector.judging import triage
from detector.model.day import Day
from detector.model.finding import Finding, Severity, Status, Technique
from detector.model.report import (
    Budget,
    Coverage,
    Fleet,
    NotJudged,
    Outcome,
    RunReport,
    SourceStatus,
    Summary,
    Trends,
)
from detector.model.triage import MuteInForce, TriageEntry
from detector.model.usage import RECORD_COLUMNS, Accounting, Amount, Fault, Revision
from detector.usage.aggregation import conform

DAY = date(2026, 11, 22)
LOCAL_DAY = Day(DAY, ZoneInfo("UTC"))
DAYS = 56
MISSING = DAY - timedelta(days=20)

Rename = Callable[[str], str]


@dataclass(frozen=True)
class Key:
    """One key of the example organization: who owns it and what it did on every day."""

    key_id: str
    name: str
    environment: str
    team: str | None
    requests: tuple[int, ...]
    error_rate: float = 0.004
    endpoints: tuple[tuple[str, float], ...] = (("GET /v1/items", 0.7), ("POST /v1/items", 0.3))
    deployments: tuple[tuple[str, float], ...] = (("production", 1.0),)
    last_used: datetime | None = None
    known_for: int = DAYS

    @property
    def current(self) -> int:
        return self.requests[-1]


def findings_day() -> RunReport:
    """Six open findings on five keys, one resolved; one day of the past is missing."""
    keys = fleet_keys()
    findings = example_findings()
    return assemble(keys, findings, outcome=Outcome.FINDINGS, verdict="Five keys need a look, three of them today")


def triaged_day() -> RunReport:
    """The findings day with one finding acknowledged, one muted, verdicts, and a mute that covers nothing."""
    entries = example_entries()
    findings = tuple(triage.apply(example_findings(), entries, DAY))
    report = assemble(fleet_keys(), findings, outcome=Outcome.FINDINGS, verdict="Four keys need a look")
    summary = replace(report.summary, precision=triage.precision(entries, DAY))
    return replace(report, summary=summary, mutes=triage.mutes_in_force(findings, entries, DAY))


def example_entries() -> list[TriageEntry]:
    """What people said: the spike is known, the mismatch is muted, two spikes were judged, one of them real."""
    return [
        said("ack", "finding", "f-7f3a-spike", reason="team payments is on it", id=1),
        said("mute", "team", "checkout", reason="moves to its live key", until_day=DAY + timedelta(days=8), id=2),
        said("mute", "pattern", "loadtest-*", reason="peak tests", until_day=DAY + timedelta(days=2), id=3),
        said("verdict", "finding", "f-7f3a-spike", type="usage_spike", verdict="true", episode=1, id=4),
        said("verdict", "finding", "f-0003-spike", type="usage_spike", verdict="false", episode=1, id=5),
        said("verdict", "finding", "f-02c9-woke", type="dormant_wake", verdict="planned", episode=1, id=6),
    ]


def said(action: str, target_kind: str, target: str, **facts: Any) -> TriageEntry:
    """An entry of the example's triage, by Alex from the day on."""
    usual: dict[str, Any] = {
        "type": None,
        "reason": None,
        "by": "alex",
        "from_day": DAY,
        "until_day": None,
        "created_at": datetime(2026, 11, 23, 7, 30, tzinfo=UTC),
    }
    return TriageEntry(action=action, target_kind=target_kind, target=target, **{**usual, **facts})


def clear_day() -> RunReport:
    """Everything judged, nothing to report."""
    report = assemble(ordinary_keys(), (), outcome=Outcome.CLEAR, verdict="Nothing to look at")
    coverage = replace(
        report.coverage, not_judged=(), unregistered_keys=(), revoked_keys_in_use=(), missing_days=()
    )
    coverage = replace(coverage, keys_judged=coverage.keys_active)
    summary = replace(report.summary, subline="All 60 keys stayed within what their own past leads us to expect.")
    trends = replace(report.trends, missing=np.zeros(DAYS, dtype=bool))
    sources = (replace(report.sources[0], faults=(), accounting=Accounting(12_000)),)
    return replace(report, coverage=coverage, summary=summary, trends=trends, sources=sources)


def not_judged_day() -> RunReport:
    """The source failed: no usage, no verdict on any key, and that is said first."""
    before = datetime(2026, 11, 21, 23, 58, tzinfo=UTC)
    keys = [
        replace(key, requests=(*key.requests[:-1], 0), last_used=before if key.current else key.last_used)
        for key in ordinary_keys()
    ]
    report = assemble(
        keys,
        (),
        outcome=Outcome.COULD_NOT_JUDGE,
        verdict="The day could not be evaluated, because the source could not be read",
    )
    problem = "The source main did not answer; nothing of 22 November was read."
    coverage = replace(
        report.coverage,
        complete=False,
        problems=(problem,),
        shortfalls=(problem,),
        keys_judged=0,
        not_judged=(NotJudged("usage_spike", "no data for the day", len(keys), ids(keys)),),
        withheld=("resolution",),
        failures=("source main: connection refused after 3 attempts",),
    )
    summary = replace(report.summary, subline="No usage reached us, so silence here does not mean all is well.")
    source = SourceStatus("main", "sql", "events", None, error="connection refused after 3 attempts")
    missing = report.trends.missing.copy()
    missing[-1] = True
    trends = replace(report.trends, missing=missing)
    return replace(report, coverage=coverage, summary=summary, sources=(source,), trends=trends)


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; onmouseover='alert(1)",
    "</title></svg></style><b>",
    "{{ 7 * 7 }}{% raw %}",
    "invoice\u202efdp.exe",
    "bell\x07\x1b[31m\x9b2J",
    "lone\ud800half",
    "&lt;already&gt; &#x3c;",
    "]]>--><!--",
    "javascript:alert(1)",
    "a b\tc\nd",
    "nul\x00byte",
    '=HYPERLINK("http://192.0.2.1","open")',
    "<!channel> \r\nBcc: mallory@example.com",
)


def hostile_day() -> RunReport:
    """The triaged day, with names, endpoints, teams, reasons and faults that try to break out."""
    return renamed(triaged_day(), lambda text: HOSTILE[len(text) % len(HOSTILE)] + text)


def renamed(report: RunReport, rename: Rename) -> RunReport:
    """The same day with everything a customer can name passed through ``rename``."""
    usage = report.usage.copy()
    for column in ("name", "team", "application"):
        usage[column] = [None if pd.isna(text) else storable(rename(text)) for text in usage[column]]
    for column in ("endpoint_distribution", "deployments"):
        usage[column] = [[(storable(rename(name)), count) for name, count in cell] for cell in usage[column]]
    return replace(
        report,
        organization=rename(report.organization or ""),
        findings=tuple(_renamed_finding(finding, rename) for finding in report.findings),
        usage=conform(usage, RECORD_COLUMNS),
        sources=tuple(replace(source, faults=_renamed_faults(source, rename)) for source in report.sources),
        mutes=tuple(_renamed_mute(mute, rename) for mute in report.mutes),
        policy={rename(pattern): environment for pattern, environment in report.policy.items()},
        coverage=replace(report.coverage, problems=tuple(rename(text) for text in report.coverage.problems)),
    )


def storable(text: str) -> str:
    """Text as an Arrow column can hold it: without halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode()


def _renamed_finding(finding: Finding, rename: Rename) -> Finding:
    def maybe(text: str | None) -> str | None:
        return None if text is None else rename(text)

    return replace(
        finding,
        name=maybe(finding.name),
        team=maybe(finding.team),
        application=maybe(finding.application),
        reason=rename(finding.reason),
        acknowledged=maybe(finding.acknowledged),
        muted=maybe(finding.muted),
        changes=tuple(rename(text) for text in finding.changes),
        actions=tuple(rename(text) for text in finding.actions),
        endpoints_usual={rename(name): count for name, count in finding.endpoints_usual.items()},
        endpoints_observed={rename(name): count for name, count in finding.endpoints_observed.items()},
    )


def _renamed_mute(mute: MuteInForce, rename: Rename) -> MuteInForce:
    return replace(mute, target=rename(mute.target), reason=rename(mute.reason or ""), by=rename(mute.by))


def _renamed_faults(source: SourceStatus, rename: Rename) -> tuple[Fault, ...]:
    return tuple(
        replace(fault, reason=rename(fault.reason), samples=tuple(rename(text) for text in fault.samples))
        for fault in source.faults
    )


def ordinary_keys() -> list[Key]:
    """Sixty keys with weekly rhythm, six of them silent that day, two of those never seen used."""
    teams = ("data", "search", "mobile", "growth", "payments", "platform")
    products = (
        "ingest",
        "catalogue",
        "web",
        "partner",
        "mobile",
        "reports",
        "export",
        "sync",
        "billing",
        "maps",
    )
    keys = []
    for i in range(54):
        name = f"{products[i % 10]}-{('eu', 'us', 'asia')[i % 3]}-{i // 10 + 1}"
        environment = "test" if i % 9 == 8 else "live"
        level = 48_000 / (1 + i) ** 1.15 + 12
        where = (("staging", 1.0),) if environment == "test" else (("production", 1.0),)
        error_rate = (0.002, 0.004, 0.011)[i % 3]
        keys.append(
            Key(
                f"key_{i:04x}",
                name,
                environment,
                teams[i % 6],
                steady(level, i),
                error_rate,
                deployments=where,
            )
        )
    for i in range(6):
        used = None if i < 2 else datetime(2026, 11, 3, 4, 10, tzinfo=UTC) - timedelta(days=17 * i)
        keys.append(Key(f"key_9{i:03x}", f"qa-nightly-{i + 1}", "test", "platform", (0,) * DAYS, last_used=used))
    return keys


def fleet_keys() -> list[Key]:
    """The ordinary keys and the five that the findings are about."""
    spike = (("GET /v1/invoices", 0.12), ("GET /v1/customers/{id}", 0.06), ("POST /v1/bulk/lookup", 0.82))
    billing = (*steady(1_150, 101)[:-1], 18_240)
    legacy = (3, 3, 2, 3) + (0,) * (DAYS - 5) + (41,)
    staging = (*steady(240, 103)[:-1], 230)
    crawler = (*steady(640, 104)[:-1], 2_912)
    young = (0,) * (DAYS - 12) + steady(90, 105)[-12:-1] + (880,)
    admin = (("GET /v1/admin/users", 0.93), ("GET /v1/export", 0.07))
    mixed = (("production", 0.924), ("staging", 0.076))
    return [
        *ordinary_keys(),
        Key("key_7f3a", "billing-prod-07", "live", "payments", billing, 0.011, spike),
        Key("key_02c9", "legacy-export", "live", None, legacy, 0.927, admin),
        Key("key_b81d", "checkout-staging", "test", "checkout", staging, 0.002, deployments=mixed),
        Key("key_55e0", "catalogue-crawler", "live", "search", crawler, 0.31),
        Key("key_c410", "partner-onboarding", "live", "growth", young, known_for=12),
    ]


def steady(level: float, seed: int) -> tuple[int, ...]:
    """Nightly requests with a weekly rhythm and the scatter of counts, the same for a seed every time."""
    chance = np.random.default_rng(seed)
    days = [DAY - timedelta(days=DAYS - 1 - i) for i in range(DAYS)]
    rhythm = np.array([0.62 if day.weekday() >= 5 else 1.1 for day in days])
    wobble = chance.normal(1.0, 0.08, DAYS).clip(0.6, 1.4)
    counts = chance.poisson(level * rhythm * wobble)
    return tuple(0 if day == MISSING else int(n) for day, n in zip(days, counts, strict=True))


def example_findings() -> tuple[Finding, ...]:
    """Open findings, most severe first, then the resolved one."""
    return (
        finding(
            "f-7f3a-spike",
            "usage_spike",
            "Usage spike",
            "key_7f3a",
            "billing-prod-07",
            "payments",
            severity=Severity.HIGH,
            observed=18_240,
            expected=1_150,
            low=632,
            high=1_668,
            score=14.2,
            reason="18,240 requests, 16 times its usual 1,150 (range 632 to 1,668). No other key did this.",
            changes=("POST /v1/bulk/lookup never used before: 14,958 requests",),
            actions=(
                "Ask team payments whether a job was started on 22 November.",
                "If not, rotate the key. Revoking stops callers at once: three services use it.",
                "Read the access log for this key.",
            ),
            prevalence="about once in 4,000 key-days",
            severity_reasons=("a live key", "a new endpoint takes most of the requests"),
            endpoints_usual={"GET /v1/invoices": 45_000, "GET /v1/customers/{id}": 19_400},
            endpoints_observed={
                "GET /v1/invoices": 2_188,
                "GET /v1/customers/{id}": 1_094,
                "POST /v1/bulk/lookup": 14_958,
            },
        ),
        finding(
            "f-02c9-woke",
            "dormant_wake",
            "Dormant key woke",
            "key_02c9",
            "legacy-export",
            None,
            severity=Severity.HIGH,
            observed=41,
            expected=0,
            low=0,
            high=0,
            score=9.8,
            reason="41 requests after 51 silent days; its longest silence before was 3.",
            changes=(
                "First use since 1 October",
                "403 on 38 of 41 requests (93 %)",
                "Endpoints under /v1/admin never used before",
            ),
            actions=(
                "Nobody owns this key: find who created it (12 March 2024).",
                "Disable it unless someone claims it today.",
            ),
            prevalence="1 of 65 keys",
            severity_reasons=("nobody owns it", "most requests were refused"),
            techniques=(Technique("T1595.003", "Scanning", "ATT&CK", "41 <b>endpoints</b> were tried"),),
        ),
        finding(
            "f-55e0-errors",
            "error_surge",
            "Error surge",
            "key_55e0",
            "catalogue-crawler",
            "search",
            severity=Severity.MEDIUM,
            observed=903,
            expected=12,
            low=3,
            high=24,
            score=8.1,
            reason="903 of 2,912 requests failed (31 %); usually about 0.4 %.",
            changes=("Most failures are 404 on GET /v1/items",),
            actions=("Ask team search what changed in the crawler.",),
            prevalence="about once in 2,500 key-days",
        ),
        finding(
            "f-55e0-spike",
            "usage_spike",
            "Usage spike",
            "key_55e0",
            "catalogue-crawler",
            "search",
            severity=Severity.MEDIUM,
            observed=2_912,
            expected=655,
            low=430,
            high=930,
            score=6.4,
            confidence="medium",
            reason="2,912 requests, 4.4 times its usual 655 (range 430 to 930).",
            changes=("Volume and errors rose together",),
            actions=("Check whether it retries without a pause.",),
            prevalence="about once in 1,200 key-days",
        ),
        finding(
            "f-b81d-mismatch",
            "environment_mismatch",
            "Test key in production",
            "key_b81d",
            "checkout-staging",
            "checkout",
            severity=Severity.MEDIUM,
            status=Status.ONGOING,
            environment="test",
            days=3,
            first_seen=date(2026, 11, 20),
            observed=212,
            expected=0,
            low=0,
            high=0,
            score=None,
            confidence="certain",
            reason="212 of 230 requests came through production; this key is for staging.",
            changes=("First seen in production on 20 November",),
            actions=("Give the service its live key; this finding then closes by itself.",),
        ),
        finding(
            "f-c410-burst",
            "new_key_burst",
            "Young key among the heaviest",
            "key_c410",
            "partner-onboarding",
            "growth",
            severity=Severity.LOW,
            status=Status.ONGOING,
            days=2,
            first_seen=date(2026, 11, 21),
            observed=880,
            expected=90,
            low=55,
            high=140,
            score=5.2,
            confidence="low",
            reason="880 requests on its 12th day; keys of this age usually send 90 (range 55 to 140).",
            changes=("GET /v1/partners never used before: 102 requests",),
            actions=("Confirm the expected volume with team growth.",),
            prevalence="2 of 65 keys in the last month",
        ),
        finding(
            "f-0003-spike",
            "usage_spike",
            "Usage spike",
            "key_0003",
            "partner-eu-1",
            "growth",
            severity=Severity.MEDIUM,
            status=Status.RESOLVED,
            days=3,
            first_seen=date(2026, 11, 19),
            last_seen=date(2026, 11, 21),
            observed=None,
            expected=None,
            low=None,
            high=None,
            score=None,
            reason="Back to its usual volume after three days.",
        ),
    )


def finding(
    finding_id: str,
    kind: str,
    title: str,
    key_id: str | None,
    name: str | None,
    team: str | None,
    **facts: Any,
) -> Finding:
    """A finding of the example day; whatever is not given is the ordinary thing."""
    usual: dict[str, Any] = {
        "episode": 1,
        "status": Status.NEW,
        "severity": Severity.MEDIUM,
        "confidence": "high",
        "environment": "live",
        "application": None,
        "day": DAY,
        "score": 5.0,
        "observed": 1,
        "expected": 0,
        "low": 0,
        "high": 0,
        "reason": title,
        "first_seen": DAY,
        "last_seen": DAY,
        "days": 1,
    }
    return Finding(
        finding_id=finding_id,
        type=kind,
        title=title,
        key_id=key_id,
        name=name,
        team=team,
        **{**usual, **facts},
    )


def assemble(keys: list[Key], findings: tuple[Finding, ...], *, outcome: Outcome, verdict: str) -> RunReport:
    """A whole report around keys and findings, with counts that follow from them."""
    keys = sorted(keys, key=lambda key: (-key.current, key.key_id))
    usage = usage_frame(keys)
    return RunReport(
        day=LOCAL_DAY,
        organization="Acme",
        generated_at=datetime(2026, 11, 23, 2, 31, 7, tzinfo=UTC),
        run={
            "run_id": "run-2026-11-22-01",
            "started_at": datetime(2026, 11, 23, 2, 30, tzinfo=UTC),
            "seconds": 67.4,
        },
        sources=(example_source(),),
        coverage=example_coverage(keys),
        summary=summary_of(findings, usage, outcome, verdict),
        findings=findings,
        usage=usage,
        trends=trends_of(keys),
        policy={"production": "live", "staging": "test"},
    )


def example_source() -> SourceStatus:
    sample = "2026-11-22T04:10:00Z,,GET /v1/items,200"
    return SourceStatus(
        name="main",
        kind="files",
        shape="events",
        watermark=datetime(2026, 11, 22, 23, 59, 51, tzinfo=UTC),
        faults=(
            Fault("no key id, not attributable to a key", 3, (sample,), kind="keyless"),
            Fault("missing or unreadable timestamp", 41, ("items.jsonl: timestamp is empty",)),
            Fault("line is not valid JSON", 2, ("items.jsonl: {",), dated=False, bytes=4_096),
            Fault("status is no HTTP code and no known word, taken as an error", 7, kind="note"),
        ),
        accounting=Accounting(
            counted=12_000,
            keyless=3,
            repeated=40,
            unusable={
                "missing or unreadable timestamp": Amount(41),
                "line is not valid JSON": Amount(2, 4_096),
            },
            hours=tuple([500] * 23 + [586]),
        ),
    )


def example_coverage(keys: list[Key]) -> Coverage:
    young = NotJudged("usage_spike", "fewer than 8 days of history", 1, ("key_0035",))
    unnamed = NotJudged(
        "environment_mismatch",
        "the policy does not name the deployment edge-lab",
        2,
        ("key_0002", "key_0007"),
    )
    return Coverage(
        complete=True,
        problems=(),
        keys_active=len(keys),
        keys_judged=len(keys) - 1,
        not_judged=(young, unnamed),
        baseline_days=DAYS,
        missing_days=(MISSING,),
        unregistered_keys=("key_0021",),
        revoked_keys_in_use=("key_dead",),
        withheld=(),
        revisions=(Revision(DAY - timedelta(days=1), DAY, 120_300, 121_504, 17),),
    )


def summary_of(findings: tuple[Finding, ...], usage: pd.DataFrame, outcome: Outcome, verdict: str) -> Summary:
    opened = [f for f in findings if f.status not in (Status.RESOLVED, Status.MUTED)]
    total = int(usage["request_count"].sum())
    return Summary(
        outcome=outcome,
        verdict=verdict,
        subline="A spike of 16 times and a key that woke after 51 silent days are new. "
        "A test key is in production for the third day.",
        open=len(opened),
        raised=sum(f.status.raised for f in opened),
        resolved=sum(f.status is Status.RESOLVED for f in findings),
        by_severity=count(str(f.severity) for f in opened),
        by_type=count(f.type for f in opened),
        by_status=count(str(f.status) for f in findings),
        budget=Budget(
            1.0,
            0.06,
            sum(f.type in ("usage_spike", "error_surge") for f in opened),
            1,
            3,
            {"usage_spike": 4.4},
            True,
        ),
        fleet=Fleet(total, int(usage["error_count"].sum()), 101_000.0, 92_000.0, 131_000.0),
    )


def count(words: Any) -> Mapping[str, int]:
    """How often each word occurs, in the order of first sight."""
    counted: dict[str, int] = {}
    for word in words:
        counted[word] = counted.get(word, 0) + 1
    return counted


def usage_frame(keys: list[Key]) -> pd.DataFrame:
    """The active keys in by-key order with every column a report may read."""
    return conform(pd.DataFrame([_record(key) for key in keys]), RECORD_COLUMNS)


def _record(key: Key) -> dict[str, Any]:
    used = datetime(2026, 11, 22, 23, 54, 7, tzinfo=UTC) if key.current else None
    return {
        "key_id": key.key_id,
        "name": key.name,
        "environment": key.environment,
        "team": key.team,
        "application": None,
        "organization": "acme",
        "created_at": datetime(2024, 3, 12, 9, 0, tzinfo=UTC),
        "revoked_at": None,
        "registered": True,
        "active": True,
        "request_count": key.current,
        "error_count": round(key.current * key.error_rate),
        "endpoint_distribution": split(key.current, key.endpoints),
        "deployments": split(key.current, key.deployments),
        "client_count": 3,
        "last_used": used,
        "last_activity": used or key.last_used,
        "first_seen": date(2024, 3, 14) if used or key.last_used else None,
        "last_seen": key.last_used,
        "longest_silence": 3,
    }


def split(total: int, parts: tuple[tuple[str, float], ...]) -> list[tuple[str, int]]:
    """``total`` divided by shares, the last part taking what rounding leaves."""
    if not total:
        return []
    counts = [int(total * share) for _, share in parts[:-1]]
    return [(name, n) for (name, _), n in zip(parts, [*counts, total - sum(counts)], strict=True)]


def trends_of(keys: list[Key]) -> Trends:
    days = tuple(DAY - timedelta(days=DAYS - 1 - i) for i in range(DAYS))
    known = np.array([[i >= DAYS - key.known_for for i in range(DAYS)] for key in keys])
    requests = np.array([key.requests for key in keys], dtype=np.int64)
    return Trends(days, ids(keys), requests, known, np.array([day == MISSING for day in days]))


def ids(keys: list[Key]) -> tuple[str, ...]:
    return tuple(key.key_id for key in keys)

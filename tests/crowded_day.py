"""A day of a large fleet with hundreds of findings, for what must stay usable and small at that size."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from detector.judging.finding_types import finding_type
from detector.model.finding import Finding, Severity, Status, Technique
from detector.model.report import Outcome, RunReport
from tests.report_examples import DAY, DAYS, Key, assemble, finding

TEAMS = tuple(
    f"team-{word}" for word in ("payments", "search", "mobile", "growth", "data", "platform", "crm", "web")
)
TYPES = ("usage_spike", "dormant_wake", "environment_mismatch", "error_surge", "endpoint_shift", "new_key_burst")
SEVERITIES = (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW)
STATUSES = (Status.NEW, Status.NEW, Status.ONGOING, Status.ESCALATED, Status.REOPENED)
ROUTES = ("orders", "customers", "invoices", "products", "payments", "search")


def crowded_day(findings: int = 500, keys: int = 10_000) -> RunReport:
    """A tenth of the keys unused that day; every tenth finding is the second one on its key."""
    fleet = _fleet(keys)
    made = [_finding(i, fleet[_position(i)]) for i in range(findings)]
    made.sort(key=lambda each: (-each.severity.rank, each.finding_id))
    busy = len({each.key_id for each in made})
    return assemble(fleet, tuple(made), outcome=Outcome.FINDINGS, verdict=f"{busy:,} keys need a look")


def _position(number: int) -> int:
    return number - 1 if number % 10 == 9 else number


def _fleet(keys: int) -> list[Key]:
    chance = np.random.default_rng(20261122)
    levels = np.sort(chance.lognormal(4.5, 1.8, keys))[::-1]
    counts = chance.poisson(levels[:, None] * chance.normal(1, 0.1, (keys, DAYS)).clip(0.5, 1.5))
    counts[::10, -1] = 0
    return [_key(i, tuple(int(n) for n in row)) for i, row in enumerate(counts)]


def _key(number: int, requests: tuple[int, ...]) -> Key:
    team = TEAMS[number % len(TEAMS)]
    environment = "test" if number % 7 == 3 else "live"
    used = datetime(2026, 11, 21, 20, 15, tzinfo=UTC) - timedelta(days=number % 40)
    name = f"{team[5:]}-{ROUTES[number % len(ROUTES)]}-{number:05d}"
    return Key(f"key_{number:08x}", name, environment, team, requests, last_used=used)


def _finding(number: int, key: Key) -> Finding:
    kind, usual, seen = TYPES[number % len(TYPES)], 40 + number, 40 * (40 + number)
    route = ROUTES[number % len(ROUTES)]
    made = finding(
        f"{number:016x}", kind, finding_type(kind).title, key.key_id, key.name, key.team,
        severity=SEVERITIES[min(3, number % 9 // 2)], status=STATUSES[number % len(STATUSES)],
        observed=seen, expected=usual, low=usual // 2, high=usual * 2, score=4 + number % 17,
        environment=key.environment, days=1 + number % 6,
        reason=f"{seen:,} requests, 40 times its usual {usual:,} (range {usual // 2:,} to {usual * 2:,}).",
        changes=(f"POST /v1/{route}/bulk never used before: {seen // 2:,} requests",),
        actions=(f"Ask {key.team} whether a job was started on 22 November.", "If not, rotate the key."),
        prevalence="about once in 4,000 key-days", severity_reasons=("a live key", "a new endpoint"),
        endpoints_usual={f"GET /v1/{route}": 9 * usual, f"GET /v1/{route}/{{id}}": usual},
        endpoints_observed={f"GET /v1/{route}": seen // 2, f"POST /v1/{route}/bulk": seen // 2},
    )  # fmt: skip
    technique = Technique("T1550.001", "Use Alternate Authentication Material: Application Access Token",
                          "ATT&CK Enterprise 17.1", "the key slept for 52 days")  # fmt: skip
    techniques = (technique,) if kind == "dormant_wake" else ()
    return replace(made, techniques=techniques, first_seen=DAY - timedelta(days=made.days - 1))

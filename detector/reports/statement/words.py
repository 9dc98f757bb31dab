"""The texts that all formats of a statement share: amounts, remarks, and requests without a price or a team."""

from __future__ import annotations

from datetime import date, timedelta

from detector.boundary.words import counted, singular_or_plural
from detector.chargeback.statement import NO_TEAM, Statement
from detector.config.chargeback import Price


def team_name(team: str) -> str:
    """The name of a team for people."""
    return team if team != NO_TEAM else "no team"


def money(statement: Statement, minor: int) -> str:
    """Format an amount with separators and without its currency."""
    return f"{statement.money(minor):,}"


def change(team_total: int, before: int | None) -> str:
    """The change against the previous month in percent, or a word where a percentage has no meaning."""
    if before is None:
        return "–"
    if not before:
        return "new" if team_total else "none"
    percent = round(100 * (team_total - before) / abs(before))
    return f"{percent:+}%" if percent else "0%"


def remarks(statement: Statement) -> list[str]:
    """Sentences about the days whose data are missing or may still change."""
    days = statement.days
    every = len(statement.month.days())
    lines = list(statement.failures)
    if days.ahead:
        lines.append(f"The month is not over: {_some(days.ahead, every)} to come.")
    if days.missing:
        lines.append(f"{_some(days.missing, every)} missing and not charged: {_named(days.missing)}.")
    if days.unsettled:
        lines.append(f"Late rows may still change {_named(days.unsettled)}.")
    if days.empty:
        lines.append(f"No requests on {_named(days.empty)}. If the source was unavailable, charges are missing.")
    return lines


def gaps(statement: Statement) -> list[str]:
    """Sentences about requests without a price and keys without a team."""
    lines = []
    if not statement.prices and not statement.shared:
        lines.append("No prices are configured (chargeback.prices): requests are counted and cost nothing.")
    elif statement.unpriced:
        lines.append(
            f"No price matches {statement.unpriced:,} of {counted(statement.requests, 'request')}. "
            f"{singular_or_plural(statement.unpriced, 'It costs', 'They cost')} nothing."
        )
    without_team = next((team for team in statement.teams if team.team == NO_TEAM), None)
    if without_team is not None and without_team.keys:
        have = counted(without_team.keys, "key has", "keys have")
        lines.append(f"{have} no team in the register: see “{team_name(NO_TEAM)}”.")
    return lines


def describe_price(price: Price) -> str:
    """The requests to which a price applies, in words."""
    patterns = {
        "endpoint": price.endpoint,
        "environment": price.environment,
        "team": price.team,
        "application": price.application,
    }
    conditions = [f"{name} {pattern}" for name, pattern in patterns.items() if pattern is not None]
    return ", ".join(conditions) or "all other requests"


def _some(days: tuple[date, ...], every: int) -> str:
    return f"{len(days)} of {counted(every, 'day')} {singular_or_plural(len(days), 'is', 'are')}"


def _named(days: tuple[date, ...]) -> str:
    """List the days; consecutive days become a range."""
    runs: list[list[date]] = []
    for day in days:
        if runs and runs[-1][-1] + timedelta(days=1) == day:
            runs[-1].append(day)
        else:
            runs.append([day])
    parts = []
    for run in runs:
        parts.append(f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]))
    return ", ".join(parts)

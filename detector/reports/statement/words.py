"""What the formats say alike: amounts, remarks, and what is not charged to anybody."""

from __future__ import annotations

from datetime import date, timedelta

from detector.boundary.words import counted, singular_or_plural
from detector.chargeback.statement import NO_TEAM, Statement
from detector.config.chargeback import Price


def team_name(team: str) -> str:
    """What a team is called where people read."""
    return team if team != NO_TEAM else "no team"


def money(statement: Statement, minor: int) -> str:
    """An amount with separators and without its currency."""
    return f"{statement.money(minor):,}"


def change(team_total: int, before: int | None) -> str:
    """How much more or less than in the month before, in words."""
    if before is None:
        return "–"
    if not before:
        return "new" if team_total else "none"
    percent = round(100 * (team_total - before) / abs(before))
    return f"{percent:+}%" if percent else "0%"


def remarks(statement: Statement) -> list[str]:
    """What must be known before the amounts are believed."""
    days, every = statement.days, len(statement.month.days())
    lines = list(statement.failures)
    if days.ahead:
        lines.append(f"The month is not over: {_some(days.ahead, every)} to come.")
    if days.missing:
        lines.append(f"{_some(days.missing, every)} missing and not charged: {_named(days.missing)}.")
    if days.unsettled:
        lines.append(f"Late rows may still change {_named(days.unsettled)}.")
    if days.empty:
        lines.append(
            f"No request at all was seen on {_named(days.empty)}; where the source was away, they are missing."
        )
    return lines


def gaps(statement: Statement) -> list[str]:
    """What is in the statement and has no price or no owner."""
    lines = []
    if not statement.prices and not statement.shared:
        lines.append("No prices are configured (chargeback.prices), so requests are told and cost nothing.")
    elif statement.unpriced:
        lines.append(
            f"No price fits {statement.unpriced:,} of {counted(statement.requests, 'request')}; "
            f"{singular_or_plural(statement.unpriced, 'it costs', 'they cost')} nothing here."
        )
    own = next((team for team in statement.teams if team.team == NO_TEAM), None)
    if own is not None and own.keys:
        have = counted(own.keys, "key has", "keys have")
        lines.append(f"{have} no team in the register: see “{team_name(NO_TEAM)}”.")
    return lines


def described(price: Price) -> str:
    """What a price is for, in words."""
    parts = {
        "endpoint": price.endpoint,
        "environment": price.environment,
        "team": price.team,
        "application": price.application,
    }
    told = [f"{name} {pattern}" for name, pattern in parts.items() if pattern is not None]
    return ", ".join(told) or "all other requests"


def _some(days: tuple[date, ...], every: int) -> str:
    return f"{len(days)} of {counted(every, 'day')} {singular_or_plural(len(days), 'is', 'are')}"


def _named(days: tuple[date, ...]) -> str:
    """The days by name, runs of them by their ends."""
    runs: list[list[date]] = []
    for day in days:
        if runs and runs[-1][-1] + timedelta(days=1) == day:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)

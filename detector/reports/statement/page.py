"""A month's statement as one HTML page: the total, the amount of each team, and the amount of each key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pandas as pd

from detector.boundary.words import counted
from detector.chargeback.statement import SHARED, Statement, minor_digits
from detector.config.chargeback import PRICE_DECIMALS
from detector.reports.exports.json import plain, tool_version
from detector.reports.page.assets import assets, environment
from detector.reports.statement import StatementFormat
from detector.reports.statement.words import change, describe_price, gaps, money, remarks, team_name

MOST_KEYS = 100
"""The page lists this many keys of a team, the most expensive ones. The CSV and JSON files have all keys."""


@dataclass(frozen=True)
class TeamRow:
    """A team as the page shows it; the widths are percent of the most expensive team's total."""

    name: str
    anchor: str
    keys: int
    requests: int
    usage: str
    shared: str
    total: str
    change: str
    usage_width: float
    shared_width: float
    owners: list[dict[str, Any]]
    left_out: int


class HtmlStatement(StatementFormat):
    """Writes ``statement.html``, one page for people."""

    filename = "statement.html"

    def render(self, statement: Statement) -> str:
        """Render the whole page."""
        return environment().get_template("chargeback.html.j2").render(page=page(statement))


def page(statement: Statement) -> dict[str, Any]:
    """All values that the template shows."""
    return {
        **assets(),
        "statement": statement,
        "label": f"{statement.month.first:%B %Y}",
        "total": money(statement, statement.total),
        "subline": _subline(statement),
        "remarks": remarks(statement),
        "gaps": gaps(statement),
        "facts": list(_facts(statement)),
        "teams": list(_teams(statement)),
        "prices": list(_prices(statement)),
        "shared": list(_shared(statement)),
        "receipt": list(_receipt(statement)),
    }


def _subline(statement: Statement) -> str:
    teams, keys = len(statement.teams), sum(team.keys for team in statement.teams)
    return f"{counted(statement.requests, 'request')} of {counted(keys, 'key')} in {counted(teams, 'team')}."


def _facts(statement: Statement) -> Iterator[tuple[str, str]]:
    yield money(statement, sum(team.usage for team in statement.teams)), "usage costs"
    yield money(statement, sum(team.shared for team in statement.teams)), "shared costs"
    before = statement.before
    if before is None:
        comparison = "no complete data for the previous month"
    else:
        comparison = f"against {money(statement, before)} in the previous month"
    yield change(statement.total, before), comparison
    days = len(statement.month.days())
    yield f"{len(statement.days.stored)} of {days}", "days with data"


def _teams(statement: Statement) -> Iterator[TeamRow]:
    most = max((abs(team.usage) + abs(team.shared) for team in statement.teams), default=0) or 1
    by_team = dict(iter(_by_key(statement).groupby("team")))
    for number, team in enumerate(statement.teams):
        owners = by_team.get(team.team)
        yield TeamRow(
            name=team_name(team.team),
            anchor=f"team-{number}",
            keys=team.keys,
            requests=team.requests,
            usage=money(statement, team.usage),
            shared=money(statement, team.shared),
            total=money(statement, team.total),
            change=change(team.total, team.before),
            usage_width=round(100 * abs(team.usage) / most, 2),
            shared_width=round(100 * abs(team.shared) / most, 2),
            owners=[] if owners is None else list(_owners(statement, owners.head(MOST_KEYS))),
            left_out=0 if owners is None else max(len(owners) - MOST_KEYS, 0),
        )


def _by_key(statement: Statement) -> pd.DataFrame:
    """Requests and amounts by team and key, the most expensive first."""
    lines = statement.lines.assign(
        usage=statement.lines["amount"].where(statement.lines["kind"] != SHARED, 0),
        shared=statement.lines["amount"].where(statement.lines["kind"] == SHARED, 0),
    )
    sums = lines.groupby(["team", "key_id"], as_index=False)[["requests", "usage", "shared", "amount"]].sum()
    owners = statement.owners[["team", "key_id", "name", "environment"]]
    keys = sums.merge(owners, on=["team", "key_id"], how="left")
    return keys.sort_values(["amount", "requests", "key_id"], ascending=[False, False, True])


def _owners(statement: Statement, keys: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for key in keys.fillna("").to_dict("records"):
        yield {
            "key_id": key["key_id"],
            "name": key["name"] or key["key_id"] or "the team itself",
            "environment": key["environment"],
            "requests": int(key["requests"]),
            **{kind: money(statement, key[kind]) for kind in ("usage", "shared")},
            "total": money(statement, key["amount"]),
        }


def _prices(statement: Statement) -> Iterator[dict[str, Any]]:
    lines = statement.lines[statement.lines["kind"] != SHARED]
    requests = lines.groupby("charge")["requests"].sum().to_dict()
    for price in statement.prices:
        count = int(requests.get(price.name, 0))
        per = "per request" if price.per == 1 else f"per {counted(price.per, 'request')}"
        yield {
            "name": price.name,
            "applies": describe_price(price),
            "price": f"{_exact(statement, price.price)} {per}",
            "requests": count,
            "amount": _exact(statement, count * price.price / price.per),
        }


def _exact(statement: Statement, price: Decimal) -> str:
    """Format a number with all its decimals, at least those of the currency and at most ``PRICE_DECIMALS``."""
    exponent = price.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    decimals = min(max(minor_digits(statement.currency), -exponent), PRICE_DECIMALS)
    return f"{price:,.{decimals}f}"


def _shared(statement: Statement) -> Iterator[dict[str, Any]]:
    lines = statement.lines[statement.lines["kind"] == SHARED]
    sums = lines.groupby("charge")["amount"].sum().to_dict()
    words = {
        "requests": "by requests",
        "cost": "by the cost of requests",
        "keys": "by active keys",
        "evenly": "evenly among teams",
    }
    for cost in statement.shared:
        split = words[cost.split] if isinstance(cost.split, str) else _shares(cost.split)
        yield {"name": cost.name, "split": split, "amount": money(statement, int(sums.get(cost.name, 0)))}


def _shares(split: dict[str, int]) -> str:
    total = sum(split.values())
    return ", ".join(f"{team} {share / total:.0%}" for team, share in split.items())


def _receipt(statement: Statement) -> Iterator[tuple[str, str]]:
    month = statement.month
    yield "Month", f"{month.first} to {month.last}, in {statement.timezone.key}"
    yield "Days", f"{len(statement.days.stored)} of {len(month.days())}"
    if statement.final:
        yield "State", "final"
    else:
        yield "State", "not final: a later statement of this month may differ"
    yield "Rounding", "the total to the nearest unit; shares up or down, so that every column adds up"
    yield "Owner of a request", "the team that owned its key on that day"
    yield "Generated", str(plain(statement.generated_at))
    yield "Version", f"detector {tool_version()}"

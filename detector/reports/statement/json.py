"""A statement as JSON, for scripts and for people who check an amount."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from detector.chargeback.statement import Statement, TeamTotal
from detector.reports.exports.json import escaped, plain, tool_version
from detector.reports.statement import StatementFormat
from detector.reports.statement.rows import rows
from detector.reports.statement.words import gaps, remarks

SCHEMA_VERSION = 2
SCHEMA_ID = f"urn:detector:statement:{SCHEMA_VERSION}"


class JsonStatement(StatementFormat):
    """Writes ``statement.json``, for scripts."""

    filename = "statement.json"

    def render(self, statement: Statement) -> str:
        """Render the whole statement.

        Amounts are texts, so that no reader rounds them. Two statements of the same data differ only in
        ``generated_at``.
        """
        days = statement.days
        document = {
            "$schema": SCHEMA_ID,
            "schema_version": SCHEMA_VERSION,
            "generated_at": plain(statement.generated_at),
            "tool": {"name": "detector", "version": tool_version()},
            "month": str(statement.month),
            "timezone": statement.timezone.key,
            "organization": statement.organization,
            "currency": statement.currency,
            "final": statement.final,
            "remarks": [*remarks(statement), *gaps(statement)],
            "days": {
                "stored": len(days.stored),
                **{kind: plain(getattr(days, kind)) for kind in ("missing", "ahead", "empty", "unsettled")},
            },
            "total": _amount(statement, statement.total),
            "total_before": _amount_or_none(statement, statement.before),
            "requests": statement.requests,
            "requests_without_price": statement.unpriced,
            "prices": [_plain_amounts(price.model_dump()) for price in statement.prices],
            "shared": [_plain_amounts(cost.model_dump()) for cost in statement.shared],
            "teams": [_team(statement, team) for team in statement.teams],
            "charges": list(_charges(statement)),
        }
        return escaped(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)) + "\n"


def _team(statement: Statement, team: TeamTotal) -> dict[str, Any]:
    amounts = {kind: _amount(statement, getattr(team, kind)) for kind in ("usage", "shared", "total")}
    before = _amount_or_none(statement, team.before)
    return {"team": team.team or None, "keys": team.keys, "requests": team.requests, **amounts, "before": before}


def _charges(statement: Statement) -> Iterator[dict[str, Any]]:
    """The rows as plain JSON types, without the fields that the document has once."""
    for row in rows(statement):
        yield _plain_amounts({name: value for name, value in row.items() if name not in ("month", "currency")})


def _plain_amounts(record: dict[str, Any]) -> dict[str, Any]:
    """Convert exact numbers to texts without exponent."""
    return {name: f"{value:f}" if isinstance(value, Decimal) else value for name, value in record.items()}


def _amount_or_none(statement: Statement, minor: int | None) -> str | None:
    return None if minor is None else _amount(statement, minor)


def _amount(statement: Statement, minor: int) -> str:
    return str(statement.money(minor))

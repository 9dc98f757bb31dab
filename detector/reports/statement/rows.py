"""The charges of a statement as flat records, which CSV, JSON and FOCUS share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from detector.chargeback.statement import LINE_COLUMNS, OWNER_COLUMNS, SHARED, Statement


def rows(statement: Statement) -> Iterator[dict[str, Any]]:
    """The charges with what is known of their keys; what does not apply is null."""
    prices = {price.name: price for price in statement.prices}
    owners = zip(*(statement.owners[name].tolist() for name in OWNER_COLUMNS), strict=True)
    known = {(team, key): facts for team, key, *facts in owners}
    lines = zip(*(statement.lines[name].tolist() for name in LINE_COLUMNS), strict=True)
    for team, key, charge, kind, requests, amount in lines:
        name, environment, application = known.get((team, key), ("", "", ""))
        price = prices.get(charge) if kind != SHARED else None
        yield {
            "month": str(statement.month),
            "team": team or None,
            "application": application or None,
            "key_id": key or None,
            "name": name or None,
            "environment": environment or None,
            "charge": charge or "no price",
            "kind": kind,
            "requests": None if kind == SHARED else requests,
            "price": price and price.price,
            "per": price and price.per,
            "currency": statement.currency,
            "amount": statement.money(amount),
        }

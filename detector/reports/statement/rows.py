"""The charges of a statement as flat records. CSV, JSON and FOCUS use the same records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from detector.chargeback.statement import LINE_COLUMNS, OWNER_COLUMNS, SHARED, Statement


def rows(statement: Statement) -> Iterator[dict[str, Any]]:
    """One record per charge, with the name, environment and application of its key.

    A field that does not apply to a charge is None.
    """
    # Within one month the names of prices are unique.
    prices = {price.name: price for price in statement.prices}
    owners = statement.owners[list(OWNER_COLUMNS)].itertuples(index=False, name=None)
    details = {
        (team, key): (name, environment, application) for team, key, name, environment, application in owners
    }
    lines = statement.lines[list(LINE_COLUMNS)].itertuples(index=False, name=None)
    for team, key, charge, kind, requests, amount in lines:
        name, environment, application = details.get((team, key), ("", "", ""))
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

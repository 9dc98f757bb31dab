"""Statements of a month, made from the records of its days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from detector.chargeback.statement import Month, Statement, charge, days_of, measure, totals
from detector.config.chargeback import Price, Shared
from detector.model.usage import RECORD_COLUMNS
from detector.usage.aggregation import conform

UTC_ZONE = ZoneInfo("UTC")
FEBRUARY = Month(2026, 2)
AFTER = datetime(2026, 3, 10, tzinfo=UTC)
HOSTILE = ("=HYPERLINK(1)", "<script>alert(1)</script>", "\x1b[31mred", "\u202elive", "'; DROP--", 'a,b\n"c\\d')
"""Names that act as a formula, as markup or as a control character where nothing stops them."""


def day(*keys: Mapping[str, Any]) -> pd.DataFrame:
    """The records of a day. Each key gives its id, and what differs from an active live key without requests."""
    rows = []
    for key in keys:
        paths = dict(key.get("paths", {}))
        base = {"name": key["key_id"], "environment": "live", "active": True, "registered": True, "team": None}
        used = {"request_count": sum(paths.values()), "error_count": 0, "longest_silence": 0}
        rows.append({**base, **used, **key, "endpoint_distribution": list(paths.items()), "deployments": []})
    return conform(pd.DataFrame(rows), RECORD_COLUMNS)


def statement(
    days: Sequence[pd.DataFrame],
    prices: Sequence[Price] = (),
    shared: Sequence[Shared] = (),
    *,
    currency: str = "EUR",
    before: Sequence[pd.DataFrame] | None = None,
    now: datetime = AFTER,
) -> Statement:
    """February's statement; ``days`` has the records of its first days, in order."""
    usage = measure(iter(days), prices)
    lines = charge(usage, prices, shared, currency)
    lines_before = None if before is None else charge(measure(iter(before), prices), prices, (), currency)
    stored = dict.fromkeys(FEBRUARY.days()[: len(days)], (now, True))
    return Statement(
        month=FEBRUARY,
        timezone=UTC_ZONE,
        organization=None,
        source="main",
        currency=currency,
        prices=tuple(prices),
        shared=tuple(shared),
        lines=lines,
        owners=usage.owners,
        teams=totals(lines, usage.owners, lines_before),
        days=days_of(FEBRUARY, UTC_ZONE, stored, 2, now),
        failures=(),
        generated_at=now,
    )

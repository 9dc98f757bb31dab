"""Cases of revoked keys in use."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd

from detector.model.panel import Panel
from detector.model.usage import INSTANT
from tests.cases import Case
from tests.panels import panel


def revoked(current: int, at: datetime | None, last_used: datetime | None = None) -> Panel:
    """A busy key, and one that was revoked; the judged day is 17 March 2026."""
    made = panel({"busy": [5] * 31, "gone": [4] * 20 + [0] * 10 + [current]})
    return replace(
        made,
        records=made.records.assign(
            revoked_at=pd.array([None, at], dtype=INSTANT),
            last_used=pd.array([None, last_used], dtype=INSTANT),
            active=[True, at is None or at > datetime(2026, 3, 18, tzinfo=UTC)],
        ),
    )


NAMED = frozenset({"gone"})

CASES = (
    Case("one request ten days after", lambda: revoked(1, datetime(2026, 3, 7, tzinfo=UTC)), NAMED),
    Case(
        "revoked at the day's first instant",
        lambda: revoked(1, datetime(2026, 3, 17, tzinfo=UTC)),
        NAMED,
    ),
    Case(
        "on the day itself, times unknown",
        lambda: revoked(9, datetime(2026, 3, 17, 15, tzinfo=UTC)),
        NAMED,
    ),
    Case(
        "on the day itself, last used after the revocation",
        lambda: revoked(9, datetime(2026, 3, 17, 15, tzinfo=UTC), datetime(2026, 3, 17, 16, tzinfo=UTC)),
        NAMED,
    ),
    Case(
        "on the day itself, last used before the revocation",
        lambda: revoked(9, datetime(2026, 3, 17, 15, tzinfo=UTC), datetime(2026, 3, 17, 14, tzinfo=UTC)),
    ),
    Case(
        "a last use that is only a day says nothing",
        lambda: revoked(9, datetime(2026, 3, 17, 15, tzinfo=UTC), datetime(2026, 3, 17, tzinfo=UTC)),
        NAMED,
    ),
    Case("revoked and silent", lambda: revoked(0, datetime(2026, 3, 7, tzinfo=UTC))),
    Case("revoked the day after", lambda: revoked(9, datetime(2026, 3, 18, 1, tzinfo=UTC))),
    Case("revoked at the very end of the day", lambda: revoked(9, datetime(2026, 3, 18, tzinfo=UTC))),
    Case("never revoked", lambda: revoked(9, None)),
)

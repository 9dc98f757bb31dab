"""Cases of dormant keys that wake."""

from __future__ import annotations

from datetime import timedelta

from tests.cases import Case
from tests.panels import DAY, panel

BUSY = [5] * 121

CASES = (
    Case(
        "forty silent days, then a request",
        lambda: panel({"busy": BUSY, "sleeper": [3] * 80 + [0] * 40 + [1]}),
        fires=frozenset({"sleeper"}),
    ),
    Case("twenty-nine silent days", lambda: panel({"busy": BUSY, "napper": [3] * 91 + [0] * 29 + [1]})),
    Case("still asleep", lambda: panel({"busy": BUSY, "sleeper": [3] * 80 + [0] * 41})),
    Case(
        "a registered key never used until that day",
        lambda: panel({"busy": BUSY, "unused": [0] * 120 + [7]}),
        fires=frozenset({"unused"}),
    ),
    Case(
        "a key that nobody registered is new, not dormant",
        lambda: panel({"busy": BUSY, "stranger": [0] * 120 + [7]}, registered=["busy"]),
        not_judged=frozenset({"stranger"}),
    ),
    Case(
        "a monthly job in its own rhythm",
        lambda: panel({"busy": BUSY * 2, "monthly": ([0] * 34 + [9]) * 6 + [0] * 31 + [9]}),
    ),
    Case(
        "an outage is no silence",
        lambda: panel({"busy": BUSY, "steady": [4] * 85 + [0] * 35 + [4]}, missing=range(85, 120)),
    ),
    Case(
        "the source knows of a use long before the history",
        lambda: panel(
            {"busy": [5] * 6, "old": [0, 0, 0, 0, 0, 2]},
            last_seen={"old": DAY - timedelta(days=200)},
        ),
        fires=frozenset({"old"}),
    ),
)

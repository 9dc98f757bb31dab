"""Cases of keys that went silent."""

from __future__ import annotations

from detector.model.panel import Panel
from tests.cases import Case
from tests.panels import panel

DAYS = 80
STEADY = [20, 25, 18, 30] * 20


def silent(days: int, before: list[int] | None = None, **options: object) -> Panel:
    """Twenty steady keys, and one that has been silent for some days."""
    steady = {f"key-{index:02d}": STEADY for index in range(20)}
    history = (before or STEADY)[: DAYS - days]
    return panel(steady | {"gone": [0] * (DAYS - days - len(history)) + history + [0] * days}, **options)  # type: ignore[arg-type]


def _fleet_silent(keys: int) -> Panel:
    quiet = [*STEADY[:-3], 0, 0, 0]
    return panel({f"key-{index:02d}": quiet if index < keys else STEADY for index in range(20)})


CASES = (
    Case("the third silent day", lambda: silent(3), fires=frozenset({"gone"})),
    Case("still silent after thirty days", lambda: silent(30), fires=frozenset({"gone"})),
    Case("the second silent day", lambda: silent(2)),
    Case("dormant by now", lambda: silent(31)),
    Case("silent for two days that were seen", lambda: silent(4, missing=[-2, -3])),
    Case("three seen days around a gap", lambda: silent(5, missing=[-2, -3]), fires=frozenset({"gone"})),
    Case("a key that rests at the weekend", lambda: silent(3, [9, 9, 9, 9, 9, 0, 0] * 12)),
    Case(
        "a young key",
        lambda: silent(3, [9] * 20, unborn={"gone": DAYS - 23}),
        not_judged=frozenset({"gone"}),
    ),
    Case("a key never used", lambda: panel({"busy": STEADY, "unused": [0] * DAYS})),
    Case(
        "half of the fleet fell silent",
        lambda: _fleet_silent(10),
        not_judged=frozenset({f"key-{index:02d}" for index in range(10)}),
    ),
    Case("two of twenty keys", lambda: _fleet_silent(2), fires=frozenset({"key-00", "key-01"})),
)

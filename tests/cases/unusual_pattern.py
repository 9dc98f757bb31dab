"""Cases of unusual patterns."""

from __future__ import annotations

from detector.model.panel import Panel
from tests.cases import Case
from tests.cases.usage_spike import fleet, with_last
from tests.panels import panel

USUAL = {"GET /v1/things": 20, "POST /v1/things": 5}
STRANGE = {f"GET /v1/admin/{name}": 30 for name in ("users", "keys", "audit")}


def mixed(changed: dict[str, dict[str, int]]) -> Panel:
    """A fleet with the same endpoint mix on every day, but for some keys that day."""
    counts = fleet() | {key: [*fleet()[key][:-1], sum(mix.values())] for key, mix in changed.items()}
    earlier = dict.fromkeys(counts, USUAL)
    return panel(counts, endpoints=earlier | changed, earlier_endpoints=earlier)


CASES = (
    Case("endpoints that were never used", lambda: mixed({"key-010": STRANGE}), fires=frozenset({"key-010"})),
    Case("a hundredfold day", lambda: panel(with_last(fleet(), key_003=10_000)), fires=frozenset({"key-003"})),
    Case("an ordinary day", lambda: mixed({})),
    Case(
        "too small a past to learn from", lambda: panel({"a": [5] * 20, "b": [6] * 20}), not_judged=frozenset("ab")
    ),
)

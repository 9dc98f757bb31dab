"""Cases of keys outside their environment."""

from __future__ import annotations

from detector.model.panel import Panel
from tests.cases import Case
from tests.panels import panel


def one(environment: str, **deployments: int) -> Panel:
    """One key of an environment, with that day's requests by deployment."""
    total = sum(deployments.values())
    return panel({"key": [10] * 30 + [total]}, environment={"key": environment}, deployments={"key": deployments})


CASES = (
    Case(
        "one request of a test key in production",
        lambda: one("test", staging=40, production=1),
        frozenset({"key"}),
    ),
    Case("a live key in staging", lambda: one("live", staging=40), frozenset({"key"})),
    Case("a test key at home", lambda: one("test", staging=40)),
    Case("a live key at home", lambda: one("live", production=40)),
    Case(
        "a deployment that the policy does not name",
        lambda: one("test", canary=40),
        not_judged=frozenset({"key"}),
    ),
    Case("a key of unknown environment", lambda: one("unknown", production=40), not_judged=frozenset({"key"})),
    Case(
        "no word of where the traffic was seen",
        lambda: panel({"key": [9] * 31}),
        not_judged=frozenset({"key"}),
    ),
)

"""Cases of names that contradict the register."""

from __future__ import annotations

from detector.model.panel import Panel
from tests.cases import Case
from tests.panels import panel


def one(name: str, environment: str, deployments: bool = True) -> Panel:
    """A single key with a name, at home in its deployment."""
    home = {"live": "production", "test": "staging"}[environment]
    return panel(
        {"key": [9] * 40},
        environment={"key": environment},
        names={"key": name},
        deployments={"key": {home: 9}} if deployments else None,
    )


CASES = (
    Case("a live key named after staging", lambda: one("checkout-staging", "live"), fires=frozenset({"key"})),
    Case("a test key named after production", lambda: one("checkout PROD 7", "test"), fires=frozenset({"key"})),
    Case("a name that fits", lambda: one("checkout-prod", "live")),
    Case("a name that only looks like it", lambda: one("contest-product-feed", "test")),
    Case("without deployments the name is a ground of its own", lambda: one("checkout-staging", "live", False)),
)

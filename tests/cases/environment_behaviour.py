"""Cases of keys that behave or are named like the other environment."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from detector.model.panel import Panel
from tests.cases import Case
from tests.panels import panel

LIVE_MIX, TEST_MIX = {"GET /v1/orders": 60, "POST /v1/payments": 40}, {"GET /v1/orders": 10, "GET /v1/health": 90}


def organization(
    live_like: Collection[str] = (),
    *,
    live: int = 200,
    test: int = 100,
    alike: bool = False,
    deployments: bool = False,
) -> Panel:
    """Live keys are busy all week, test keys make few requests on weekdays; ``live_like`` are the exceptions."""
    rng = np.random.default_rng(11)
    keys = {f"live-{index:03d}": "live" for index in range(live)} | {
        f"test-{index:03d}": "test" for index in range(test)
    }
    weekend = np.array([(day + 1) % 7 >= 5 for day in range(60)])[::-1]
    counts, mixes = {}, {}
    for key, environment in keys.items():
        busy = environment == "live" or key in live_like or alike
        rate = np.exp(rng.normal(5 if busy else 2, 0.7)) * np.where(weekend & (not busy), 0.1, 1)
        counts[key] = rng.poisson(rate, 60).tolist()
        counts[key][-1] = max(counts[key][-1], 1)
        names, shares = zip(*(LIVE_MIX if busy else TEST_MIX).items(), strict=True)
        drawn = rng.multinomial(40, rng.dirichlet(np.array(shares) / 5))
        mixes[key] = dict(zip(names, drawn.tolist(), strict=True))
    places = {key: {"production" if kind == "live" else "staging": counts[key][-1]} for key, kind in keys.items()}
    return panel(
        counts,
        environment=keys,
        endpoints=mixes,
        earlier_endpoints=mixes,
        deployments=places if deployments else None,
        names=dict.fromkeys(keys, "service"),
    )


def named(name: str, environment: str) -> Panel:
    """A single key with a name."""
    return panel({"key": [9] * 40}, environment={"key": environment}, names={"key": name})


STRAYS = frozenset({"test-003", "test-041", "test-077"})

CASES = (
    Case("three test keys used like live ones", lambda: organization(STRAYS), fires=STRAYS),
    Case("everybody at home", organization),
    Case("deployments are known", lambda: organization(STRAYS, deployments=True)),
    Case("a live key named after staging", lambda: named("checkout-staging", "live"), fires=frozenset({"key"})),
    Case(
        "a live key named after production", lambda: named("checkout-prod", "live"), not_judged=frozenset({"key"})
    ),
    Case(
        "a name that speaks of both", lambda: named("prod-to-staging-sync", "live"), not_judged=frozenset({"key"})
    ),
)

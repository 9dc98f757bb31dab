"""Cases of endpoint shifts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from detector.model.panel import DailyCounts, Panel
from tests.cases import Case
from tests.panels import panel

DAYS = 60
USUAL = {"GET /orders": 20, "GET /items": 10, "POST /orders": 10}
NEW = {f"GET /admin/{index}": 2 for index in range(10)}
TENFOLD = {name: count * 10 for name, count in USUAL.items()}

Mix = Mapping[str, int]


def mixed(histories: Mapping[str, Sequence[Mix]], missing: Sequence[int] = (), **options: object) -> Panel:
    """A panel from one endpoint mix a day for each key, the judged day last."""
    keys = sorted(histories)
    totals = {key: [sum(mix.values()) for mix in histories[key]] for key in keys}
    names = sorted({name for mixes in histories.values() for mix in mixes for name in mix})
    days = [
        csr_array(np.array([[histories[key][day].get(name, 0) for name in names] for key in keys]))
        for day in range(len(histories[keys[0]]))
    ]
    made = panel(totals, endpoints={key: histories[key][-1] for key in keys}, missing=missing, **options)  # type: ignore[arg-type]
    return replace(
        made,
        endpoint_counts=lambda count: DailyCounts(pd.Index(names, dtype=object), days[-count:]),
        maps=lambda _, wanted: [
            {key: dict(histories[key][day]) for key in wanted} for day in range(len(days) - 1)
        ],
    )


def drawn(mix: Mix, days: int = DAYS, seed: int = 5, requests: int = 40) -> list[dict[str, int]]:
    """Days of requests drawn from one mix."""
    rng, weights = np.random.default_rng(seed), np.array(list(mix.values()), dtype=float)
    counts = rng.multinomial(requests, weights / weights.sum(), size=days)
    return [{name: int(count) for name, count in zip(mix, row, strict=True) if count} for row in counts]


def fleet(current: Mapping[str, Mix], keys: int = 60) -> Panel:
    """Keys with one usual mix, and another one that day for some."""
    histories = {f"key-{index:02d}": drawn(USUAL, seed=index) for index in range(keys)}
    return mixed({key: [*days[:-1], current.get(key, days[-1])] for key, days in histories.items()})


def alone(days: Sequence[Mix], **options: object) -> Panel:
    """A single key, ``own``."""
    return mixed({"own": days}, **options)


def wandering(current: Mix) -> list[Mix]:
    """A key that calls one of five endpoints a day, as a rotating job does."""
    return [{f"GET /job/{day % 5}": 40} for day in range(DAYS - 1)] + [current]


CASES = (
    Case(
        "most requests go to ten endpoints never used before",
        lambda: fleet({"key-03": {"GET /orders": 10, **NEW}}),
        fires=frozenset({"key-03"}),
    ),
    Case(
        "six of ten requests go to new endpoints",
        lambda: fleet({"key-03": {"GET /orders": 4, **dict.fromkeys(list(NEW)[:6], 1)}}),
        fires=frozenset({"key-03"}),
    ),
    Case(
        "all requests go to an endpoint that was rare",
        lambda: alone([*[{"GET /orders": 39, "DELETE /orders": 1}] * 59, {"DELETE /orders": 40}]),
        fires=frozenset({"own"}),
    ),
    Case(
        "a single busy day of history is enough to see a shift",
        lambda: alone([*[{}] * 58, {"GET /orders": 400}, {"GET /orders": 95, **dict.fromkeys(NEW, 14)}]),
        fires=frozenset({"own"}),
    ),
    Case("an ordinary day", lambda: fleet({})),
    Case("one request to a new endpoint", lambda: fleet({"key-03": {**USUAL, "GET /health": 1}})),
    Case("few requests, all of them elsewhere", lambda: fleet({"key-03": {"GET /admin/1": 6}})),
    Case("ten times the requests in the same mix", lambda: fleet({"key-03": TENFOLD})),
    Case("a key that calls another endpoint every day", lambda: alone(wandering({"GET /job/4": 40}))),
    Case(
        "a key whose every request has a path of its own",
        lambda: alone([{f"GET /item/{day}-{i}": 2 for i in range(20)} for day in range(DAYS)]),
    ),
    Case(
        "a second shift is not excused by the first",
        lambda: alone([*drawn(USUAL, 40), {"GET /orders": 10, **NEW}, *drawn(USUAL, 18, 9), {"GET /keys": 40}]),
        fires=frozenset({"own"}),
    ),
    Case(
        "a release moves the whole fleet",
        lambda: fleet({f"key-{index:02d}": {f"GET /v2/{index % 3}": 40} for index in range(60)}),
    ),
    Case(
        "two of five keys at once",
        lambda: fleet({key: {"GET /orders": 10, **NEW} for key in ("key-00", "key-01")}, keys=5),
        fires=frozenset({"key-00", "key-01"}),
    ),
    Case("silent that day", lambda: fleet({"key-03": {}})),
    Case(
        "the source does not say which endpoints",
        lambda: alone([{"(unknown)": 40}] * DAYS),
        not_judged=frozenset({"own"}),
    ),
    Case("no endpoint at all", lambda: panel({"own": [40] * DAYS}), not_judged=frozenset({"own"})),
    Case(
        "hardly any history",
        lambda: alone([{}] * (DAYS - 2) + [{"GET /orders": 3}, {"GET /admin/1": 40}]),
        not_judged=frozenset({"own"}),
    ),
    Case(
        "a key with five days of history",
        lambda: alone([*[{}] * 54, *[USUAL] * 5, NEW], unborn={"own": 54}),
        not_judged=frozenset({"own"}),
    ),
)

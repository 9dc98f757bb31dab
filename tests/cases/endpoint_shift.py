"""Cases of endpoint shifts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from detector.model.panel import Mixes, Panel
from tests.cases import Case
from tests.panels import panel

NIGHTS = 60
USUAL = {"GET /orders": 20, "GET /items": 10, "POST /orders": 10}
NEW = {f"GET /admin/{index}": 2 for index in range(10)}
TENFOLD = {name: count * 10 for name, count in USUAL.items()}

Mix = Mapping[str, int]


def mixed(histories: Mapping[str, Sequence[Mix]], missing: Sequence[int] = (), **options: object) -> Panel:
    """A panel from one endpoint mix a night for each key, the judged night last."""
    keys = sorted(histories)
    totals = {key: [sum(mix.values()) for mix in histories[key]] for key in keys}
    names = sorted({name for mixes in histories.values() for mix in mixes for name in mix})
    nights = [
        csr_array(np.array([[histories[key][night].get(name, 0) for name in names] for key in keys]))
        for night in range(len(histories[keys[0]]))
    ]
    made = panel(totals, endpoints={key: histories[key][-1] for key in keys}, missing=missing, **options)  # type: ignore[arg-type]
    return replace(
        made,
        mixes=lambda count: Mixes(pd.Index(names, dtype=object), nights[-count:]),
        maps=lambda _, wanted: [
            {key: dict(histories[key][night]) for key in wanted} for night in range(len(nights) - 1)
        ],
    )


def drawn(mix: Mix, nights: int = NIGHTS, seed: int = 5, requests: int = 40) -> list[dict[str, int]]:
    """Nights of requests drawn from one mix."""
    rng, weights = np.random.default_rng(seed), np.array(list(mix.values()), dtype=float)
    counts = rng.multinomial(requests, weights / weights.sum(), size=nights)
    return [{name: int(count) for name, count in zip(mix, row, strict=True) if count} for row in counts]


def fleet(tonight: Mapping[str, Mix], keys: int = 60) -> Panel:
    """Keys with one usual mix, and another one tonight for some."""
    histories = {f"key-{index:02d}": drawn(USUAL, seed=index) for index in range(keys)}
    return mixed({key: [*nights[:-1], tonight.get(key, nights[-1])] for key, nights in histories.items()})


def alone(nights: Sequence[Mix], **options: object) -> Panel:
    """A single key, ``own``."""
    return mixed({"own": nights}, **options)


def wandering(tonight: Mix) -> list[Mix]:
    """A key that calls one of five endpoints a night, as a rotating job does."""
    return [{f"GET /job/{night % 5}": 40} for night in range(NIGHTS - 1)] + [tonight]


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
        "a single busy night of history is enough to see a shift",
        lambda: alone([*[{}] * 58, {"GET /orders": 400}, {"GET /orders": 95, **dict.fromkeys(NEW, 14)}]),
        fires=frozenset({"own"}),
    ),
    Case("an ordinary night", lambda: fleet({})),
    Case("one request to a new endpoint", lambda: fleet({"key-03": {**USUAL, "GET /health": 1}})),
    Case("few requests, all of them elsewhere", lambda: fleet({"key-03": {"GET /admin/1": 6}})),
    Case("ten times the requests in the same mix", lambda: fleet({"key-03": TENFOLD})),
    Case("a key that calls another endpoint every night", lambda: alone(wandering({"GET /job/4": 40}))),
    Case(
        "a key whose every request has a path of its own",
        lambda: alone([{f"GET /item/{night}-{i}": 2 for i in range(20)} for night in range(NIGHTS)]),
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
    Case("silent tonight", lambda: fleet({"key-03": {}})),
    Case(
        "the source does not say which endpoints",
        lambda: alone([{"(unknown)": 40}] * NIGHTS),
        not_judged=frozenset({"own"}),
    ),
    Case("no endpoint at all", lambda: panel({"own": [40] * NIGHTS}), not_judged=frozenset({"own"})),
    Case(
        "hardly any history",
        lambda: alone([{}] * (NIGHTS - 2) + [{"GET /orders": 3}, {"GET /admin/1": 40}]),
        not_judged=frozenset({"own"}),
    ),
    Case(
        "a key with five nights of history",
        lambda: alone([*[{}] * 54, *[USUAL] * 5, NEW], unborn={"own": 54}),
        not_judged=frozenset({"own"}),
    ),
)

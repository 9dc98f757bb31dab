"""Cases of usage spikes."""

from __future__ import annotations

import numpy as np

from detector.model.panel import Panel
from tests.cases import Case
from tests.panels import panel


def fleet(keys: int = 60, days: int = 100, seed: int = 7) -> dict[str, list[int]]:
    """Poisson keys of different sizes, ``key-000`` to ``key-059``."""
    rng = np.random.default_rng(seed)
    rates = np.exp(rng.normal(3, 1, keys))
    counts = rng.poisson(rates[:, None], (keys, days))
    return {f"key-{index:03d}": row.tolist() for index, row in enumerate(counts)}


def with_last(counts: dict[str, list[int]], **last: int) -> dict[str, list[int]]:
    """The same fleet with other counts on the judged day; underscores stand for dashes."""
    return counts | {
        key.replace("_", "-"): [*counts[key.replace("_", "-")][:-1], count] for key, count in last.items()
    }


def _all_times(factor: int) -> Panel:
    return panel({key: [*counts[:-1], counts[-1] * factor] for key, counts in fleet().items()})


CASES = (
    Case("a hundredfold day", lambda: panel(with_last(fleet(), key_003=10_000)), fires=frozenset({"key-003"})),
    Case("an ordinary day", lambda: panel(fleet())),
    Case("a constant history that moves by one", lambda: panel(fleet() | {"constant": [100] * 99 + [101]})),
    Case(
        "a constant history that is multiplied",
        lambda: panel(fleet() | {"constant": [100] * 99 + [1_000]}),
        fires=frozenset({"constant"}),
    ),
    Case("few requests, however unusual", lambda: panel(fleet() | {"tiny": [0] * 90 + [1] * 9 + [9]})),
    Case(
        "a key with five days of history",
        lambda: panel(fleet() | {"young": [0] * 94 + [5, 5, 5, 5, 5, 900]}, unborn={"young": 94}),
        not_judged=frozenset({"young"}),
    ),
    Case("the whole fleet triples", lambda: _all_times(3)),
    Case(
        "two of five keys multiply at once",
        lambda: panel({f"k{index}": [50] * 99 + [500 if index < 2 else 50] for index in range(5)}),
        fires=frozenset({"k0", "k1"}),
    ),
    Case(
        "a single key of a single-key fleet",
        lambda: panel({"only": [20, 22, 19, 21] * 25 + [300]}),
        fires=frozenset({"only"}),
    ),
    Case(
        "a gap in the history is not a day of zeros",
        lambda: panel({"steady": [400] * 50 + [0] * 10 + [400] * 40 + [410]}, missing=range(50, 60)),
    ),
    Case("a first use is not a spike", lambda: panel(fleet() | {"first": [0] * 99 + [500]})),
)

"""Cases of young keys among the heaviest."""

from __future__ import annotations

from detector.model.panel import Panel
from tests.cases import Case
from tests.cases.usage_spike import fleet
from tests.panels import panel

DAYS = 100


def with_young(last: list[int], keys: int = 60, **options: object) -> Panel:
    """A fleet with a history, and a key that exists only on the last days."""
    unborn = DAYS - len(last)
    counts = fleet(keys=keys) | {"young": [0] * unborn + last}
    return panel(counts, unborn={"young": unborn}, **options)  # type: ignore[arg-type]


CASES = (
    Case("heavy on its first day", lambda: with_young([5_000]), fires=frozenset({"young"})),
    Case("heavy on its sixth day", lambda: with_young([1, 0, 2, 1, 0, 5_000]), fires=frozenset({"young"})),
    Case("an ordinary first day", lambda: with_young([20])),
    Case("a heavy key that is old enough to have a history", lambda: with_young([5_000] * 9)),
    Case("young and silent", lambda: with_young([0, 0, 0])),
    Case("a quiet day makes no key heavy", lambda: _quiet_day(30)),
    Case("a fleet of ten keys", lambda: with_young([5_000], keys=10), fires=frozenset({"young"})),
    Case(
        "no more than the busiest of ten keys on its highest day",
        lambda: with_young([max(max(counts) for counts in fleet(keys=10).values())], keys=10),
    ),
    Case(
        "a single key with a history",
        lambda: panel({"old": [20] * 100, "young": [0] * 99 + [500]}, unborn={"young": 99}),
        fires=frozenset({"young"}),
    ),
    Case(
        "no key with a history",
        lambda: panel({"young": [0] * 99 + [500]}, unborn={"young": 99}),
        not_judged=frozenset({"young"}),
    ),
    Case(
        "hundreds of new names with one request each",
        lambda: _among_names(300, 1),
        fires=frozenset({"young"}),
    ),
    Case(
        "names outside the register in heavy use hide no key of the register",
        lambda: _among_names(80, 900, registered=[*fleet(), "young"]),
        fires=frozenset({"young"}),
        not_judged=frozenset({f"name-{index:03d}" for index in range(80)}),
    ),
    Case(
        "a new installation, in which all keys are young",
        lambda: panel({f"key-{index:02d}": [index, 10 * index] for index in range(40)}),
        not_judged=frozenset({f"key-{index:02d}" for index in range(1, 40)}),
    ),
    Case(
        "many keys made at once",
        lambda: panel(
            fleet(keys=30) | {f"new-{index:02d}": [0] * 99 + [900] for index in range(40)},
            unborn={f"new-{index:02d}": 99 for index in range(40)},
        ),
        not_judged=frozenset({f"new-{index:02d}" for index in range(40)}),
    ),
    Case(
        "a gap does not make an old key young",
        lambda: panel(fleet() | {"old": [900] * 100}, missing=range(70, 99)),
    ),
)


def _among_names(names: int, requests: int, **options: object) -> Panel:
    """A heavy young key on the first day of many other names."""
    counts = {f"name-{index:03d}": [0] * 99 + [requests] for index in range(names)} | {"young": [0] * 99 + [5_000]}
    return panel(fleet() | counts, unborn=dict.fromkeys(counts, 99), **options)  # type: ignore[arg-type]


def _quiet_day(requests: int) -> Panel:
    """All others make one request that day; the young key more than they do, yet less than they usually do."""
    quiet = {key: [*counts[:-1], 1] for key, counts in fleet().items()}
    return panel(quiet | {"young": [0] * 99 + [requests]}, unborn={"young": 99})

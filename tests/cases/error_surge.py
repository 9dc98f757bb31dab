"""Cases of error surges."""

from __future__ import annotations

import numpy as np

from detector.model.panel import Panel
from tests.cases import Case
from tests.panels import panel

DAYS = 60


def fleet(
    current: dict[str, tuple[int, int]], *, rate: float = 0.02, day_rate: float | None = None, keys: int = 60
) -> Panel:
    """Keys of 40 requests a day that fail at a rate, with other requests and errors that day for some."""
    rng = np.random.default_rng(3)
    requests = {f"key-{index:02d}": rng.poisson(40, DAYS).tolist() for index in range(keys)}
    errors = {key: rng.binomial(counts, rate).tolist() for key, counts in requests.items()}
    if day_rate is not None:
        for key, counts in requests.items():
            errors[key][-1] = int(rng.binomial(counts[-1], day_rate))
    for key, (count, failed) in current.items():
        requests[key][-1], errors[key][-1] = count, failed
    return panel(requests, errors=errors)


def with_history(requests: list[int], errors: list[int], current: tuple[int, int], **options: object) -> Panel:
    """The fleet and one more key, ``own``, with a history of its own."""
    others = fleet({})
    rows = {str(key): others.requests[row].tolist() for row, key in enumerate(others.keys)}
    failed = {str(key): others.errors[row].tolist() for row, key in enumerate(others.keys)}
    rows["own"], failed["own"] = [*requests, current[0]], [*errors, current[1]]
    return panel(rows, errors=failed, **options)  # type: ignore[arg-type]


CONSTANT = [30] * (DAYS - 1)
NOISY = [0, 3, 0, 21, 1, 0, 16, 0, 2, 24, 0, 0, 12] * 5

CASES = (
    Case("six in ten requests fail", lambda: fleet({"key-07": (40, 24)}), fires=frozenset({"key-07"})),
    Case("six of ten requests of a small key", lambda: fleet({"key-07": (10, 6)}), fires=frozenset({"key-07"})),
    Case("an ordinary day", lambda: fleet({})),
    Case("a single error of ten requests", lambda: fleet({"key-07": (10, 1)})),
    Case("every one of three requests fails", lambda: fleet({"key-07": (3, 3)})),
    Case("ten times the requests at the usual rate", lambda: fleet({"key-07": (400, 9)})),
    Case("no request at all", lambda: fleet({"key-07": (0, 0)})),
    Case("a noisy key in one of its bad days", lambda: with_history(CONSTANT, NOISY[: DAYS - 1], (30, 20))),
    Case(
        "the same day in a key that never failed",
        lambda: with_history(CONSTANT, [0] * (DAYS - 1), (30, 20)),
        fires=frozenset({"own"}),
    ),
    Case(
        "a second surge is not excused by the first",
        lambda: with_history(CONSTANT, [0] * 40 + [25] + [0] * (DAYS - 42), (30, 20)),
        fires=frozenset({"own"}),
    ),
    Case(
        "the errors of a day nobody saw teach nothing",
        lambda: with_history(CONSTANT, [0] * 20 + [25] * 15 + [0] * (DAYS - 36), (30, 20), missing=range(20, 35)),
        fires=frozenset({"own"}),
    ),
    Case("a platform incident raises the errors of all", lambda: fleet({}, day_rate=0.3)),
    Case(
        "one key far beyond a platform incident",
        lambda: fleet({"key-07": (60_000, 59_000)}, day_rate=0.1),
        fires=frozenset({"key-07"}),
    ),
    Case(
        "two of five keys at once",
        lambda: fleet({"key-00": (40, 30), "key-01": (40, 30)}, keys=5),
        fires=frozenset({"key-00", "key-01"}),
    ),
    Case("a key that always fails", lambda: with_history(CONSTANT, CONSTANT, (30, 30))),
    Case(
        "a key with five days of history",
        lambda: with_history([0] * (DAYS - 6) + [30] * 5, [0] * (DAYS - 1), (30, 25), unborn={"own": DAYS - 6}),
        not_judged=frozenset({"own"}),
    ),
)

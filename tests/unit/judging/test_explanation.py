"""What changed on a key: only what is not as usual."""

from __future__ import annotations

from detector.judging.explanation import changes
from tests.panels import panel


def errors_of(*errors: int) -> tuple[str, ...]:
    """The changes of a key with 100 requests a day and these errors, the evaluated day last."""
    counts = {"key": [100] * len(errors)}
    return changes(panel(counts, errors={"key": errors}), ["key"])["key"].sentences


def test_errors_as_usual_are_no_change() -> None:
    """Neither none at all, nor as many as before."""
    assert errors_of(0, 0, 0, 0) == ()
    assert errors_of(2, 1, 2, 3) == ()


def test_more_errors_are_a_change() -> None:
    """With the share that is usual."""
    assert errors_of(1, 1, 1, 40) == ("Errors on 40.0% of requests, usually 1.0%.",)


def test_a_surge_on_the_day_before_is_not_usual() -> None:
    """So the second day of a surge has the same usual share as the first."""
    assert errors_of(1, 1, 1, 60, 40) == ("Errors on 40.0% of requests, usually 1.0%.",)


def test_a_key_that_was_never_used_before_has_no_usual_errors() -> None:
    """Nothing can be compared."""
    counts = {"key": [0, 0, 0, 100]}
    assert changes(panel(counts, errors={"key": [0, 0, 0, 50]}), ["key"])["key"].sentences == ()

"""Attempts with growing pauses between them."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import stamina

from detector.boundary.retries import attempts


@pytest.fixture(autouse=True)
def no_pauses() -> Iterator[None]:
    """Attempts follow one another at once."""
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


def tried(may_pass: bool, failures: int, most: int = 3) -> int:
    """How often something is tried that fails so many times."""
    count = 0
    for attempt in attempts(lambda error: may_pass, most, first_pause=1, longest_pause=2):
        with attempt:
            count += 1
            if count <= failures:
                raise ConnectionError("the address is https://secret")
    return count


def test_what_may_pass_is_tried_again() -> None:
    """Until it ends well."""
    assert tried(True, failures=2) == 3


def test_what_does_not_pass_is_raised_at_once() -> None:
    """As it is, for the caller to explain."""
    with pytest.raises(ConnectionError):
        tried(False, failures=1)


def test_the_last_error_is_raised() -> None:
    """After as many attempts as were asked for."""
    with pytest.raises(ConnectionError):
        tried(True, failures=2, most=2)


def test_nothing_is_logged_for_the_caller(caplog: pytest.LogCaptureFixture) -> None:
    """The text of an error may hold a secret; the caller says what may be said."""
    caplog.set_level(logging.DEBUG)
    tried(True, failures=2)
    assert caplog.records == []

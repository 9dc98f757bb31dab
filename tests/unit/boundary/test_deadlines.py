"""Work that takes too long is given up."""

from __future__ import annotations

from threading import Event

import pytest

from detector.boundary.deadlines import within


def test_work_in_time_gives_its_result() -> None:
    """Whatever it is, also nothing."""
    assert within(5, lambda: 7) == 7
    assert within(5, lambda: None) is None


def test_work_that_takes_longer_is_given_up() -> None:
    """The caller goes on, and what the work returns later is lost."""
    release = Event()
    with pytest.raises(TimeoutError):
        within(0.05, release.wait)
    release.set()

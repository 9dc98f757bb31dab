"""Deadlines: work that is given up after a time, whatever it waits for.

The limits of libraries are for each step: a peer that sends a byte now and then never exceeds them, and no limit
covers name servers. So the work has a thread of its own, which is abandoned after its time.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import TypeVar

Result = TypeVar("Result")


def within(seconds: float, work: Callable[[], Result]) -> Result:
    """What ``work`` returns; TimeoutError where it takes longer. It must return its errors, and not raise them."""
    results: list[Result] = []
    thread = Thread(target=lambda: results.append(work()), daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive() and not results:
        raise TimeoutError
    (result,) = results
    return result

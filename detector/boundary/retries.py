"""Attempts with growing pauses between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import stamina
import stamina.instrumentation
from stamina import Attempt

__all__ = ["Attempt", "attempts"]


def attempts(
    may_pass: Callable[[Exception], bool | float], most: int, first_pause: float, longest_pause: float
) -> Iterator[Attempt]:
    """Contexts to try something in, until one ends well or ``most`` have failed, whose error is then raised.

    ``may_pass`` says of an error whether another attempt is worth it: no, yes after a pause that grows from
    ``first_pause`` to ``longest_pause`` seconds with some jitter, or yes after so many seconds.
    """
    stamina.instrumentation.set_on_retry_hooks(())  # the caller logs what fails, in words without secrets
    return iter(
        stamina.retry_context(
            on=may_pass, attempts=most, timeout=None, wait_initial=first_pause, wait_max=longest_pause
        )
    )

"""Lanes: work that is done one piece after another in a thread, fairly between callers."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from threading import RLock
from typing import Generic, TypeVar

from detector.serve.problems import too_busy

PLACES = 16
"""Pieces of work that one caller may have in a lane."""

Result = TypeVar("Result")


@dataclass(order=True)
class _Piece(Generic[Result]):
    """A piece of work. The one with the lowest start, then the lowest number, comes next."""

    start: float
    number: int
    caller: str = field(compare=False)
    work: Callable[[], Result] = field(compare=False)
    future: Future[Result] = field(compare=False, default_factory=Future)


class Lane(Generic[Result]):
    """One worker. Callers who wait share it evenly, however many pieces each of them brings.

    Start-time fair queueing: a piece starts where the caller's piece before it ends, in units of cost, and not
    before the piece that is being done.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._worker = ThreadPoolExecutor(1, "lane")
        self._waiting: list[_Piece[Result]] = []
        self._places: Counter[str] = Counter()
        self._ends: dict[str, float] = {}
        self._start = 0.0
        self._numbers = count()
        self._busy = False

    def submit(self, caller: str, cost: float, work: Callable[[], Result]) -> Future[Result]:
        """Have a piece of work done. Raises ProblemError where the caller has no place left."""
        with self._lock:
            if self._places[caller] >= PLACES:
                raise too_busy("Too many answers are being prepared for this token.")
            self._places[caller] += 1
            start = max(self._start, self._ends.get(caller, 0.0))
            self._ends[caller] = start + cost
            piece = _Piece(start, next(self._numbers), caller, work)
            piece.future.set_running_or_notify_cancel()  # nobody can cancel it from here on
            heapq.heappush(self._waiting, piece)
            self._go_on()
            return piece.future

    def _go_on(self) -> None:
        """Begin the next piece, unless one is being done. The lock is held."""
        if self._busy or not self._waiting:
            return
        piece = heapq.heappop(self._waiting)
        self._busy = True
        self._start = piece.start
        try:
            done = self._worker.submit(piece.work)
        except RuntimeError:
            # The server ends, and nobody waits for an answer any more.
            self._waiting.clear()
        else:
            done.add_done_callback(partial(self._end, piece))

    def _end(self, piece: _Piece[Result], done: Future[Result]) -> None:
        with self._lock:
            self._busy = False
            self._places[piece.caller] -= 1
            self._go_on()
        error = done.exception()
        if error is None:
            piece.future.set_result(done.result())
        else:
            piece.future.set_exception(error)

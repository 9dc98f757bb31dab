"""Lanes: whose work comes next, and how much of it may wait."""

from __future__ import annotations

from concurrent.futures import Future
from threading import Event

import pytest

from detector.serve.lanes import PLACES, Lane
from detector.serve.problems import ProblemError


class Order:
    """A lane that is held up by a first piece of work, and the order in which the others are done."""

    def __init__(self) -> None:
        self.lane: Lane[None] = Lane()
        self.done: list[str] = []
        self._release = Event()
        self._ends: list[Future[None]] = []
        self.lane.submit("first", 1, self._wait)

    def submit(self, caller: str, name: str, cost: float = 1) -> None:
        """Have a piece of work done after the first one."""

        def work() -> None:
            self.done.append(name)

        self._ends.append(self.lane.submit(caller, cost, work))

    def end(self) -> list[str]:
        """The names of all pieces in the order in which they were done."""
        self._release.set()
        for end in self._ends:
            end.result(10)
        return self.done

    def _wait(self) -> None:
        assert self._release.wait(10)


def test_callers_take_turns() -> None:
    """One that brings much does not hold up one that brings little."""
    order = Order()
    for number in range(4):
        order.submit("greedy", f"greedy {number}")
    order.submit("modest", "modest 0")
    order.submit("modest", "modest 1")
    assert order.end() == ["greedy 0", "modest 0", "greedy 1", "modest 1", "greedy 2", "greedy 3"]


def test_large_pieces_use_up_more_of_a_share() -> None:
    """As many small pieces of another caller come between two of them as they cost together."""
    order = Order()
    order.submit("greedy", "large 0", cost=3)
    order.submit("greedy", "large 1", cost=3)
    for number in range(4):
        order.submit("modest", f"small {number}")
    assert order.end() == ["large 0", "small 0", "small 1", "small 2", "large 1", "small 3"]


def test_a_caller_who_was_idle_has_saved_up_nothing() -> None:
    """It takes turns from now on, and does not get all the turns that it did not use."""
    order = Order()
    for number in range(3):
        order.submit("greedy", f"greedy {number}")
    order.end()
    again: list[str] = []
    release = Event()
    ends = [order.lane.submit("greedy", 1, lambda: again.append("held") if release.wait(10) else None)]
    for caller in ("greedy", "late", "late", "greedy"):
        ends.append(order.lane.submit(caller, 1, lambda caller=caller: again.append(caller)))
    release.set()
    for end in ends:
        end.result(10)
    assert again == ["held", "late", "greedy", "late", "greedy"]


def test_a_caller_has_so_many_places() -> None:
    """Others have theirs, and a place is free again when its work is done."""
    order = Order()
    for number in range(PLACES):
        order.submit("greedy", str(number))
    with pytest.raises(ProblemError) as error:
        order.submit("greedy", "too many")
    assert (error.value.status, error.value.kind) == (503, "too-busy")
    order.submit("modest", "modest")
    order.end()
    order.submit("greedy", "again")
    assert order.end()[-1] == "again"


def test_an_error_reaches_the_one_who_waits() -> None:
    """And the next piece is done all the same."""
    lane: Lane[int] = Lane()
    failing = lane.submit("a", 1, lambda: 1 // 0)
    sound = lane.submit("a", 1, lambda: 7)
    with pytest.raises(ZeroDivisionError):
        failing.result(10)
    assert sound.result(10) == 7

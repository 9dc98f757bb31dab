"""Telling whoever waits how far long work is, on stderr: a bar on a terminal, plain or logged lines elsewhere."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date

from detector.boundary.words import counted
from detector.sources.pull import Progress

LINES = 10

log = logging.getLogger("detector.progress")


@contextmanager
def watched(title: str, *, logged: bool = False) -> Iterator[Progress]:
    """A progress callback for work counted in days; nothing is shown until the first day is done."""
    if logged or not sys.stderr.isatty():
        yield _lines(title, _logged if logged else _printed)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(title, total=None)
        yield lambda day, done, total: bars.update(task, completed=done, total=total, description=f"{title} {day}")


def _lines(title: str, say: Callable[[str], None]) -> Progress:
    """About ten lines for long work, one for short."""

    def tell(day: date, done: int, total: int) -> None:
        if done == total or done % max(total // LINES, 1) == 0:
            say(f"{title}: {done:,} of {counted(total, 'day')}, {day}")

    return tell


def _printed(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _logged(line: str) -> None:
    log.info("%s", line)

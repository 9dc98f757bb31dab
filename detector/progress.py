"""Telling whoever waits how far long work is: a bar on a terminal, plain lines elsewhere. All on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

from detector.pull import Progress

LINES = 10


@contextmanager
def watched(title: str) -> Iterator[Progress]:
    """A progress callback for work counted in nights; nothing is shown until the first night is done."""
    if not sys.stderr.isatty():
        yield _lines(title)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(title, total=None)
        yield lambda night, done, total: bars.update(
            task, completed=done, total=total, description=f"{title} {night}"
        )


def _lines(title: str) -> Progress:
    """About ten lines for long work, one for short."""

    def tell(night: date, done: int, total: int) -> None:
        if done == total or done % max(total // LINES, 1) == 0:
            print(f"{title}: {done} of {total} nights, {night}", file=sys.stderr, flush=True)

    return tell

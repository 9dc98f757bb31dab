"""The changes of late rows to earlier days, in the words that all formats share."""

from __future__ import annotations

from collections.abc import Iterator

from detector.boundary.words import counted
from detector.model.report import Coverage
from detector.model.usage import Revision


def lines(coverage: Coverage) -> Iterator[str]:
    """One sentence for each earlier day whose data this run's pull changed."""
    for revision in coverage.revisions:
        yield _line(revision)


def _line(revision: Revision) -> str:
    difference = revision.requests_after - revision.requests_before
    changes = f"{counted(revision.keys, 'key')} changed"
    if difference > 0:
        changes = f"{counted(difference, 'more request')}, {changes}"
    elif difference < 0:
        changes = f"{counted(-difference, 'fewer request')}, {changes}"
    advice = "Its report is unchanged; run that day again to evaluate the new data."
    return f"{revision.day} was pulled again: {changes}. {advice}"

"""What late rows changed of days judged before, in words that every format shares."""

from __future__ import annotations

from collections.abc import Iterator

from detector.boundary.words import counted
from detector.model.report import Coverage
from detector.model.usage import Revision


def lines(coverage: Coverage) -> Iterator[str]:
    """A sentence for every earlier day that this day's pull found changed."""
    for revision in coverage.revisions:
        yield _line(revision)


def _line(revision: Revision) -> str:
    more = revision.requests_after - revision.requests_before
    amount = f"{counted(abs(more), 'request')} {'more' if more > 0 else 'fewer'}"
    keys = f"{counted(revision.keys, 'key')} changed"
    what = f"{amount}, {keys}" if more else keys
    judged = "Its own report is as it was; run that day again to judge it anew."
    return f"{revision.day} was pulled again: {what}. {judged}"

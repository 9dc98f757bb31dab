"""The days of one key as its charts draw them."""

from __future__ import annotations

from detector.model.finding import Finding
from detector.model.report import RunReport
from detector.reports.page.charts import Series


def key_series(report: RunReport, position: int, about: Finding | None = None) -> Series:
    """A key by its position in ``report.trends``, with the range of the finding that is about its days."""
    trends = report.trends
    counts = [
        n if known else None
        for n, known in zip(trends.requests[position].tolist(), trends.known[position].tolist(), strict=True)
    ]
    limits = (about.expected, about.low, about.high) if about else (None, None, None)
    return Series(trends.days, counts, trends.missing.tolist(), *limits)

"""The daily requests of one key, for its charts."""

from __future__ import annotations

from dataclasses import replace

from detector.model.finding import Finding
from detector.model.report import RunReport
from detector.reports.page.charts import Series


def key_series(report: RunReport, position: int, volume_finding: Finding | None = None) -> Series:
    """The series of the key at a position in ``report.trends``.

    ``volume_finding`` is a finding about the key's number of requests. The series takes its expected range.
    """
    trends = report.trends
    counts: list[int | None] = trends.requests[position].tolist()
    for day, known in enumerate(trends.known[position]):
        if not known:
            counts[day] = None
    series = Series(trends.days, counts, trends.missing.tolist())
    if volume_finding is None:
        return series
    return replace(series, expected=volume_finding.expected, low=volume_finding.low, high=volume_finding.high)

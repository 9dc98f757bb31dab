"""The series of a key in its charts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from detector.reports.page.series import key_series
from tests import report_examples


def test_days_before_the_key_existed_have_no_count() -> None:
    """A count is None where the key is not known, and a number on all other days."""
    report = report_examples.findings_day()
    known = report.trends.known.copy()
    known[0] = np.arange(len(report.trends.days)) >= 3
    series = key_series(replace(report, trends=replace(report.trends, known=known)), 0)
    assert series.counts[:3] == [None] * 3
    assert series.counts[3:] == report.trends.requests[0, 3:].tolist()


def test_the_range_is_that_of_the_finding() -> None:
    """Without a finding about the number of requests, the series has no range."""
    report = report_examples.findings_day()
    finding = report.findings[0]
    series = key_series(report, 0, finding)
    assert (series.expected, series.low, series.high) == (finding.expected, finding.low, finding.high)
    assert not key_series(report, 0).has_range

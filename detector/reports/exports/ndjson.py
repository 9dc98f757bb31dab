"""The day's findings as ``report.ndjson``: one a line, for whatever takes JSON line by line."""

from __future__ import annotations

from detector.model.report import RunReport
from detector.reports import Reporter
from detector.reports.exports.json import finding_record, line


class NdjsonReporter(Reporter):
    """Writes ``report.ndjson``: the records of ``report.json: findings``, in the same order.

    A day without findings is an empty file; whether it was judged at all stands in ``report.json``.
    """

    filename = "report.ndjson"
    media_type = "application/x-ndjson"
    description = "for log pipelines: one finding per line"

    def render(self, report: RunReport) -> str:
        """As many lines as there are findings, resolved and muted ones included."""
        return "".join(f"{line(finding_record(finding))}\n" for finding in report.findings)

"""The day's findings as ``report.ndjson``: one finding per line, for programs that read JSON line by line."""

from __future__ import annotations

from detector.model.report import RunReport
from detector.reports import Reporter
from detector.reports.exports.json import finding_record, line


class NdjsonReporter(Reporter):
    """Writes ``report.ndjson``: the records of ``report.json: findings``, in the same order.

    Only a clear day can be an empty file: whatever keeps a day from being clear is a finding itself.
    """

    filename = "report.ndjson"
    media_type = "application/x-ndjson"
    description = "for log pipelines: one finding per line"

    def render(self, report: RunReport) -> str:
        """Write one line per finding, including resolved and muted findings."""
        return "".join(f"{line(finding_record(finding))}\n" for finding in report.findings)

"""A report format: a page of one line."""

from detector.model.report import RunReport
from detector.reports import Reporter


class PlainReporter(Reporter):
    """Writes ``report.plain.txt``."""

    filename = "report.plain.txt"
    media_type = "text/plain; charset=utf-8"
    description = "for tests: the verdict alone"

    def render(self, report: RunReport) -> str:
        """The verdict."""
        return f"plain: {report.summary.verdict}\n"

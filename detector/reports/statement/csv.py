"""A statement as CSV: one row per charge, with the cell rules of ``reports.exports.csv``."""

from __future__ import annotations

from detector.chargeback.statement import Statement
from detector.reports.exports.csv import table
from detector.reports.statement import StatementFormat
from detector.reports.statement.rows import rows

COLUMNS = (
    "month", "team", "application", "key_id", "name", "environment", "charge", "kind", "requests", "price", "per",
    "currency", "amount",
)  # fmt: skip


class CsvStatement(StatementFormat):
    """Writes ``statement.csv``: one row per charge."""

    filename = "statement.csv"

    def render(self, statement: Statement) -> str:
        """Write the column names and one row per charge. The amounts add up to the statement's total."""
        return table(COLUMNS, rows(statement))

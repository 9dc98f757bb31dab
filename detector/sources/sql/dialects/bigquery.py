"""BigQuery."""

from __future__ import annotations

from sqlalchemy import TIMESTAMP, DateTime

from detector.sources.sql.dialects.dialect import Dialect


class BigQuery(Dialect):
    """There is no session, so nothing can be set in one."""

    title = "BigQuery"
    url = "bigquery://project/dataset"
    extra = "bigquery"

    def has_zone(self, kind: DateTime) -> bool:
        """Whether values are instants: TIMESTAMP has no time zone in its name, but DATETIME alone lacks one."""
        return super().has_zone(kind) or isinstance(kind, TIMESTAMP)

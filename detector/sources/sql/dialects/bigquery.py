"""BigQuery."""

from __future__ import annotations

from sqlalchemy import TIMESTAMP, DateTime

from detector.sources.sql.dialects.dialect import Dialect


class BigQuery(Dialect):
    """It has no sessions, so no session can give guarantees."""

    title = "BigQuery"
    url = "bigquery://project/dataset"
    extra = "bigquery"

    def has_zone(self, kind: DateTime) -> bool:
        """Whether values of the type carry a time zone."""
        # SQLAlchemy says that TIMESTAMP has no zone. In BigQuery it is an instant; only DATETIME has no zone.
        return super().has_zone(kind) or isinstance(kind, TIMESTAMP)

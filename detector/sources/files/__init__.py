"""The ``files`` source: DuckDB reads and counts log and export files."""

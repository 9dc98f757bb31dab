"""Log and export files, read through DuckDB."""

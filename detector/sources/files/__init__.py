"""The ``files`` source: DuckDB reads and counts log and export files.

Here belongs everything between a path and the counts of a day: finding and downloading files, their formats,
presets' tables, parsing, counting, and the protection of keys that stand in logs.
"""

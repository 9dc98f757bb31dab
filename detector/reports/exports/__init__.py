"""The formats for programs: JSON, NDJSON, CSV and OCSF.

Here belongs what other systems parse. ``reports/schema`` has the JSON schemas.
"""

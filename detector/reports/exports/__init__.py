"""The formats for programs: JSON, NDJSON, CSV and OCSF."""

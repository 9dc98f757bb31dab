"""The formats that programs read: JSON, NDJSON, CSV and OCSF."""

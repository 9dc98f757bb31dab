"""Nightly anomaly detection for API keys: usage spikes, dormant keys that wake, test/live mismatches."""

"""The ``http`` source: a by-key endpoint is asked for one day at a time."""

"""The ``http`` source: a by-key endpoint is asked for one day at a time.

Here belong the pages of an answer, the reading of its keys, and the snapshots of running totals.
"""

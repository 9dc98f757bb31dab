"""Usage per key and day: aggregation, the stored history, and the panel that is read from it.

This room counts, merges and stores by-key records. The room ``sources`` reads them; the rooms ``detectors`` and
``judging`` evaluate them.
"""

"""Usage per key and day: aggregation, the stored history, and the panel that is read from it.

Here belongs what counts, merges and stores by-key records. Where they come from belongs to ``sources``, what
they mean to ``detectors`` and ``judging``.
"""

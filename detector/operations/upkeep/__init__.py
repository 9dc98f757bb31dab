"""The care of stored data: examination, repair, backup, restore, and removal of leftover temporary files.

Here belongs what the commands ``doctor``, ``backup`` and ``restore`` do with history, state and reports.
"""

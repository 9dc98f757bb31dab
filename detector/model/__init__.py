"""The records that the rooms pass to each other, and the errors that they raise.

Here belong dataclasses and column definitions, by reader: the day, usage, the panel, findings, triage, the
report. Nothing here computes more than a property, and nothing here reads or writes.
"""

"""The records that the rooms pass to each other, and the errors that they raise.

This room holds dataclasses and column definitions, one module per subject: the day, usage, the panel, findings,
triage, the report. They compute nothing but properties, and they do not read or write.
"""

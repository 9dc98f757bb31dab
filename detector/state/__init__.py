"""What is remembered in a database: runs, evaluated days, findings seen, triage, tokens, the outbox.

Here belong every table and every SQL statement on the state, its locks and its migrations. The days of usage
do not: they are files in ``usage``.
"""

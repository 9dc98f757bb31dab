"""The ``sql`` source: the database itself counts the rows of its tables.

Here belong the statements, how their answers are read, and ``dialects`` with what differs between databases.
"""

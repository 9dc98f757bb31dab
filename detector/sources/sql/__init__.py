"""The ``sql`` source: the database itself counts the rows of its tables."""

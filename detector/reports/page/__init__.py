"""The HTML pages: the report of a day with its charts and tables, and the index of all days.

Here belongs what turns a ``RunReport`` into a page. The pages of a statement are in ``reports.statement``.
"""

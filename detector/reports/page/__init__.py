"""The HTML pages: the report of a day with its charts and tables, and the index of all days."""

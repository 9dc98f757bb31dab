"""The pages: the report of a day, its charts and tables, and the index of all days."""

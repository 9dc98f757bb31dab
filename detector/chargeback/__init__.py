"""A month's usage as amounts of money, exact to the cent.

Here belongs the calculation of a statement. Its renderings belong to ``reports.statement``.
"""

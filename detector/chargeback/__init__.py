"""A month's usage as amounts of money, exact to the cent.

This package calculates statements. ``reports.statement`` renders them.
"""

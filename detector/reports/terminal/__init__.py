"""The output of commands on a terminal.

Here belong texts and tables for people; ``cli`` prints them.
"""

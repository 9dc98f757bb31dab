"""The command line: one module for each group of commands, and what only they need.

Here belong options, progress bars and what is printed. A command assembles and calls; it computes nothing.
"""

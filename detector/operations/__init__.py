"""Running it every day: the schedule, what watches it, and the upkeep of what it stores.

Here belongs everything that calls the pipeline without being a command.
"""

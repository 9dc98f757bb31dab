"""The configuration: typed, strict, and the source of the reference in the docs.

Here belongs what a user may set, one module for each part that sets it, and how a file becomes a ``Config``.
What the settings do does not belong here.
"""

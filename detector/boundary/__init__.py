"""What crosses the edge of the program: text made safe, secrets masked, files written whole, requests sent.

Here belongs what several rooms need in order to read from or write to the outside in one safe way. It knows
nothing of keys, days or findings.
"""

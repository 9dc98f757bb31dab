"""The mail channel: the content of a message, its charts, its rendering, and the sending.

Here belongs what only mail needs. Routing and the outbox are shared by all channels and are one level up.
"""

"""What every test runs under."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("steady", derandomize=True, deadline=None, database=None)
settings.load_profile("steady")
"""The same examples everywhere and every time; a machine under load is no failure."""

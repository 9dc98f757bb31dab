"""What every test runs under."""

from __future__ import annotations

from hypothesis import Phase, settings

settings.register_profile("steady", derandomize=True, deadline=None, database=None)
settings.register_profile(
    "mutants", settings.get_profile("steady"), max_examples=20, phases=(Phase.explicit, Phase.generate)
)
settings.load_profile("steady")
"""The same examples everywhere and every time; a machine under load is no failure."""

"""What every test runs under."""

from __future__ import annotations

import pytest
from hypothesis import Phase, settings

from detector.boundary import masking

settings.register_profile("steady", derandomize=True, deadline=None, database=None)
settings.register_profile(
    "mutants", settings.get_profile("steady"), max_examples=20, phases=(Phase.explicit, Phase.generate)
)
settings.load_profile("steady")
"""The same examples everywhere and every time; a machine under load is no failure."""


@pytest.fixture(autouse=True)
def _forgotten_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secrets that a test configures are not masked in the tests after it."""
    monkeypatch.setattr(masking, "_known", set(masking._known))

"""What the types of findings are called."""

from __future__ import annotations

KINDS = {
    "usage_spike": ("Usage spike", "spike"),
    "unusual_pattern": ("Unusual pattern", "unusual"),
    "dormant_wake": ("Dormant key woke", "woke"),
    "environment_mismatch": ("Environment mismatch", "mismatch"),
    "name_mismatch": ("Name contradicts environment", "name"),
    "error_surge": ("Error surge", "errors"),
    "endpoint_shift": ("Endpoint shift", "endpoints"),
    "new_key_burst": ("Young key, heavy use", "young"),
    "revoked_key_use": ("Revoked key in use", "revoked"),
    "went_silent": ("Went silent", "silent"),
    "fleet_shift": ("Fleet shift", "fleet"),
    "data_quality": ("Data quality", "data"),
}
"""Type to its name and to the one word of its tag in a table."""


def title(kind: str) -> str:
    """The plain name of a finding type; a type of somebody's own detector is named by itself."""
    return KINDS[kind][0] if kind in KINDS else kind.replace("_", " ").capitalize()


def tag(kind: str) -> str:
    """The word of a type where there is room for one."""
    return KINDS[kind][1] if kind in KINDS else title(kind).lower()

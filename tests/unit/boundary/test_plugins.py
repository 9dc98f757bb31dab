"""Plug-ins are loaded by the name under which a registry has them."""

from decimal import Decimal

import pytest

from detector.boundary.plugins import load_plug_in

REGISTRY = {"decimal": "decimal:Decimal", "fraction": "fractions:Fraction"}


def test_what_a_registry_names_is_loaded() -> None:
    """The attribute of the module is returned as it stands there."""
    assert load_plug_in(REGISTRY, "decimal") is Decimal


def test_an_unknown_name_is_an_error_that_lists_the_known_ones() -> None:
    """Whoever asks learns what there is."""
    with pytest.raises(KeyError, match="there is no 'float'; known: decimal, fraction"):
        load_plug_in(REGISTRY, "float")

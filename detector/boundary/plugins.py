"""Plug-ins: what a registry names is imported only when it is asked for, so that starting stays quick.

A registry is a plain dict of a name to ``package.module:attribute``.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any


def load_plug_in(registry: Mapping[str, str], name: str) -> Any:
    """The class, function or constant that a registry holds under a name.

    KeyError, which lists the known names, for a name that the registry does not have.
    """
    if name not in registry:
        raise KeyError(f"there is no '{name}'; known: {', '.join(sorted(registry))}")
    return load_place(registry[name])


def load_place(place: str) -> Any:
    """The class, function or constant at ``package.module:attribute``."""
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)

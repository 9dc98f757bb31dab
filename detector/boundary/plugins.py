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
    module, _, attribute = registry[name].partition(":")
    return getattr(import_module(module), attribute)

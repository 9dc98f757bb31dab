"""The location of the templates: inside an installed package, or next to the package in a checkout."""

from __future__ import annotations

from pathlib import Path

import detector


def template_folder() -> Path:
    """The folder of the templates. It depends on the package's location and not on the working directory."""
    package = Path(detector.__file__).parent
    installed = package / "templates"
    return installed if installed.is_dir() else package.parent / "templates"

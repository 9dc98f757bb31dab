"""Where the templates are: inside an installed package, beside the package in a checkout."""

from __future__ import annotations

from pathlib import Path

import detector


def template_folder() -> Path:
    """The folder that holds the templates, found from the package itself and never from the working directory."""
    package = Path(detector.__file__).parent
    installed = package / "templates"
    return installed if installed.is_dir() else package.parent / "templates"

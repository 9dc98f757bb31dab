"""Where the templates are found."""

from __future__ import annotations

from pathlib import Path

import pytest

import detector
from detector.reports.templates import template_folder

TEMPLATES = {"report.html.j2", "index.html.j2", "chargeback.html.j2", "mail.html.j2", "mail.txt.j2"}


def folder_seen_from(package: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that is found where the package is imported from there."""
    monkeypatch.setattr(detector, "__file__", str(package / "__init__.py"))
    return template_folder()


def test_a_checkout_and_an_editable_install_have_every_template() -> None:
    """The package is imported from the checkout in both; the templates lie beside it."""
    assert {path.name for path in template_folder().glob("*.j2")} == TEMPLATES


def test_an_installed_package_has_its_own_templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder beside it may belong to another distribution."""
    package = tmp_path / "detector"
    (package / "templates").mkdir(parents=True)
    (tmp_path / "templates").mkdir()
    assert folder_seen_from(package, monkeypatch) == package / "templates"


def test_the_working_directory_has_no_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project that has templates of its own gets ours."""
    before = template_folder()
    (tmp_path / "templates").mkdir()
    monkeypatch.chdir(tmp_path)
    assert template_folder() == before
    assert before.is_absolute()

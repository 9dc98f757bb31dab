"""The pages of the documentation hold together: links resolve, and the words are those of the glossary."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *DOCS]
LINK = re.compile(r"\]\((?!https?://|mailto:)([^)\s]*)\)")


def _title(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=_title)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    """The file is there, and so is the heading that the link names."""
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in _anchors(target), link


def test_every_page_is_linked_from_the_readme() -> None:
    """A page that nobody finds is not read."""
    links = {link.partition("#")[0] for link in LINK.findall((ROOT / "README.md").read_text(encoding="utf-8"))}
    assert {f"docs/{page.name}" for page in DOCS} <= links


@pytest.mark.parametrize("page", [page for page in DOCS if page.name != "glossary.md"], ids=_title)
def test_every_page_leads_to_the_glossary(page: Path) -> None:
    """A reader who does not know a word finds it."""
    assert "glossary.md" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=_title)
def test_the_unit_is_called_a_day(page: Path) -> None:
    """``nightly`` and ``midnight`` stay; the changelog alone has the former names."""
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"\b\w*night(?!ly)\w*\b", text.replace("midnight", ""), re.I)


def test_every_room_is_described() -> None:
    """The table of the rooms in docs/architecture.md has the packages of ``detector/``, and no other."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("## The rooms")[2].partition("## The laws")[0]
    packages = {folder.parent.name for folder in (ROOT / "detector").glob("*/__init__.py")}
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.M)) == packages


def test_every_module_named_in_the_architecture_exists() -> None:
    """A reader who follows the table finds the code."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:\w+/)+(?:\w+\.py)?)`", page)
    places = (ROOT, ROOT / "detector")
    assert named
    assert [path for path in named if not any((place / path).exists() for place in places)] == []


def test_the_samples_say_that_files_are_private() -> None:
    """Each service of systemd and each line of cron sets the umask."""
    services = sorted((ROOT / "deploy").glob("*.service"))
    assert services
    for service in services:
        assert "\nUMask=0077\n" in service.read_text(encoding="utf-8"), service.name
    assert "UMask=0077" in (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")
    crontab = (ROOT / "deploy" / "crontab").read_text(encoding="utf-8")
    lines = [line for line in crontab.splitlines() if "python" in line and not line.startswith("#")]
    assert lines
    assert all("umask 077;" in line for line in lines)

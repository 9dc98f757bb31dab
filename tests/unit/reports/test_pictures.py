"""The pictures that the documentation shows are there, small, and none is left over."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
LARGEST = 300_000


def shown() -> set[Path]:
    """Every picture that a page names."""
    named = ((page, name) for page in PAGES for name in re.findall(r"!\[[^]]+\]\(([^)]+)\)", page.read_text()))
    return {(page.parent / name).resolve() for page, name in named}


def test_pictures_named_in_the_docs_exist_and_are_small():
    """A page with a broken picture looks abandoned; a large one is slow."""
    assert shown()
    assert {path for path in shown() if not path.is_file() or path.stat().st_size > LARGEST} == set()


def test_every_picture_is_shown_somewhere():
    """`make pictures` takes no picture that nobody sees."""
    assert set((ROOT / "docs" / "pictures").glob("*.png")) == shown()

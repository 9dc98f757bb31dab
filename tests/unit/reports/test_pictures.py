"""The pictures of the documentation exist and are small, and every picture is shown."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
LARGEST = 300_000


def shown_pictures() -> set[Path]:
    """The pictures that the pages name."""
    named = ((page, name) for page in PAGES for name in re.findall(r"!\[[^]]+\]\(([^)]+)\)", page.read_text()))
    return {(page.parent / name).resolve() for page, name in named}


def test_pictures_named_in_the_docs_exist_and_are_small():
    """No page names a missing picture or a picture above the size limit."""
    assert shown_pictures()
    assert {path for path in shown_pictures() if not path.is_file() or path.stat().st_size > LARGEST} == set()


def test_every_picture_is_shown_somewhere():
    """`make pictures` makes no picture that no page shows."""
    assert set((ROOT / "docs" / "pictures").glob("*.png")) == shown_pictures()

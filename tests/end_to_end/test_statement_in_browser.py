"""The page of a month's statement, opened in Chromium with names that mean harm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from detector.config.chargeback import Price, Shared
from detector.reports.statement import statement_format
from tests.end_to_end.conftest import Visit
from tests.statements import HOSTILE, day, statement

LONG = "a team with a very long name " * 8


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A statement that is not final, of hostile teams with one key each."""
    keys = [
        {"key_id": name, "team": name, "paths": {f"GET /{place}": place + 1}}
        for place, name in enumerate([*HOSTILE, LONG])
    ]
    prices = [Price(name="=1+1", price="0.07", endpoint="GET /1"), Price(name="<b>" * 30, price=1000, per=3)]
    shared = [Shared(name="<i>credit", amount="-3.33", split={"<x>": 1})]
    made = replace(statement([day(*keys)] * 20, prices, shared), failures=("main: <script>alert(1)</script>",))
    path = tmp_path / "statement.html"
    path.write_text(statement_format("html").render(made))
    return path


@pytest.mark.parametrize(("width", "scheme"), [(1160, "light"), (1160, "dark"), (390, "light"), (390, "dark")])
def test_the_page_is_sound(visit: Callable[..., Visit], page: Path, width: int, scheme: str) -> None:
    """One request, no complaint, nothing wider than the screen, and nothing that axe finds."""
    seen = visit(page, width=width, scheme=scheme)
    assert [url.split("/")[-1] for url in seen.requests] == ["statement.html"]
    assert seen.complaints == []
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(seen.page).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []


def test_a_name_is_text_and_leads_to_its_keys(visit: Callable[..., Visit], page: Path) -> None:
    """Also without scripts: what looks like a tag is shown, and its link opens what the team's keys cost."""
    seen = visit(page, script=False)
    link = seen.page.get_by_role("link", name="<script>alert(1)</script>")
    assert link.count() == 1
    assert seen.page.locator("details[open]").count() == 0
    link.click()
    assert "<script>" in seen.page.locator("details[open] summary").inner_text()

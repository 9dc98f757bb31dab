"""One browser for the tests of pages, and what a page asked for and complained about."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from detector.model.report import RunReport
from detector.reports.page.html import HtmlReporter

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("The page is tested in Chromium, and there is no `chromium` on PATH: install it.")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


class Visit:
    """One opened page, with everything it asked for and complained about."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def visible(self, selector: str) -> int:
        return sum(element.is_visible() for element in self.page.query_selector_all(selector))


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Visit]]:
    contexts = []

    def open_page(
        report: RunReport | Path,
        *,
        anchor: str = "",
        width: int = 1160,
        script: bool = True,
        scheme: str = "light",
    ) -> Visit:
        path = report if isinstance(report, Path) else HtmlReporter().write(report, tmp_path)
        context = browser.new_context(
            viewport={"width": width, "height": 900}, java_script_enabled=script, color_scheme=scheme, offline=True
        )
        contexts.append(context)
        opened = Visit(context.new_page())
        opened.page.goto(path.as_uri() + anchor)
        return opened

    yield open_page
    for context in contexts:
        context.close()

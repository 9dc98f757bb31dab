"""Take the pictures of the documentation from the demo: ``make pictures``. Needs Chromium."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

HERE = Path(__file__).parent / "pictures"
COLOURS = 128
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
SHOTS = (
    ("report-light.png", "report.html", 1160, 1250, "light"),
    ("report-dark.png", "report.html", 1160, 1250, "dark"),
    ("report-phone.png", "report.html", 400, 1100, "light"),
    ("chargeback-light.png", "statement.html", 1160, 1020, "light"),
)
MONTH = "2026-02"
"""File, page, width and height in CSS pixels, colour scheme."""


def main() -> int:
    """Make the demo in a folder of its own and photograph its report and a statement."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        _detector("demo", "--out", folder)
        [day] = Path(folder, "var/reports").glob("????-??-??")
        statement = ("chargeback", "--month", MONTH, "--format", "html", "--out", str(day / "statement.html"))
        _detector(*statement, "--config", f"{folder}/config.yaml")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        HERE.mkdir(exist_ok=True)
        for name, page, width, height, scheme in SHOTS:
            _compressed(_shot(browser, day / page, width, height, scheme)).save(HERE / name, optimize=True)
        browser.close()
    return 0


def _detector(*arguments: str) -> None:
    subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-m", "detector", *arguments], check=True, stdout=subprocess.DEVNULL
    )


def _shot(browser: Browser, page: Path, width: int, height: int, scheme: str) -> bytes:
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    opened = context.new_page()
    opened.goto(page.as_uri())
    return opened.screenshot()


def _compressed(png: bytes) -> Image.Image:
    """A palette is enough for a page of few colours, and a third of the size."""
    return Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)


if __name__ == "__main__":
    sys.exit(main())

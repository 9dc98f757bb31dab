"""The stored reports: which days there are, and one of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.serve.reports import index, read


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Reports of two days, and what else may lie there."""
    for name in (
        "2026-03-16/report.html",
        "2026-03-17/report.json",
        "2026-03-17/notes.txt",
        "2026-02-30/report.html",
    ):
        path = tmp_path / "reports" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "reports" / "2026-03-18").mkdir()
    (tmp_path / "secret.html").write_text("secret")
    return tmp_path / "reports"


def test_days_with_a_report_come_newest_first(folder: Path) -> None:
    """A folder without one, of no day, or a file that is no report is not listed."""
    found = index(folder, "/v1/reports").reports
    assert [(str(each.day), each.files) for each in found] == [
        ("2026-03-17", ["/v1/reports/2026-03-17/report.json"]),
        ("2026-03-16", ["/v1/reports/2026-03-16/report.html"]),
    ]


def test_a_report_is_read_as_it_is(folder: Path) -> None:
    """Byte for byte, with the format that says as what it is sent."""
    stored = read(folder, "2026-03-16", "report.html")
    assert stored is not None
    assert (stored.data, stored.format.filename) == (b"2026-03-16/report.html", "report.html")


@pytest.mark.parametrize(
    ("day", "name"),
    [
        ("2026-03-16", "report.json"),
        ("2026-03-17", "notes.txt"),
        ("2026-03-17", "../../secret.html"),
        ("..", "report.html"),
        ("2026-02-30", "report.html"),
        ("2026-03-99", "report.html"),
    ],
)
def test_nothing_else_is_read(folder: Path, day: str, name: str) -> None:
    """Neither what is not there nor what lies elsewhere."""
    assert read(folder, day, name) is None


def test_a_link_that_leads_out_is_not_followed(folder: Path) -> None:
    """Whoever can write a link there must not read the rest of the disk through the endpoint."""
    (folder / "2026-03-18" / "report.html").symlink_to(folder.parent / "secret.html")
    assert read(folder, "2026-03-18", "report.html") is None

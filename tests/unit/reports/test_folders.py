"""The folders of reports."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from detector.reports.folders import day_folders


def test_folders_of_days_come_oldest_first(tmp_path: Path) -> None:
    """What has another name, is no day or no folder is somebody else's."""
    for name in ("2026-03-17", "2026-03-16", "2026-02-30", "chargeback", "20260315"):
        (tmp_path / name).mkdir()
    (tmp_path / "2026-03-15").write_text("a file")
    assert list(day_folders(tmp_path).items()) == [
        (date(2026, 3, 16), tmp_path / "2026-03-16"),
        (date(2026, 3, 17), tmp_path / "2026-03-17"),
    ]


def test_a_directory_that_is_not_there_has_none(tmp_path: Path) -> None:
    """Before the first report."""
    assert day_folders(tmp_path / "none") == {}

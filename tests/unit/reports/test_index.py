"""The index of all days, built from one record per day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from detector.model.day import Day
from detector.model.report import RunReport
from detector.reports import reporter
from detector.reports.page import index
from tests import report_examples


def day(day: date, **changes: object) -> RunReport:
    """A report of another day."""
    report = report_examples.clear_day()
    return replace(report, day=Day(day, report.day.timezone), **changes)


def updated(folder: Path, report: RunReport) -> str:
    """Write a day's report and return the updated index."""
    reporter("json").write(report, folder / report.day.date.isoformat())
    return index.update(folder, report).read_text()


LAST = date(2026, 11, 22)


def test_days_are_listed_newest_first_with_links_to_their_files(tmp_path: Path) -> None:
    """The order in which days were evaluated does not matter."""
    for ago in (0, 2, 1):
        page = updated(tmp_path, day(LAST - timedelta(days=ago)))
    links = [page.index(f"2026-11-{day}/report.json") for day in (22, 21, 20)]
    assert links == sorted(links)


def test_a_day_judged_again_is_listed_once(tmp_path: Path) -> None:
    """The newer record replaces the older one."""
    updated(tmp_path, day(LAST))
    once = updated(tmp_path, day(LAST))
    assert len((tmp_path / index.RECORDS).read_text().splitlines()) == 1
    assert once.count('href="2026-11-22/report.json"') == 1


def test_damaged_records_are_rebuilt_from_the_reports(tmp_path: Path) -> None:
    """A truncated line loses no day."""
    for ago in (2, 1):
        updated(tmp_path, day(LAST - timedelta(days=ago)))
    (tmp_path / index.RECORDS).write_text('{"day": "2026-11-2\n[]\n')
    page = updated(tmp_path, day(LAST))
    assert all(f"2026-11-{day}/report.json" in page for day in (20, 21, 22))
    assert len((tmp_path / index.RECORDS).read_text().splitlines()) == 3


def test_only_the_last_days_are_listed_and_the_others_counted(tmp_path: Path) -> None:
    """The page lists a limited number of days and counts the older ones."""
    records = [index.record_of(day(LAST - timedelta(days=ago))) for ago in reversed(range(index.MOST_DAYS + 5))]
    page = index.render(records, tmp_path)
    assert "5 older days" in page


def test_a_hostile_organization_is_only_text(tmp_path: Path) -> None:
    """The name is on the page as text, and not as an element."""
    page = updated(tmp_path, day(LAST, organization="<script>alert(1)</script>"))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page

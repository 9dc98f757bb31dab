"""The files that patterns match, and the files of given days."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.model.errors import SourceError
from detector.sources.files.locations import Locations
from detector.sources.files.storage import Disk, ObjectStore, as_expression, storage_of

DAY = date(2026, 3, 1)


def filled(folder: Path, *names: str) -> Path:
    """The folder with files of these names."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def names(folder: Path, files: list) -> list[str]:
    """The paths of the files, relative to the folder."""
    return [str(Path(file.path).relative_to(folder)) for file in files]


def test_only_the_days_asked_for_and_their_neighbours_are_found(tmp_path: Path) -> None:
    """Also across the end of a month. Files of other days are not opened."""
    days = ["2026/02/26", "2026/02/27", "2026/02/28", "2026/03/01", "2026/03/02", "2026/03/03"]
    filled(tmp_path, *(f"{day}/a.log" for day in days))
    found, missing = Locations(f"{tmp_path}/{{year}}/{{month}}/{{day}}/*.log", "main").between(DAY, DAY)
    assert names(tmp_path, found) == ["2026/02/28/a.log", "2026/03/01/a.log", "2026/03/02/a.log"]
    assert missing == []


def test_a_day_without_a_file_of_its_own_is_missing(tmp_path: Path) -> None:
    """The days before and after it need no file, and a missing day does not stop the others."""
    filled(tmp_path, "a-2026-03-01.log", "a-2026-03-03.log")
    found, missing = Locations(f"{tmp_path}/a-{{year}}-{{month}}-{{day}}.log", "main").between(
        DAY, date(2026, 3, 3)
    )
    assert len(found) == 2
    assert [(absent.day, Path(absent.pattern).name) for absent in missing] == [
        (date(2026, 3, 2), "a-2026-03-02.log")
    ]


def test_a_pattern_without_any_file_is_an_error(tmp_path: Path) -> None:
    """A pattern whose files are all of other days is not."""
    locations = Locations(f"{tmp_path}/{{year}}-{{month}}-{{day}}.log", "main")
    for ask in (
        lambda: locations.between(DAY, DAY),
        lambda: locations.until(DAY),
        lambda: list(locations.newest_first()),
        locations.all_files,
    ):
        with pytest.raises(SourceError, match="source main: no file matches"):
            ask()
    filled(tmp_path, "2025-01-01.log", "2026-99-99.log")
    found, missing = locations.between(DAY, DAY)
    assert found == []
    assert [absent.day for absent in missing] == [DAY]


def test_files_of_a_month_serve_all_its_days(tmp_path: Path) -> None:
    """A name need not hold the day."""
    filled(tmp_path, "2026-01.csv", "2026-02.csv", "2026-03.csv", "2026-04.csv")
    locations = Locations(f"{tmp_path}/{{year}}-{{month}}.csv", "main")
    assert names(tmp_path, locations.between(DAY, DAY)[0]) == ["2026-02.csv", "2026-03.csv"]
    assert names(tmp_path, locations.between(date(2026, 3, 9), date(2026, 3, 9))[0]) == ["2026-03.csv"]
    assert names(tmp_path, locations.until(date(2026, 2, 27))) == ["2026-01.csv", "2026-02.csv"]


def test_files_without_a_day_in_their_name_belong_to_all_days(tmp_path: Path) -> None:
    """A list may hold patterns with and without days. A file that two patterns match is found once."""
    filled(tmp_path, "current.log", "2026-01-01.log", "2026-03-01.log")
    dated = f"{tmp_path}/{{year}}-{{month}}-{{day}}.log"
    locations = Locations([dated, f"{tmp_path}/cur*.log", f"{tmp_path}/current.log"], "main")
    assert names(tmp_path, locations.between(DAY, DAY)[0]) == ["2026-03-01.log", "current.log"]
    assert names(tmp_path, locations.until(date(2026, 2, 1))) == ["2026-01-01.log", "current.log"]
    assert len(locations.all_files()) == 3


def test_a_file_with_several_names_is_found_once(tmp_path: Path) -> None:
    """A link to the current log must not count its records twice, and neither must another spelling of a path."""
    folder = filled(tmp_path, "app-2026-03-01.log", "app-2026-03-02.log")
    (folder / "current.log").symlink_to(folder / "app-2026-03-02.log")
    locations = Locations([str(folder / "*.log"), str(folder / ".." / folder.name / "*.log")], "main")
    assert len(locations.all_files()) == 2


def test_the_newest_files_come_first(tmp_path: Path) -> None:
    """Two days at a time, since the files of the latest day may still be empty."""
    filled(tmp_path, "x.log", *(f"2026-03-0{day}.log" for day in range(1, 6)))
    locations = Locations([f"{tmp_path}/{{year}}-{{month}}-{{day}}.log", f"{tmp_path}/x.log"], "main")
    assert [names(tmp_path, found) for found in locations.newest_first()] == [
        ["2026-03-04.log", "2026-03-05.log", "x.log"],
        ["2026-03-02.log", "2026-03-03.log"],
        ["2026-03-01.log"],
    ]


def test_a_day_that_stands_twice_in_a_path_must_be_the_same_day(tmp_path: Path) -> None:
    """Folders may be named by month and their files by day."""
    filled(tmp_path, "2026/03/a-20260301.log", "2026/03/a-20260401.log")
    locations = Locations(f"{tmp_path}/{{year}}/{{month}}/a-{{year}}{{month}}{{day}}.log", "main")
    assert names(tmp_path, locations.until(date(2026, 12, 31))) == ["2026/03/a-20260301.log"]


@pytest.mark.parametrize("pattern", ["{day}.log", "{year}-{day}.log", "{month}.log"])
def test_a_day_without_its_year_is_an_error(pattern: str) -> None:
    """It would be a day of every year. The error asks for both placeholders."""
    with pytest.raises(SourceError, match="write both"):
        Locations(pattern, "main")


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("b/*.gz", "b/x.gz", True),
        ("b/*.gz", "b/c/x.gz", False),
        ("b/**/*.gz", "b/x.gz", True),
        ("b/**/*.gz", "b/c/d/x.gz", True),
        ("b/a-[0-9].log", "b/a-7.log", True),
        ("b/a-[!0-9].log", "b/a-7.log", False),
        ("b/a.log", "b/abxlog", False),
        ("b/(a)+.log", "b/(a)+.log", True),
    ],
)
def test_shell_patterns_match_as_they_do_on_disk(pattern: str, path: str, matches: bool) -> None:
    """An object store has no patterns of its own."""
    assert (as_expression(pattern).fullmatch(path) is not None) is matches


@given(st.text(st.characters(exclude_characters="*?[", exclude_categories=("Cs",))))
def test_a_name_without_wildcards_matches_itself(name: str) -> None:
    """Other characters have no special meaning."""
    assert re.fullmatch(as_expression(name), name)


@pytest.mark.parametrize(
    ("url", "storage", "pattern"),
    [
        ("/var/log/*.log", Disk(), "/var/log/*.log"),
        ("s3://logs/a/*.gz", ObjectStore("s3", "logs"), "logs/a/*.gz"),
        ("s3://logs/a.gz?region=eu-north-1", ObjectStore("s3", "logs", "region=eu-north-1"), "logs/a.gz"),
        ("gs://logs/{year}/*.gz", ObjectStore("gs", "logs"), "logs/{year}/*.gz"),
        (
            "gs://logs/a?endpoint_override=127.0.0.1:1&scheme=http",
            ObjectStore("gs", "logs", "endpoint_override=127.0.0.1:1&scheme=http"),
            "logs/a",
        ),
    ],
)
def test_a_url_names_a_store_and_a_pattern_in_it(url: str, storage: object, pattern: str) -> None:
    """The bucket is part of the paths, as in Arrow. The options of the connection follow a question mark."""
    assert storage_of(url) == (storage, pattern)


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_a_url_holds_no_credentials(scheme: str) -> None:
    """Credentials belong in the environment, and the error does not repeat them."""
    with pytest.raises(SourceError, match="environment") as error:
        storage_of(f"{scheme}://AKIAEXAMPLE:secret@bucket/a.log")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("url", ["s3://bucket", "s3://bucket/", "s3:///a.log", "gs://buck*/a.log"])
def test_a_url_names_a_bucket_and_files(url: str) -> None:
    """A URL without one of them is an error."""
    with pytest.raises(SourceError, match="must name a bucket and files"):
        storage_of(url)


def test_a_url_of_another_store_is_an_error() -> None:
    """The error names the stores that can be read."""
    with pytest.raises(SourceError, match="begins with s3:// or gs://"):
        storage_of("ftp://host/a.log")

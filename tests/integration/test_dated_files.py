"""The files source reads rotated, compressed, growing and dated files."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pytest

from detector.config.source import FilesSource
from detector.model.errors import SourceError
from detector.sources.files.reader import FilesReader

DAY = date(2026, 3, 10)


def reader(usage: Any, zone: str = "UTC", **options: Any) -> FilesReader:
    """A source over these files."""
    return FilesReader(FilesSource(usage=usage, **options), ZoneInfo(zone))


def rows(*times: str, key: str = "a") -> bytes:
    """JSON lines of requests at these times."""
    return "".join(json.dumps({"timestamp": time, "key_id": key}) + "\n" for time in times).encode()


def write(path: Path, content: bytes) -> None:
    """Write a file, compressed where its suffix says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zst":
        with pa.CompressedOutputStream(str(path), "zstd") as stream:
            stream.write(content)
    else:
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def by_day(folder: Path, first: date, days: int) -> str:
    """Write files of consecutive UTC days with a request at every full hour; the pattern that matches them."""
    for number in range(days):
        day = first + timedelta(days=number)
        hours = [datetime(day.year, day.month, day.day, hour, tzinfo=UTC).isoformat() for hour in range(24)]
        write(folder / f"{day:%Y/%m/%d}/part-1.jsonl.gz", rows(*hours))
    return f"{folder}/{{year}}/{{month}}/{{day}}/*.jsonl.gz"


def counts(source: FilesReader, first: date = DAY, last: date = DAY) -> list[int]:
    """Requests of every day."""
    return [int(frame["request_count"].sum()) for _, frame in source.usage(first, last)]


def faults(source: FilesReader, day: date = DAY) -> dict[str, int]:
    """Faults of one day: reason to count."""
    return {fault.reason: fault.count for fault in source.faults(day)}


def test_rotated_files_in_every_compression_are_one_log(tmp_path: Path) -> None:
    """Numbers and dates may follow the suffix of the format."""
    names = [
        "app.jsonl",
        "app.jsonl.1",
        "app.jsonl.2.gz",
        "app.jsonl.3.zst",
        "app.jsonl-20260310.gz",
        "app.log.2026-03-10",
    ]
    for name in names:
        write(tmp_path / name, rows("2026-03-10T10:00:00Z"))
    assert counts(reader(f"{tmp_path}/app*")) == [len(names)]


@pytest.mark.parametrize("name", ["a.csv.zst", "a.csv.1.gz", "a.tsv-20260310"])
def test_rotated_tables_keep_their_header(tmp_path: Path, name: str) -> None:
    """Each file has its own header."""
    mark = "\t" if "tsv" in name else ","
    write(tmp_path / name, mark.join(["timestamp", "key_id"]).encode() + f"\n2026-03-10{mark}a\n".encode())
    assert counts(reader(f"{tmp_path}/a*")) == [1]


def test_with_a_preset_the_name_does_not_matter(tmp_path: Path) -> None:
    """The preset gives the format."""
    line = json.dumps({"started_at": 1773136800000, "authenticated_entity": {"id": "a"}})
    for name in ("access.txt", "access", "access.csv.1", "access.parquet.gz"):
        write(tmp_path / name, f"{line}\n".encode())
    assert counts(reader(f"{tmp_path}/access*", preset="kong")) == [4]


def test_a_damaged_zstd_file_is_an_error(tmp_path: Path) -> None:
    """Without the check its rows would end early without an error."""
    write(tmp_path / "a.jsonl.zst", rows(*["2026-03-10T10:00:00Z"] * 1000))
    (tmp_path / "b.jsonl.zst").write_bytes((tmp_path / "a.jsonl.zst").read_bytes()[:-5])
    with pytest.raises(SourceError, match=r"cannot read .*b\.jsonl\.zst"):
        counts(reader(f"{tmp_path}/*"))


def test_a_line_that_is_still_being_written_is_a_fault_until_it_is_whole(tmp_path: Path) -> None:
    """The next run reads the whole line; the lines before it count at once."""
    whole = rows("2026-03-10T10:00:00Z", "2026-03-10T11:00:00Z")
    source = reader(f"{tmp_path}/a.jsonl")
    (tmp_path / "a.jsonl").write_bytes(whole[:-12])
    assert (counts(source), faults(source)) == ([1], {"not a JSON object": 1})
    (tmp_path / "a.jsonl").write_bytes(whole)
    assert (counts(source), faults(source)) == ([2], {})


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Pacific/Kiritimati"])
def test_local_days_are_whole_although_files_are_named_in_utc(tmp_path: Path, zone: str) -> None:
    """The files of the day before and after hold the rest of the local day."""
    pattern = by_day(tmp_path, DAY - timedelta(days=4), 9)
    some = reader(pattern, zone)
    assert counts(some, DAY - timedelta(days=1), DAY + timedelta(days=1)) == [24, 24, 24] or zone != "UTC"
    everything = reader(f"{tmp_path}/**/*.jsonl.gz", zone)
    for (day, one), (_, other) in zip(some.usage(DAY, DAY), everything.usage(DAY, DAY), strict=True):
        assert day == DAY
        pd.testing.assert_frame_equal(one, other)


def test_files_of_other_days_are_not_opened(tmp_path: Path) -> None:
    """A damaged file of last week does not stop the day."""
    pattern = by_day(tmp_path, DAY - timedelta(days=9), 11)
    (tmp_path / f"{DAY - timedelta(days=7):%Y/%m/%d}/part-1.jsonl.gz").write_bytes(b"no gzip")
    source = reader(pattern)
    assert counts(source) == [24]
    assert source.watermark() == datetime(2026, 3, 11, 23, tzinfo=UTC)
    with pytest.raises(SourceError, match="Not a gzipped file"):
        counts(source, DAY - timedelta(days=7))


def test_a_missing_day_is_a_fault_of_its_day(tmp_path: Path) -> None:
    """The other days are complete, and the fault names the missing file."""
    pattern = by_day(tmp_path, DAY - timedelta(days=3), 5)
    (tmp_path / f"{DAY:%Y/%m/%d}/part-1.jsonl.gz").unlink()
    source = reader(pattern)
    assert counts(source, DAY - timedelta(days=1), DAY + timedelta(days=1)) == [24, 0, 24]
    (fault,) = source.faults(DAY)
    assert (fault.reason, fault.count, fault.dated) == ("no file of the day", 1, True)
    assert fault.samples[0].endswith("2026/03/10/*.jsonl.gz")
    assert source.faults(DAY + timedelta(days=1)) == ()


def test_days_before_all_files_are_empty(tmp_path: Path) -> None:
    """A window without any file is no error where files of other days exist."""
    source = reader(by_day(tmp_path, DAY, 2), shape="events")
    assert counts(source, date(2026, 1, 1), date(2026, 1, 2)) == [0, 0]


def test_the_watermark_comes_from_the_newest_day_with_usable_rows(tmp_path: Path) -> None:
    """Newer days whose files are still empty do not count."""
    pattern = by_day(tmp_path, DAY, 1)
    for number in range(1, 5):
        write(tmp_path / f"{DAY + timedelta(days=number):%Y/%m/%d}/a.jsonl.gz", b"")
    assert reader(pattern).watermark() == datetime(2026, 3, 10, 23, tzinfo=UTC)


def test_activity_before_a_day_comes_from_all_days_before_it(tmp_path: Path) -> None:
    """First and last use are exact over more days than one window holds."""
    source = reader(by_day(tmp_path, DAY - timedelta(days=50), 60))
    (row,) = source.activity_before(DAY).to_dict("records")
    assert row["first_seen"] == DAY - timedelta(days=50)
    assert row["last_seen"] == pd.Timestamp("2026-03-09T23:00Z")


def test_a_file_without_a_day_in_its_name_is_read_for_every_day(tmp_path: Path) -> None:
    """The current log lies beside the rotated logs."""
    pattern = by_day(tmp_path, DAY - timedelta(days=2), 2)
    write(tmp_path / "current.jsonl", rows("2026-03-10T10:00:00Z"))
    source = reader([pattern, f"{tmp_path}/current.jsonl"])
    assert counts(source, DAY - timedelta(days=1), DAY) == [24, 1]
    assert source.watermark() == datetime(2026, 3, 10, 10, tzinfo=UTC)

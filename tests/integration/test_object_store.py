"""Usage and registers in a bucket, over the S3 protocol on loopback."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow.fs as pafs
import pytest
from moto.server import ThreadedMotoServer

from detector.config.source import FilesSource
from detector.model.errors import SourceError
from detector.sources.files.reader import FilesReader

DAY = date(2026, 3, 10)
ROW = b'{"timestamp": "2026-03-%02dT10:00:00Z", "key_id": "a"}\n'


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The address of an S3 server that these tests start."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def options(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL options of a server whose bucket ``logs`` holds files of several days and a register."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing-secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    query = f"endpoint_override={endpoint}&scheme=http&region=us-east-1"
    store, _ = pafs.FileSystem.from_uri(f"s3://logs?{query}&allow_bucket_creation=true")
    store.create_dir("logs")
    for day in (8, 9, 10, 11, 12):
        put(store, f"logs/api/2026/03/{day:02}/part.jsonl.gz", gzip.compress(ROW % day * 2))
    put(store, "logs/keys.csv", b"key_id,name,environment\na,shop,live\n")
    return query


def put(store: pafs.FileSystem, path: str, content: bytes) -> None:
    """Store an object."""
    with store.open_output_stream(path, compression=None) as stream:
        stream.write(content)


def reader(usage: str, **more: str) -> FilesReader:
    """A source over these files."""
    return FilesReader(FilesSource.model_validate({"usage": usage, **more}), ZoneInfo("UTC"))


def count(source: FilesReader) -> int:
    """Requests of the day."""
    ((_, frame),) = source.usage(DAY, DAY)
    return int(frame["request_count"].sum())


@pytest.mark.parametrize(
    "pattern",
    ["api/2026/03/1*/*.gz", "api/**/*.jsonl.gz", "api/2026/03/10/part.jsonl.gz", "api/{year}/{month}/{day}/*"],
)
def test_usage_is_read_from_a_bucket(options: str, pattern: str) -> None:
    """The pattern may hold wildcards, a full name, or a day."""
    assert count(reader(f"s3://logs/{pattern}?{options}")) == 2


def test_register_watermark_and_activity_come_from_a_bucket(options: str) -> None:
    """All methods of a source work over a bucket."""
    usage = f"s3://logs/api/{{year}}/{{month}}/{{day}}/*?{options}"
    source = reader(usage, keys=f"s3://logs/keys.csv?{options}")
    assert source.keys()["name"].tolist() == ["shop"]
    assert source.watermark() == datetime(2026, 3, 12, 10, tzinfo=UTC)
    assert source.activity_before(DAY)["key_id"].tolist() == ["a"]


def test_activity_is_read_in_batches_of_files(options: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk need not hold the copies of all days at once."""
    monkeypatch.setattr("detector.sources.files.locations.DOWNLOAD_BATCH", 1)
    activity = reader(f"s3://logs/api/{{year}}/{{month}}/{{day}}/*?{options}").activity_before(date(2026, 3, 12))
    (row,) = activity.to_dict("records")
    assert (row["first_seen"], row["last_seen"].date()) == (date(2026, 3, 8), date(2026, 3, 11))


def test_a_missing_day_in_a_bucket_is_a_fault_of_its_day(options: str) -> None:
    """The same as on disk."""
    source = reader(f"s3://logs/api/{{year}}/{{month}}/{{day}}/*?{options}")
    ((_, frame),) = source.usage(date(2026, 3, 13), date(2026, 3, 13))
    assert len(frame) == 0
    (fault,) = source.faults(date(2026, 3, 13))
    assert (fault.reason, fault.samples) == ("no file of the day", ("logs/api/2026/03/13/*",))


def test_the_endpoint_may_come_from_the_environment(
    options: str, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS_ENDPOINT_URL works as in other tools."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{endpoint}")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert count(reader("s3://logs/api/**/*.gz?region=us-east-1")) == 2


def test_copies_do_not_outlive_the_answer(options: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies lie in a private folder, which is removed with the database."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    source = reader(f"s3://logs/api/**/*.gz?{options}")
    days = source.usage(DAY, DAY)
    next(days)
    (folder,) = tmp_path.iterdir()
    assert folder.stat().st_mode & 0o077 == 0
    assert list(folder.rglob("*.gz"))
    days.close()
    assert list(tmp_path.iterdir()) == []


def test_a_missing_bucket_or_file_is_an_error(options: str) -> None:
    """The error holds no secret."""
    with pytest.raises(SourceError, match=r"no file matches logs/nothing/"):
        count(reader(f"s3://logs/nothing/*.gz?{options}"))
    with pytest.raises(SourceError, match=r"no file matches|s3://other cannot be read") as error:
        count(reader(f"s3://other/a.gz?{options}"))
    assert "testing-secret" not in str(error.value)


def test_a_server_that_refuses_is_an_error(options: str) -> None:
    """The error names the bucket and what to check."""
    refused = f"endpoint_override=127.0.0.1:1&{options.partition('&')[2]}"
    with pytest.raises(SourceError, match=r"s3://logs cannot be read: .*; check the bucket's name"):
        count(reader(f"s3://logs/api/*.gz?{refused}"))

"""CloudTrail deliveries in the form in which AWS writes them."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from detector.config.source import FilesSource
from detector.model.errors import SourceError
from detector.sources.files.reader import FilesReader
from detector.usage.aggregation import map_of

DAY = date(2026, 1, 2)


def event(identity: str, key: str | None = "AKIDEXAMPLE", **changes: Any) -> dict[str, Any]:
    """One record in the form in which the service writes it."""
    user = {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}
    if key:
        user = {"type": "IAMUser", "accessKeyId": key}
    return {
        "eventVersion": "1.08",
        "userIdentity": user,
        "eventTime": "2026-01-02T10:00:00Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        "sourceIPAddress": "10.0.0.1",
        "eventID": identity,
        **changes,
    }


def deliver(folder: Path, name: str, *events: dict[str, Any]) -> None:
    """Write one delivered file."""
    (folder / name).write_bytes(gzip.compress(json.dumps({"Records": events}).encode()))


def trail(folder: Path, **options: Any) -> FilesReader:
    """A source over all deliveries in the folder."""
    usage = f"{folder}/*.json*"
    return FilesReader(FilesSource(usage=usage, preset="cloudtrail", **options), ZoneInfo("UTC"))


def test_an_event_becomes_a_request_of_its_access_key(tmp_path: Path) -> None:
    """Endpoint, error, client and time come from the fields that AWS documents."""
    failed = event("2", eventName="PutObject", errorCode="AccessDenied", eventTime="2026-01-02T11:00:00Z")
    deliver(tmp_path, "a.json.gz", event("1"), failed, event("3", key="AKIDOTHER", sourceIPAddress="10.0.0.2"))
    source = trail(tmp_path)
    ((_, frame),) = source.usage(DAY, DAY)
    assert frame["key_id"].tolist() == ["AKIDEXAMPLE", "AKIDOTHER"]
    assert frame["request_count"].tolist() == [2, 1]
    assert frame["error_count"].tolist() == [1, 0]
    assert frame["client_count"].tolist() == [1, 1]
    endpoints = map_of(frame["endpoint_distribution"][0])
    assert endpoints == {"s3.amazonaws.com:GetObject": 1, "s3.amazonaws.com:PutObject": 1}
    assert source.watermark() == datetime(2026, 1, 2, 11, tzinfo=UTC)
    assert source.faults(DAY) == ()


def test_an_event_delivered_twice_counts_once(tmp_path: Path) -> None:
    """Deliveries overlap, and copies of an event have the same id."""
    deliver(tmp_path, "a.json.gz", event("1"), event("2"))
    deliver(tmp_path, "b.json.gz", event("2"), event("3"))
    ((_, frame),) = trail(tmp_path).usage(DAY, DAY)
    assert frame["request_count"].tolist() == [3]


def test_events_of_services_are_a_fault_whose_sample_names_the_service(tmp_path: Path) -> None:
    """These events carry no access key, so they belong to no key."""
    deliver(tmp_path, "a.json.gz", event("1"), event("2", key=None), event("3", key=None))
    source = trail(tmp_path)
    list(source.usage(DAY, DAY))
    (fault,) = source.faults(DAY)
    assert (fault.reason, fault.count, fault.dated) == ("no key id: not attributable to a key", 2, True)
    assert fault.samples == ("a.json.gz: s3.amazonaws.com:GetObject by ec2.amazonaws.com",)


def test_other_files_among_the_deliveries_are_counted_as_faults(tmp_path: Path) -> None:
    """Broken JSON, digests without records and text that is not UTF-8 do not stop the day."""
    deliver(tmp_path, "a.json.gz", event("1"))
    (tmp_path / "b.json").write_text('{"Records": [{"eventID"')
    (tmp_path / "c.json").write_text('{"digestStartTime": "2026-01-02T10:00:00Z"}')
    (tmp_path / "d.json").write_bytes(b'{"Records": ["\xff"]}')
    (tmp_path / "e.json").write_text(json.dumps({"Records": []}, indent=2))
    source = trail(tmp_path)
    ((_, frame),) = source.usage(DAY, DAY)
    assert frame["request_count"].tolist() == [1]
    found = {fault.reason: fault.count for fault in source.faults(DAY)}
    assert found == {"file is not valid JSON": 2, "file has no list of records": 1}


def test_records_without_a_time_are_counted_as_faults(tmp_path: Path) -> None:
    """A record without a time belongs to no day."""
    deliver(tmp_path, "a.json.gz", event("1"), {"eventID": "2"}, event("3", eventTime="soon"))
    source = trail(tmp_path)
    list(source.usage(DAY, DAY))
    found = {fault.reason: fault.count for fault in source.faults(DAY)}
    assert found == {"missing or unreadable timestamp": 2}


def test_a_delivery_that_is_cut_off_is_an_error(tmp_path: Path) -> None:
    """A copy that is not finished must not look like a quiet day."""
    deliver(tmp_path, "a.json.gz", event("1"))
    (tmp_path / "b.json.gz").write_bytes((tmp_path / "a.json.gz").read_bytes()[:-10])
    with pytest.raises(SourceError, match=r"b\.json\.gz"):
        list(trail(tmp_path).usage(DAY, DAY))


def test_plain_columns_beside_a_preset_are_an_error(tmp_path: Path) -> None:
    """With a preset a column is a template: a plain name cannot say where in a record the value stands."""
    deliver(tmp_path, "a.json.gz", event("1"))
    with pytest.raises(SourceError, match=r"columns\.timestamp"):
        trail(tmp_path, columns={"timestamp": "when"}).watermark()

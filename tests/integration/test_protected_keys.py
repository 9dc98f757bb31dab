"""The files source protects keys in clear in its records, its register and its faults."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from detector.config.source import FilesSource
from detector.sources.files.protection import ProtectedKeys
from detector.sources.files.reader import FilesReader
from detector.usage.aggregation import map_of

SALT = "a salt for tests alone"
DAY = date(2026, 3, 10)
KEYS = st.text("abcdefghijkmnpqrstuvwy12345678./+=-%&<>'\"", min_size=9, max_size=40)


def output_of(source: FilesReader) -> Iterator[str]:
    """All output of a source about a day, as text."""
    yield repr(source.keys().to_dict("records"))
    for day, frame in source.usage(DAY, DAY):
        yield repr(frame.to_dict("records"))
        yield repr(source.faults(day))
    yield repr(source.activity_before(date(2026, 3, 11)).to_dict("records"))


def protected(folder: Path, **options: object) -> FilesReader:
    """A source over a log and a register with keys in clear."""
    config = {"usage": f"{folder}/*.jsonl", "protect_keys": True, "key_salt": SALT, **options}
    return FilesReader(FilesSource.model_validate(config), ZoneInfo("UTC"))


@settings(max_examples=20, deadline=None)
@given(KEYS, st.integers(0, 200), st.sampled_from(["timestamp", "status", "endpoint", "deployment", "client"]))
def test_no_output_holds_a_key_in_clear(key: str, cut: int, member: str) -> None:
    """The key stands in its own column, in others, in lines cut anywhere and in a damaged register."""
    record = {"timestamp": "2026-03-10T10:00:00Z", "key_id": key, "endpoint": f"/a/{key}?k={key}", "status": 200}
    whole = json.dumps(record)
    lines = [whole, json.dumps({**record, member: key}), whole[:cut], f"{key} {whole}", json.dumps([key])]
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "a.jsonl").write_text("\n".join(lines) + "\n")
        register = [{"key_id": key, "name": "shop", "environment": key}, {"key_id": key, "created_at": key}]
        (folder / "keys.ndjson").write_text("\n".join(map(json.dumps, register)) + f"\n{key}\n")
        output = "".join(output_of(protected(folder, keys=f"{folder}/keys.ndjson")))
    shown = ProtectedKeys(SALT).protected(key)
    assert shown in output or repr(shown)[1:-1] in output
    assert key not in output
    assert repr(key)[1:-1] not in output


def test_usage_joins_a_register_in_clear_and_one_of_ids(tmp_path: Path) -> None:
    """Both registers give the same ids, and a key in its own path becomes {key}."""
    row = {"timestamp": "2026-03-10T10:00:00Z", "key_id": "hunter2hunter2", "endpoint": "/bot/hunter2hunter2/send"}
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n")
    shown = ProtectedKeys(SALT).protected("hunter2hunter2")
    for written in ("hunter2hunter2", shown):
        (tmp_path / "keys.csv").write_text(f"key_id,name\n{written},shop\n")
        source = protected(tmp_path, keys=f"{tmp_path}/keys.csv")
        ((_, frame),) = source.usage(DAY, DAY)
        assert source.keys()["key_id"].tolist() == frame["key_id"].tolist() == [shown]
        assert source.activity_before(date(2026, 3, 11))["key_id"].tolist() == [shown]
        assert map_of(frame["endpoint_distribution"][0]) == {"/bot/{key}/send": 1}


def test_a_caller_cannot_pass_for_another_key(tmp_path: Path) -> None:
    """A caller who sends the id of another key as a key is a different key."""
    shown = ProtectedKeys(SALT).protected("hunter2hunter2")
    keys = ["hunter2hunter2", shown]
    rows = [json.dumps({"timestamp": "2026-03-10T10:00:00Z", "key_id": key}) + "\n" for key in keys]
    (tmp_path / "a.jsonl").write_text("".join(rows))
    ((_, frame),) = protected(tmp_path).usage(DAY, DAY)
    assert frame["request_count"].tolist() == [1, 1]
    assert frame["key_id"].is_unique

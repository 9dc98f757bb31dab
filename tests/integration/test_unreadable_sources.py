"""A source that holds records and none that can be used is not an empty one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from detector.cli.main import cli
from detector.config.load import load
from detector.model.errors import BAD_USAGE, PARTIAL, NotReadyError
from detector.operations.schedule.nightly import nightly
from detector.pipeline import RunResult
from detector.sources.faults import FUTURE
from detector.sources.files.formats import NOT_JSON
from tests.databases import sqlite

LAST = date(2026, 3, 17)
BEFORE_THE_DEADLINE = datetime(2026, 3, 18, 2, 30, tzinfo=UTC)
HOURS = 24 * 10

WriteRecord = Callable[[dict[str, object], bool], str]


def broken(record: dict[str, object], is_last_day: bool) -> str:
    """No line is JSON."""
    return f"<record at='{record['timestamp']}'/>"


def keyless(record: dict[str, object], is_last_day: bool) -> str:
    """No record names a key."""
    return json.dumps({**record, "key_id": None})


def timeless(record: dict[str, object], is_last_day: bool) -> str:
    """No time can be read."""
    return json.dumps({**record, "timestamp": "soon"})


def broken_at_the_end(record: dict[str, object], is_last_day: bool) -> str:
    """The program that writes the log was changed on the last day."""
    return broken(record, is_last_day) if is_last_day else json.dumps(record)


def renamed(record: dict[str, object], is_last_day: bool) -> str:
    """The columns have other names."""
    return json.dumps({"ts": record["timestamp"], "consumer": record["key_id"]})


def configuration(folder: Path, write: WriteRecord) -> Path:
    """The configuration of a source of ten days: one key, a request an hour, each written as ``write`` says."""
    lines = []
    for hour in range(HOURS):
        instant = datetime(2026, 3, 18, tzinfo=UTC) - timedelta(hours=HOURS - hour)
        record = {"timestamp": instant.isoformat(), "key_id": "a", "endpoint": "GET /x", "status": 200}
        lines.append(write(record, instant.date() == LAST))
    (folder / "app.jsonl").write_text("\n".join(lines) + "\n")
    path = folder / "config.yaml"
    path.write_text("source: {kind: files, usage: app.jsonl}\nhistory: {first_pull_days: 9}\n")
    return path


def run(path: Path) -> RunResult:
    """The run of the last day, before the deadline."""
    (result,) = nightly(load(path), now=BEFORE_THE_DEADLINE)
    return result


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (
            broken,
            "None of the 240 records could be used: not a JSON object. A record looks like: app.jsonl: <record",
        ),
        (keyless, "None of the 24 records could be used: no key id. A record looks like: app.jsonl: GET /x"),
        (
            timeless,
            "None of the 240 records could be used: missing or unreadable timestamp. A record looks like: ",
        ),
        (
            broken_at_the_end,
            "None of the 24 records could be used: not a JSON object. A record looks like: app.jsonl",
        ),
    ],
)
def test_a_run_tells_why_no_record_could_be_used(tmp_path: Path, write: WriteRecord, reason: str) -> None:
    """The report is written, and the run is no success. It does not wait for data that have come."""
    result = run(configuration(tmp_path, write))
    assert result.exit_code == PARTIAL
    assert result.report.summary.outcome == "could_not_judge"
    assert result.report.summary.subline.startswith(reason)
    page = next(file for file in result.files if file.name == "report.html").read_text()
    assert "could be used" in page
    assert "holds no request" not in page


def test_a_wrong_column_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    """The report is written, and it says what the records look like. To try later would not help."""
    result = run(configuration(tmp_path, renamed))
    assert result.exit_code == BAD_USAGE
    assert "has no column" in result.report.summary.subline
    assert "It has: consumer, ts" in result.report.summary.subline


def test_a_missing_table_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    """Only the database can tell. The report names the table, and does not call the source empty."""
    url = sqlite(tmp_path, "timestamp, key_id", [])
    path = tmp_path / "config.yaml"
    path.write_text(f"source: {{kind: sql, url: '{url}', usage: nothing}}\nhistory: {{first_pull_days: 9}}\n")
    result = run(path)
    assert result.exit_code == BAD_USAGE
    assert "there is no table 'nothing'" in result.report.summary.subline


def test_an_empty_source_is_tried_again(tmp_path: Path) -> None:
    """Its data may come before the deadline. After it the run is no success."""
    path = configuration(tmp_path, broken)
    (tmp_path / "app.jsonl").write_text("")
    with pytest.raises(NotReadyError, match="holds no request"):
        run(path)
    (result,) = nightly(load(path), now=BEFORE_THE_DEADLINE + timedelta(hours=12))
    assert result.exit_code == PARTIAL


@pytest.mark.parametrize("write", [broken, keyless, timeless])
def test_check_tells_why_no_record_can_be_used(tmp_path: Path, write: WriteRecord) -> None:
    """It shows the accounting and a sample although no record is good."""
    done = CliRunner().invoke(cli, ["check", "--config", str(configuration(tmp_path, write))])
    assert done.exit_code != 0
    assert "records read: 0 counted" in done.output
    assert "such as: app.jsonl" in done.output
    assert str(done.exception).startswith("None of the ")


def test_usage_ends_with_the_accounting_where_something_was_left_out(tmp_path: Path) -> None:
    """The answer itself stays as it is."""
    path = configuration(tmp_path, broken_at_the_end)
    days = ["--from", "2026-03-16", "--to", "2026-03-17"]
    done = CliRunner().invoke(cli, ["usage", "--config", str(path), *days])
    assert done.stderr.splitlines()[-1] == "detector: 48 records read: 24 counted, 24 unusable"
    whole = CliRunner().invoke(cli, ["usage", "--config", str(path), "--from", "2026-03-16"])
    assert "records read" not in whole.stderr


def test_usage_gives_every_reason_for_which_a_record_was_left_out(tmp_path: Path) -> None:
    """Also that of a record from the future, and those of earlier days than the last one."""
    path = configuration(tmp_path, broken_at_the_end)
    with (tmp_path / "app.jsonl").open("a") as file:
        file.write('{"timestamp": "2199-01-01T00:00:00Z", "key_id": "a"}\n')
        file.write('{"timestamp": "2026-03-18T10:00:00Z", "key_id": "a"}\n')
    days = ["--from", "2026-03-16", "--to", "2026-03-18"]
    done = CliRunner().invoke(cli, ["usage", "--config", str(path), *days])
    assert f"detector: 24 × {NOT_JSON}" in done.stderr.splitlines()
    assert f"detector: 1 × {FUTURE}" in done.stderr.splitlines()

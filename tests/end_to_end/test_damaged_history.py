"""A damaged day of the history: it costs itself, and no run over it is an all-clear."""

from __future__ import annotations

import json
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from detector.cli.main import main
from detector.model.errors import DONE, PARTIAL
from tests.installation import KEYS, installation

DAY = date(2026, 3, 17)
PAST = DAY - timedelta(days=7)


def command(*arguments: str) -> int:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as ended:
        main([*arguments])
    return int(ended.value.code or 0)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """An installation that has judged the day before."""
    path = installation(tmp_path, DAY)
    assert command("run", "--config", str(path), "--day", str(DAY - timedelta(days=1)), "--no-deliver") == DONE
    return path


def stored(config: Path, day: date) -> Path:
    """The file of a day in the history."""
    return config.parent / "var" / "history" / f"day={day}" / "usage.parquet"


def flip_a_bit(path: Path, column: str) -> None:
    """Damage one page of a column."""
    group = pq.ParquetFile(path).metadata.row_group(0)
    columns = [group.column(index) for index in range(group.num_columns)]
    damaged = next(each for each in columns if each.path_in_schema.startswith(column))
    content = bytearray(path.read_bytes())
    start = damaged.dictionary_page_offset or damaged.data_page_offset
    content[start + damaged.total_compressed_size - 1] ^= 1
    path.write_bytes(content)


def report(config: Path, day: date = DAY) -> dict[str, Any]:
    """The report that a run has written."""
    path = config.parent / "var" / "reports" / str(day) / "report.json"
    document: dict[str, Any] = json.loads(path.read_text())
    return document


@pytest.mark.parametrize("column", ["endpoint_distribution", "request_count"])
def test_a_damaged_page_of_a_past_day_is_never_all_clear(config: Path, column: str) -> None:
    """The detectors run without that day; the first line says why the day is not clear, and so does `report`."""
    flip_a_bit(stored(config, PAST), column)
    assert command("run", "--config", str(config), "--day", str(DAY), "--no-deliver") == PARTIAL
    document = report(config)
    assert document["summary"]["outcome"] == "partly_judged"
    assert document["summary"]["verdict"].endswith("because a past day cannot be read")
    assert str(PAST) in document["summary"]["subline"]
    assert document["coverage"]["keys_judged"] == len(KEYS)
    assert not document["coverage"]["failures"]
    assert command("report", str(DAY), "--config", str(config)) == PARTIAL
    assert command("explain", KEYS[0], "--config", str(config), "--day", str(DAY)) == PARTIAL
    out = config.parent / "backtest"
    assert (
        command("backtest", "--config", str(config), "--from", str(DAY), "--to", str(DAY), "--out", str(out)) == 4
    )
    assert (out / "days.csv").read_text().splitlines()[1] == f"{DAY},partly_judged,1,1"


def test_the_file_of_another_day_is_refused(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It would be judged, and shown, under a wrong date."""
    shutil.copy(stored(config, PAST), stored(config, DAY - timedelta(days=1)))
    day = str(DAY - timedelta(days=1))
    assert command("report", day, "--config", str(config), "--format", "json") == PARTIAL
    document = json.loads(capsys.readouterr().out)
    assert document["summary"]["outcome"] == "could_not_judge"
    assert f"it is of another day: {PAST}" in document["summary"]["subline"]

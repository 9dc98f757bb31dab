"""Disks that are full or read-only, a source that goes away: a clear message, and nothing half-written."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.killed_runs import DAY, copied, finished, left, prepare

RUN = ("-m", "detector", "run", "--day", str(DAY), "--config")
LARGEST = 150_000
"""Bytes that a file may have: the state fits and a day, but no page of 200 keys and no day of long names."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hundred keys over twenty days."""
    folder = tmp_path_factory.mktemp("prepared")
    prepare(folder, keys=200, days=20)
    return folder


def ran(
    folder: Path, before: Callable[[], None] | None = None, change: str = ""
) -> subprocess.CompletedProcess[str]:
    """A run of the day by the command line, in a process that has been prepared for it."""
    environment = {**os.environ, "TMPDIR": str(folder / "temporary")}
    command = [sys.executable, *RUN, str(folder / "config.yaml"), *(("--set", change) if change else ())]
    return subprocess.run(
        command, env=environment, preexec_fn=before, capture_output=True, text=True, check=False, timeout=120
    )


def only_whole_files(folder: Path) -> bool:
    """Whether nothing under a temporary name is left anywhere."""
    return not [path for path in folder.rglob("*") if path.name.endswith(".tmp") or "scratch" in path.name]


def reports_in(folder: Path) -> dict[str, str]:
    """The reports of the day with their checksums."""
    return {name: checksum for name, checksum in left(folder).items() if f"reports/{DAY}" in name}


def small_files_only() -> None:
    """As a disk that is full does: a write fails in the middle of a file."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, LARGEST))


def test_a_day_that_does_not_fit_on_the_disk_is_an_error_and_leaves_nothing(
    prepared: Path, tmp_path: Path
) -> None:
    """Exit 1 with the reason; once there is room, the next run leaves what an undisturbed one does."""
    folder, calm = copied(prepared, tmp_path / "run"), copied(prepared, tmp_path / "calm")
    chance = random.Random(5)
    rows = [f"key-{number:06},{chance.randbytes(1000).hex()}" for number in range(200)]
    for place in (folder, calm):
        (place / "keys.csv").unlink()
        (place / "keys.csv").write_text("key_id,name\n" + "\n".join(rows) + "\n")
    done = ran(folder, small_files_only)
    assert done.returncode == 1, done.stderr
    assert "cannot store the day" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(folder.glob("var/history/*/usage.parquet"))
    assert only_whole_files(folder)
    finished(folder)
    finished(calm)
    assert left(folder) == left(calm)


def test_a_report_that_does_not_fit_is_recorded_and_the_others_are_written(prepared: Path, tmp_path: Path) -> None:
    """Exit 4: the day is judged, the JSON report is there, and there is no half of a page."""
    folder, calm = copied(prepared, tmp_path / "run"), copied(prepared, tmp_path / "calm")
    done = ran(folder, small_files_only)
    assert done.returncode == 4, done.stderr
    assert "the html report could not be written" in done.stderr
    reports = folder / "var/reports" / str(DAY)
    assert [path.name for path in reports.iterdir()] == ["report.json"]
    assert only_whole_files(folder)
    finished(folder)
    finished(calm)
    assert reports_in(folder) == reports_in(calm)


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ("state.url=sqlite:////sys/detector/state.db", 1, "cannot create the state database"),
        ("history.path=/sys/detector/history", 1, "cannot store the day"),
        ("report.directory=/sys/detector/reports", 4, "the json report could not be written"),
    ],
)
def test_a_folder_that_cannot_be_written_is_named(
    prepared: Path, tmp_path: Path, change: str, code: int, message: str
) -> None:
    """Nobody may make folders in /sys. Without state or history there is no run; without reports it is partial."""
    folder = copied(prepared, tmp_path / "run")
    done = ran(folder, change=change)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "/sys/detector" in done.stderr
    assert "Traceback" not in done.stderr
    assert only_whole_files(folder)


def test_a_source_that_is_gone_is_told_and_the_day_made_up_for(prepared: Path, tmp_path: Path) -> None:
    """Exit 2 with a report that judges nobody; with the source back it is as if it had never been away."""
    folder, calm = copied(prepared, tmp_path / "run"), copied(prepared, tmp_path / "calm")
    (folder / "usage.parquet").rename(folder / "away")
    done = ran(folder)
    assert done.returncode == 2, done.stderr
    assert done.stdout.startswith("The day could not be evaluated")
    (folder / "away").rename(folder / "usage.parquet")
    finished(folder)
    finished(calm)
    assert left(folder) == left(calm)

"""What version 1 left behind, where a day was called a night: its backup, state, history and reports are read.

``tests/golden/version-1`` was written by that version: fifteen days of six keys, the last one judged with three
findings, one of them muted.
"""

from __future__ import annotations

import gzip
import json
import shutil
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from detector.config.config import Config
from detector.config.load import load
from detector.operations.upkeep.archive import opened
from detector.operations.upkeep.restore import restore_backup
from detector.pipeline import Job, build_report, judge_day
from detector.reports import reporter
from detector.reports.page import index
from detector.state.database import State
from detector.state.sightings import days_judged, earlier_sightings
from detector.state.triage import triage_log
from tests.fakes import OWNER

VERSION_1 = Path(__file__).parents[1] / "golden" / "version-1"
DAY = date(2026, 3, 17)
NOW = datetime(2026, 3, 18, 3, tzinfo=UTC)
JUDGED = {date(2026, 3, day): True for day in (15, 16, 17)}


def configure(folder: Path, url: str = "") -> Config:
    """The configuration that those days were judged with."""
    path = folder / "config.yaml"
    path.write_text(
        "source: {kind: files, shape: daily, usage: usage.csv, deployment: production}\n"
        + (f"state: {{url: '{url}'}}\n" if url else "")
    )
    return load(path)


def restored(folder: Path, url: str = "") -> Config:
    """An installation made of the backup alone."""
    config = configure(folder, url)
    backup = folder / "backup.tar"
    backup.write_bytes(gzip.decompress((VERSION_1 / "backup.tar.gz").read_bytes()))
    with opened(backup) as archive, closing(State.of(config)) as state:
        restore_backup(config, state, archive, replace=False)
    return config


def findings(text: str) -> list[dict[str, object]]:
    """What both versions say of a finding under the same name."""
    same = ("finding_id", "episode", "type", "status", "severity", "key_id", "score", "first_seen", "muted")
    return [{name: json.loads(line)[name] for name in same} for line in text.splitlines()]


def test_the_report_of_a_restored_installation_has_the_same_findings(tmp_path: Path) -> None:
    """Scores, statuses and mutes are those that version 1 found."""
    config = restored(tmp_path)
    with closing(State.of(config)) as state:
        job = Job.assemble(config, NOW, state=state)
        text = reporter("ndjson").render(build_report(job, judge_day(job, DAY), run_id="report"))
    assert findings(text) == findings((VERSION_1 / "findings.ndjson").read_text())


def test_a_backup_is_restored_into_a_server(tmp_path: Path, empty_postgres: str) -> None:
    """The rows go in under the old names, then the tables are renamed."""
    config = restored(tmp_path, empty_postgres)
    with closing(State.of(config)) as state:
        assert days_judged(state) == JUDGED
        assert [(entry.target, entry.until_day) for entry in triage_log(state)] == [("f", date(2026, 12, 31))]


def test_a_state_file_is_migrated_and_keeps_its_copy(tmp_path: Path) -> None:
    """What was judged and said is there under the new names."""
    (tmp_path / "state.db").write_bytes(gzip.decompress((VERSION_1 / "state.db.gz").read_bytes()))
    with closing(State(f"sqlite:///{tmp_path}/state.db", OWNER)) as state:
        assert days_judged(state) == JUDGED
        assert {sighting.day for sighting in earlier_sightings(state, DAY).values()} == {date(2026, 3, 16)}
    assert (tmp_path / "state.db.before-0007_days").is_file()


def test_days_of_its_history_are_read(tmp_path: Path) -> None:
    """The number of clients stands under its new name."""
    config = restored(tmp_path)
    with closing(State.of(config)) as state:
        history = Job.assemble(config, NOW, state=state).history
        records = history.read(DAY)
        assert int(records["request_count"].sum()) == 1510
        assert records["client_count"].isna().all()
        history.examine(DAY)


@pytest.mark.parametrize("without", ["nights.ndjson", "2026-03-17"])
def test_its_days_stay_in_the_index(tmp_path: Path, without: str) -> None:
    """From its records, or where they are gone from its report."""
    shutil.copytree(VERSION_1 / "reports", tmp_path, dirs_exist_ok=True)
    gone = tmp_path / without
    if gone.is_dir():
        shutil.rmtree(gone)
        gone.mkdir()
    else:
        gone.unlink()
    page = index.refresh(tmp_path).read_text()
    assert "Three keys need a look" in page
    assert [path.name for path in tmp_path.glob("*.ndjson")] == [index.RECORDS]

"""Damage to what is stored is found and mended, and what cannot be mended is said."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from sqlalchemy import delete, text

from detector.boundary.disk import checksum
from detector.cli.main import cli
from detector.config.load import load
from detector.model.errors import HistoryError
from detector.operations.upkeep.examination import DefectKind, examine
from detector.operations.upkeep.repair import repair
from detector.pipeline import Job, run_day
from detector.sources.pull import pull
from detector.state.database import State
from detector.state.ledger import StateLedger
from detector.state.runs import only_run
from detector.state.tables import stored_days
from detector.usage.history import History
from tests.fakes import FakeSource, groups

LAST = date(2026, 3, 17)
NOW = datetime(2026, 3, 18, 3, tzinfo=UTC)
DAYS = [LAST - timedelta(days=ago) for ago in range(9, -1, -1)]
REGISTER = [{"key_id": f"k{number}", "environment": "live"} for number in range(3)]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Ten days, the last of them judged and reported."""
    (tmp_path / "config.yaml").write_text(
        "source: {kind: files, usage: usage.csv}\nhistory: {first_pull_days: 9}\n"
        "report: {formats: [json, csv, ndjson, ocsf]}\n"
    )
    config = load(tmp_path / "config.yaml")
    state = State.of(config)
    usage = {day: groups(k0=40 + number, k1=7, k2=100 - number) for number, day in enumerate(DAYS)}
    history = History(Path(config.history.path), config.zone, StateLedger(state))
    job = Job(config, FakeSource(usage, REGISTER), history, state, NOW)
    run_day(job, LAST)
    return job


def found(job: Job) -> list[tuple[DefectKind, date | None]]:
    """Kind and day of every problem."""
    return [(problem.kind, problem.day) for problem in examine(job)]


def mend(job: Job) -> list[tuple[bool, str]]:
    """Repair whatever there is."""
    return [(done.mended, done.text) for done in repair(job, list(examine(job)))]


def contents(job: Job) -> dict[date, object]:
    """The records of every day."""
    history = History(job.history.root, job.config.zone)
    return {day: history.read(day).to_dict("records") for day in history.days()}


def test_what_was_stored_whole_is_sound(job: Job) -> None:
    """Also after a day was pulled a second time."""
    assert found(job) == []
    job.source.days[LAST] = groups(k0=50)
    pull(job.config, job.source, job.history, LAST, LAST, now=NOW)
    assert job.history.read(LAST)["request_count"].sum() == 50
    assert found(job) == []


def test_every_flipped_bit_is_found(job: Job) -> None:
    """Wherever in the file it lies: in counts, in names, in the description of the columns."""
    path, dice = job.history.path(DAYS[4]), random.Random(4)
    sound = path.read_bytes()
    for place in {0, len(sound) - 1, *(dice.randrange(len(sound)) for _ in range(40))}:
        flipped = bytearray(sound)
        flipped[place] ^= 1 << dice.randrange(8)
        path.write_bytes(flipped)
        assert found(job) == [(DefectKind.DAMAGED, DAYS[4])], place
    path.write_bytes(sound)
    assert found(job) == []


def test_a_flipped_bit_never_reaches_a_judgement_unseen(job: Job) -> None:
    """Reading a day checks its pages: it gives what was stored, or an error that says what to do."""
    path, dice = job.history.path(DAYS[4]), random.Random(5)
    sound, stored = path.read_bytes(), job.history.read(DAYS[4])
    refused = 0
    with pq.ParquetFile(path) as file:
        group = file.metadata.row_group(0)
        last_page = max(group.column(number).data_page_offset for number in range(group.num_columns))
    for place in (dice.randrange(4, last_page) for _ in range(40)):
        flipped = bytearray(sound)
        flipped[place] ^= 1 << dice.randrange(8)
        path.write_bytes(flipped)
        history = History(job.history.root, job.config.zone)
        with suppress(HistoryError):
            assert history.read(DAYS[4]).equals(stored), place
            continue
        with pytest.raises(HistoryError, match="doctor --repair"):
            history.read(DAYS[4])
        refused += 1
    assert refused > 20


def truncate(path: Path) -> None:
    """Half of the file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def swap(path: Path) -> None:
    """The file of another day."""
    shutil.copy(path.parent.parent / f"day={DAYS[1]}" / path.name, path)


def empty(path: Path) -> None:
    """Nothing left of it."""
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [truncate, swap, empty])
@pytest.mark.parametrize("noted", [True, False])
def test_a_damaged_day_is_pulled_anew(job: Job, damage: Callable[[Path], None], noted: bool) -> None:
    """To the same records; the damaged file is let go only where the ledger says that all is back."""
    before = contents(job)
    damage(job.history.path(DAYS[4]))
    if not noted:
        StateLedger(job.state).forget(DAYS[4])
    assert found(job) == [(DefectKind.DAMAGED, DAYS[4])]
    ((mended, _),) = mend(job)
    assert mended
    assert contents(job) == before
    assert job.history.path(DAYS[4]).with_name("usage.parquet.damaged").exists() is not noted
    assert found(job) == []


def test_a_day_that_is_gone_is_pulled_anew(job: Job) -> None:
    """Whether its file or its folder went."""
    before = contents(job)
    job.history.path(DAYS[2]).unlink()
    shutil.rmtree(job.history.path(DAYS[6]).parent)
    assert found(job) == [(DefectKind.GONE, DAYS[2]), (DefectKind.GONE, DAYS[6])]
    assert all(mended for mended, _ in mend(job))
    assert contents(job) == before
    assert found(job) == []


def test_several_damaged_days_are_mended_together(job: Job) -> None:
    """Pulling one reads its neighbours, which are out of the way by then."""
    before = contents(job)
    for day in DAYS[3:7]:
        truncate(job.history.path(day))
    assert all(mended for mended, _ in mend(job))
    assert contents(job) == before


def test_a_source_that_tells_less_now_takes_nothing_from_the_days_after(job: Job) -> None:
    """The day stays a gap, what later days know of it stays, and the damaged file too."""
    before = contents(job)
    truncate(job.history.path(DAYS[4]))
    for told in (groups(k0=2), None):
        job.source.days[DAYS[4]] = told
        ((mended, said),) = mend(job)
        assert not mended
        assert "147 requests were stored" in said
        assert "stays a gap" in said
    del before[DAYS[4]]
    assert contents(job) == before
    assert job.history.path(DAYS[4]).with_name("usage.parquet.damaged").exists()
    assert found(job) == [(DefectKind.GONE, DAYS[4])]


def test_a_source_that_tells_more_now_is_believed(job: Job) -> None:
    """Late rows; the damaged file is kept, as its counts were others."""
    truncate(job.history.path(DAYS[4]))
    job.source.days[DAYS[4]] = groups(k0=400, k1=7, k2=96)
    ((mended, said),) = mend(job)
    assert mended
    assert "503 requests" in said
    assert job.history.path(DAYS[4]).with_name("usage.parquet.damaged").exists()


def test_a_source_that_fails_leaves_the_damaged_file_aside(job: Job) -> None:
    """A second try keeps the first one's file too."""
    truncate(job.history.path(DAYS[4]))
    job.source.broken_from = DAYS[0]
    assert mend(job)[0][0] is False
    job.history.path(DAYS[4]).write_bytes(b"again")
    assert mend(job)[0][0] is False
    kept = sorted(path.name for path in job.history.path(DAYS[4]).parent.iterdir())
    assert kept == ["usage.parquet.damaged", "usage.parquet.damaged-2"]


def test_a_crash_between_note_and_rename_leaves_a_sound_day(job: Job) -> None:
    """The file is the former one, also after two such crashes; a third file is none of them."""
    ledger, path = StateLedger(job.state), job.history.path(LAST)
    stored = ledger.noted()[LAST].stored
    for number in range(2):
        ledger.note(LAST, replace(stored, checksum=f"{number}" * 64, requests=5), checksum(path))
        assert found(job) == []
    truncate(path)
    assert found(job) == [(DefectKind.DAMAGED, LAST)]
    ledger.note(LAST, replace(stored, checksum="2" * 64), checksum(path))
    assert found(job) == [(DefectKind.DAMAGED, LAST)], "a damaged file must not become the former one"


def test_a_history_from_before_the_ledger_is_adopted_once_it_is_known_to_be_sound(job: Job) -> None:
    """What cannot be read or belongs to another day is damage, and is pulled anew."""
    with job.state.transaction() as rows:
        rows.connection.execute(delete(stored_days))
    swap(job.history.path(DAYS[5]))
    assert [kind for kind, _ in found(job)].count(DefectKind.EARLIER) == len(DAYS) - 1
    assert all(mended for mended, _ in mend(job))
    assert found(job) == []
    assert set(StateLedger(job.state).noted()) == set(DAYS)


def test_days_from_before_the_state_are_no_damage(job: Job, tmp_path: Path) -> None:
    """A state that is new to an installation knows the days since then; --repair notes the others."""
    told = ["doctor", "--config", str(tmp_path / "config.yaml")]
    for day in DAYS[:6]:
        StateLedger(job.state).forget(day)
    assert found(job) == [(DefectKind.EARLIER, day) for day in DAYS[:6]]
    calm = CliRunner().invoke(cli, told)
    assert calm.exit_code == 0
    assert "Sound: the state, 10 days and their reports." in calm.stdout
    assert "6 days of the history from before this state can be read" in calm.stdout
    assert "6 mended, 0 not mended." in CliRunner().invoke(cli, [*told, "--repair"]).stdout
    assert found(job) == []


def test_a_day_that_the_state_lost_is_told(job: Job) -> None:
    """It knows of earlier days."""
    StateLedger(job.state).forget(DAYS[4])
    assert found(job) == [(DefectKind.UNNOTED, DAYS[4])]
    assert [mended for mended, _ in mend(job)] == [True]


def test_a_file_with_other_columns_is_damage(job: Job) -> None:
    """Also where nothing is noted of it."""
    path = job.history.path(DAYS[5])
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["team"]), path)
    StateLedger(job.state).forget(DAYS[5])
    assert found(job) == [(DefectKind.DAMAGED, DAYS[5])]


def test_a_day_of_a_newer_version_is_left_alone(job: Job) -> None:
    """It is told and not repaired."""
    path = job.history.path(LAST)
    table = pq.read_table(path)
    metadata = table.schema.metadata[b"detector"].replace(b'"version": 2', b'"version": 3')
    pq.write_table(table.replace_schema_metadata({b"detector": metadata}), path)
    StateLedger(job.state).forget(LAST)
    before = path.read_bytes()
    assert found(job) == [(DefectKind.NEWER, LAST)]
    ((mended, said),) = mend(job)
    assert not mended
    assert "newer version" in said
    assert path.read_bytes() == before


def test_an_empty_report_is_sound_where_a_day_without_findings_has_one(job: Job) -> None:
    """A format with one line per finding; every other format always holds something."""
    folder = Path(job.config.report.directory) / str(LAST)
    for name in ("report.ndjson", "report.ocsf.ndjson", "report.csv"):
        (folder / name).write_text("")
    assert [defect.subject for defect in examine(job)] == ["csv"]


def test_reports_that_are_gone_or_broken_are_made_again(job: Job) -> None:
    """With the same findings; the others are left as they are."""
    folder = Path(job.config.report.directory) / str(LAST)
    rows = (folder / "report.csv").read_text()
    (folder / "report.csv").unlink()
    (folder / "report.json").write_text('{"findings": [')
    assert found(job) == [(DefectKind.REPORT, LAST), (DefectKind.REPORT, LAST)]
    assert [mended for mended, _ in mend(job)] == [True]
    assert found(job) == []
    assert (folder / "report.csv").read_text() == rows


def test_leftovers_are_told_and_swept(job: Job, tmp_path: Path) -> None:
    """Temporary files of history, reports and state."""
    for place in (job.history.path(LAST).parent, tmp_path / "var/reports"):
        (place / ".usage.parquet.abc123.detector.tmp").write_bytes(b"half")
    (tmp_path / "var/.state.db.abc123.detector.tmp").write_bytes(b"half")
    assert [kind for kind, _ in found(job)] == [DefectKind.LEFTOVER] * 3
    assert [mended for mended, _ in mend(job)] == [True] * 3
    assert found(job) == []


def test_a_state_that_lacks_a_table_is_told(job: Job) -> None:
    """A backup has it; making it anew empty would hide the loss."""
    with job.state.transaction() as rows:
        rows.connection.execute(text("DROP TABLE detector_triage"))
    assert found(job) == [(DefectKind.STATE, None)]
    assert mend(job)[0][0] is False


def test_the_command_says_what_is_wrong_and_ends_with_one_until_it_is_mended(tmp_path: Path) -> None:
    """A line a problem and a summary; over a real source."""
    rows = [f"{day},k{key},{10 + key}" for day in DAYS for key in range(4)]
    (tmp_path / "usage.csv").write_text("day,key_id,request_count\n" + "\n".join(rows) + "\n")
    path = tmp_path / "config.yaml"
    path.write_text("source: {kind: files, shape: daily, usage: usage.csv}\nhistory: {first_pull_days: 9}\n")
    told = ["--config", str(path)]
    assert CliRunner().invoke(cli, ["run", "--day", str(LAST), *told]).exit_code == 0
    sound = CliRunner().invoke(cli, ["doctor", *told])
    assert sound.exit_code == 0
    assert "Sound: the state, 10 days and their reports." in sound.stdout
    truncate(tmp_path / f"var/history/day={DAYS[3]}/usage.parquet")
    damaged = CliRunner().invoke(cli, ["doctor", *told])
    assert damaged.exit_code == 1
    assert f"day {DAYS[3]}: its file is not the one that was stored" in damaged.stdout
    assert "1 problem in 10 days" in damaged.stdout
    mended = CliRunner().invoke(cli, ["doctor", "--repair", *told])
    assert (mended.exit_code, "1 mended, 0 not mended." in mended.stdout) == (0, True)
    assert CliRunner().invoke(cli, ["doctor", *told]).exit_code == 0


def test_problems_that_are_mended_together_are_counted_each(tmp_path: Path) -> None:
    """Both reports of a day are made again at once, and are two problems."""
    rows = [f"{day},k{key},{10 + key}" for day in DAYS for key in range(4)]
    (tmp_path / "usage.csv").write_text("day,key_id,request_count\n" + "\n".join(rows) + "\n")
    path = tmp_path / "config.yaml"
    path.write_text("source: {kind: files, shape: daily, usage: usage.csv}\nhistory: {first_pull_days: 9}\n")
    told = ["--config", str(path)]
    CliRunner().invoke(cli, ["run", "--day", str(LAST), *told])
    for name in ("report.html", "report.json"):
        (tmp_path / "var/reports" / str(LAST) / name).unlink()
    assert "2 problems in 10 days" in CliRunner().invoke(cli, ["doctor", *told]).stdout
    assert "2 mended, 0 not mended." in CliRunner().invoke(cli, ["doctor", "--repair", *told]).stdout


def test_nobody_examines_while_a_run_is_at_work(job: Job, tmp_path: Path) -> None:
    """Exit 75 for the caller."""
    with only_run(job.state):
        for command in (["doctor"], ["backup", "--out", str(tmp_path / "b.tar")]):
            ended = CliRunner().invoke(cli, [*command, "--config", str(tmp_path / "config.yaml")])
            assert getattr(ended.exception, "exit_code", None) == 75
    assert not (tmp_path / "b.tar").exists()

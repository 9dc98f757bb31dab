"""A backup holds all that cannot be made again, and comes back whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import stat
import tarfile
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select, true

from detector.cli.main import cli
from detector.config.config import Config
from detector.config.load import load
from detector.model.errors import BackupError, DetectorError
from detector.model.triage import TriageEntry
from detector.operations.upkeep.archive import opened
from detector.operations.upkeep.backup import back_up
from detector.operations.upkeep.restore import restore_backup
from detector.pipeline import Job, Sending, build_report, judge_day, run_day
from detector.reports import reporter
from detector.state.database import State
from detector.state.dump import count_rows
from detector.state.messages import Message, Outgoing
from detector.state.migrations import MIGRATIONS, RENAMED_TABLES
from detector.state.outbox import queue, waiting
from detector.state.runs import Stage, begin
from detector.state.tables import TABLES, api_tokens, judged_days, run_stages, stored_days
from detector.state.tokens import ApiToken, add_token, all_tokens
from detector.state.triage import add_entry, end_entries, triage_log
from detector.usage.history import History
from tests.integration.conftest import empty

LAST = date(2026, 3, 17)
NOW = datetime(2026, 3, 18, 3, tzinfo=UTC)
MESSAGE = Message("m1@x", LAST, "mail", "a@example.com", "Subject \N{SNOWMAN}", bytes(range(256)))


def configure(folder: Path, url: str | None = None, extra: str = "", source: str = "") -> Config:
    """A configuration over thirty days of a daily file in a folder of its own."""
    folder.mkdir()
    days = [LAST - timedelta(days=ago) for ago in range(29, -1, -1)]
    rows = [f"{day},k{key},{40 + (day.day * key) % 5}" for day in days[:-1] for key in range(6)]
    rows += [f"{LAST},k{key},{900 if key == 3 else 41}" for key in range(6)]
    (folder / "usage.csv").write_text("day,key_id,request_count\n" + "\n".join(rows) + "\n")
    path = folder / "config.yaml"
    path.write_text(
        f"source: {{kind: files, shape: daily, usage: usage.csv{source}}}\nhistory: {{first_pull_days: 29}}\n"
        + (f"state: {{url: '{url}'}}\n" if url else "")
        + extra
    )
    return load(path)


def used(config: Config) -> Config:
    """After a day was judged, something was said, a token was made, and a message waits."""
    with closing(State.of(config)) as state:
        run_day(Job.assemble(config, NOW, state=state), LAST, Sending.NEVER)
        queue(state, [LAST], Outgoing([MESSAGE], NOW))
        for key in ("k1", "k2"):
            add_entry(state, TriageEntry("mute", "key", key, None, "a\ttest", "alex", LAST, None, NOW))
        add_token(state, ApiToken("warehouse", None, "0" * 64, NOW))
    return config


def made(config: Config, out: Path) -> Path:
    """The backup of what a configuration stores."""
    with closing(State.of(config)) as state:
        back_up(config, state, out, NOW)
    return out


def put_back(config: Config, file: Path, replace: bool = False) -> None:
    """Restore into a configuration."""
    with opened(file) as archive, closing(State.of(config)) as state:
        restore_backup(config, state, archive, replace=replace)


def report(config: Config) -> str:
    """The report of the last day as it would be made now."""
    with closing(State.of(config)) as state:
        job = Job.assemble(config, NOW, state=state)
        return reporter("json").render(build_report(job, judge_day(job, LAST), run_id="report"))


def rows(config: Config) -> dict[str, list[Any]]:
    """The state, table by table, with instants as text in UTC."""
    with closing(State.of(config)) as state, state.transaction() as stored:
        return {
            name: sorted((tuple(map(_plain, row)) for row in stored.connection.execute(select(table))), key=repr)
            for name, table in TABLES.items()
        }


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    return value


def files(config: Config) -> dict[str, bytes]:
    """The history, byte for byte."""
    root = Path(config.history.path)
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("way", ["sqlite to sqlite", "sqlite to server", "server to sqlite", "server to server"])
def test_what_comes_back_is_what_was_there(tmp_path: Path, empty_postgres: str, way: str) -> None:
    """Every row, every file, and the same report afterwards; numbering goes on behind what was restored."""
    before, _, after = way.split()
    source = used(configure(tmp_path / "one", empty_postgres if before == "server" else None))
    expected, stored, said = rows(source), files(source), report(source)
    file = made(source, tmp_path / "backup.tar")
    if way == "server to server":
        empty(empty_postgres)
    target = configure(tmp_path / "two", empty_postgres if after == "server" else None)
    put_back(target, file)
    assert rows(target) == expected
    assert files(target) == stored
    assert report(target) == said
    with closing(State.of(target)) as state:
        assert add_entry(state, TriageEntry("mute", "key", "k3", None, "more", "alex", LAST, None, NOW)).id == 3
        tomorrow = replace(MESSAGE, day=LAST + timedelta(days=1))
        queue(state, [tomorrow.day], Outgoing([tomorrow], NOW))
    assert sorted(path.name for path in (tmp_path / "two/var").iterdir() if "history" in path.name) == ["history"]


def test_a_backup_is_for_its_owner_alone_and_a_plain_tar(tmp_path: Path) -> None:
    """Hashes of tokens and texts of messages are in it."""
    file = made(used(configure(tmp_path / "one")), tmp_path / "deep/backup.tar")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with tarfile.open(file) as tar:
        names = tar.getnames()
    assert names[-1] == "manifest.json"
    assert names.count(f"history/day={LAST}/usage.parquet") == 1
    assert [path.name for path in file.parent.iterdir()] == ["backup.tar"]


def test_nothing_is_replaced_unless_it_is_said(tmp_path: Path) -> None:
    """With --replace all of it is, and nothing of the former is left."""
    config = used(configure(tmp_path / "one"))
    file = made(config, tmp_path / "backup.tar")
    expected, stored = rows(config), files(config)
    with closing(State.of(config)) as state:
        add_entry(state, TriageEntry("mute", "key", "later", None, "later", "alex", LAST, None, NOW))
    (Path(config.history.path) / f"day={LAST}/usage.parquet").unlink()
    with pytest.raises(DetectorError, match=r"29 days, 0 snapshots and \d+ rows.*--replace") as caught:
        put_back(config, file)
    assert caught.value.exit_code == 2
    assert len(rows(config)["detector_triage"]) == 3
    put_back(config, file, replace=True)
    assert (rows(config), files(config)) == (expected, stored)


def test_a_restore_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    """A row that the database refuses, after the history was written beside."""
    config = used(configure(tmp_path / "one"))
    file = made(config, tmp_path / "backup.tar")
    expected, stored, names = rows(config), files(config), sorted(os.listdir(tmp_path / "one/var"))

    def twice(name: str, content: bytes) -> bytes:
        return content * 2 if name == "state/detector_triage.ndjson" else content

    rewritten(file, twice)
    with pytest.raises(DetectorError, match="UNIQUE"):
        put_back(config, file, replace=True)
    assert (rows(config), files(config)) == (expected, stored)
    assert sorted(os.listdir(tmp_path / "one/var")) == names


def test_a_swap_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    """The state is taken back where the history cannot take its place."""
    config = used(configure(tmp_path / "one", extra="report: {directory: var/reports}\n"))
    file = made(config, tmp_path / "backup.tar")
    expected, stored = rows(config), files(config)
    obstacle = Path(config.history.path).with_name(f"history.former-{os.getpid()}")
    obstacle.mkdir()
    (obstacle / "something").write_text("in the way")
    with pytest.raises(BackupError, match="nothing was restored"):
        put_back(config, file, replace=True)
    assert (rows(config), files(config)) == (expected, stored)


def test_running_totals_come_back(tmp_path: Path) -> None:
    """No endpoint tells them a second time."""
    source = "source: {kind: http, url: 'https://api.example.com', token: t, mode: cumulative}\n"
    configs = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(source)
        configs.append(load(tmp_path / name / "config.yaml"))
    kept = tmp_path / "one/var/snapshots/0123456789abcdef/day=2026-03-17.json.gz"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(gzip.compress(b"{}"))
    put_back(configs[1], made(configs[0], tmp_path / "backup.tar"))
    assert (
        tmp_path / "two/var/snapshots/0123456789abcdef/day=2026-03-17.json.gz"
    ).read_bytes() == kept.read_bytes()
    with pytest.raises(DetectorError, match=r"source\.kind must be http"):
        put_back(configure(tmp_path / "three"), tmp_path / "backup.tar")


@pytest.mark.parametrize(
    "extra",
    ["timezone: Europe/Berlin\n", "organization: other\n", "#"],
    ids=["timezone", "organization", "source.name"],
)
def test_a_backup_of_something_else_is_refused(tmp_path: Path, extra: str) -> None:
    """Days of another timezone, keys of another organization, findings of another source."""
    file = made(used(configure(tmp_path / "one")), tmp_path / "backup.tar")
    config = configure(tmp_path / "two", extra=extra)
    if extra == "#":
        config = config.model_copy(update={"source": config.source.model_copy(update={"name": "other"})})
    with pytest.raises(DetectorError, match="the backup was made with"):
        put_back(config, file)
    assert files(config) == {}


def test_a_backup_of_an_older_version_is_migrated_forward(tmp_path: Path, empty_postgres: str) -> None:
    """Its rows go in before the migrations that it lacks, on either database."""
    source = used(configure(tmp_path / "one"))
    with closing(State.of(source)) as state, state.transaction() as stored:
        stored.update(judged_days, true(), {"keys_judged": None})  # an older version did not know it
    expected = rows(source)
    with closing(State.of(source)) as state, state.transaction() as stored:
        stored.delete(stored_days, true())
        stored.delete(run_stages, true())
    file = made(source, tmp_path / "backup.tar")
    older = list(MIGRATIONS)[:4]
    younger = ("run_stages", "stored_nights", "unjudged_types")
    absent = {f"state/detector_{name}.ndjson" for name in younger}
    former = {
        "day": "night",
        "days": "nights",
        "from_day": "from_night",
        "until_day": "until_night",
        "sees": "organization",
    }
    later = {"keys_judged"}

    def as_it_was(name: str, content: bytes) -> bytes | None:
        if not name.startswith("state/"):
            return content
        lines = [json.loads(line) for line in content.splitlines()]
        named = [
            {former.get(column, column): value for column, value in line.items() if column not in later}
            for line in lines
        ]
        return None if name in absent else "".join(f"{json.dumps(row)}\n" for row in named).encode()

    rewritten(file, as_it_was, RENAMED_TABLES, migrations=older)
    for number, url in enumerate((None, empty_postgres)):
        target = configure(tmp_path / f"target{number}", url)
        put_back(target, file)
        assert rows(target) == expected | {"detector_run_stages": [], "detector_stored_days": []}
        with closing(State.of(target)) as state:
            begin(state, LAST, NOW).reach(Stage.PULLED)


Change = Callable[[str, bytes], bytes | None]


def rewritten(
    file: Path, change: Change, former: Mapping[str, str] = MappingProxyType({}), **manifest: object
) -> None:
    """Write an archive anew with changed members, and a manifest that agrees with them.

    ``former`` gives tables the names of an earlier version.
    """
    members = {f"state/{new}.ndjson": f"state/{old}.ndjson" for old, new in former.items()}
    with tarfile.open(file) as tar:
        contents = {members.get(info.name, info.name): tar.extractfile(info).read() for info in tar}
    stored = json.loads(contents.pop("manifest.json")) | manifest
    changed = {name: new for name, content in contents.items() if (new := change(name, content)) is not None}
    stored["members"] = [
        {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in changed.items()
    ]
    with tarfile.open(file, "w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in [*changed.items(), ("manifest.json", json.dumps(stored).encode())]:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def packed(file: Path, *members: tarfile.TarInfo | tuple[str, bytes], lists: list[tuple[str, bytes]]) -> None:
    """An archive of any members, whose manifest lists others."""
    listed = [
        {"name": name, "size": len(body), "sha256": hashlib.sha256(body).hexdigest()} for name, body in lists
    ]
    stored = {
        "format": 1,
        "created_at": "2026-03-18T03:00:00Z",
        "version": "0",
        "migrations": list(MIGRATIONS),
        "timezone": "UTC",
        "organization": None,
        "source": "main",
        "members": listed,
    }
    with tarfile.open(file, "w") as tar:
        for member in (*members, ("manifest.json", json.dumps(stored).encode())):
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            tar.addfile(info, io.BytesIO(member[1]))


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "history/../../outside",
        "/tmp/outside",
        "history/day=2026-03-17/../usage.parquet",
        "history/day=2026-02-31/usage.parquet",
        "history/day=٢٠٢٦-03-17/usage.parquet",
        "history/day=2026-03-17/usage.parquet\n",
        "state/detector_migrations.ndjson",
        "state/sqlite_master.ndjson",
        "snapshots/..",
    ],
)
def test_names_that_no_backup_has_are_refused(tmp_path: Path, name: str) -> None:
    """Nothing is written anywhere."""
    file = tmp_path / "hostile.tar"
    packed(file, (name, b"x"), lists=[(name, b"x")])
    with pytest.raises(BackupError, match="which no backup does"):
        put_back(configure(tmp_path / "two"), file)
    assert not (tmp_path / "outside").exists()
    assert not (tmp_path / "two/var").exists()


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_links_folders_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    """Whatever they are called."""
    info = tarfile.TarInfo(f"history/day={LAST}/usage.parquet")
    info.type, info.linkname = kind, "/etc/passwd"
    packed(tmp_path / "hostile.tar", info, lists=[(info.name, b"")])
    with pytest.raises(BackupError, match="no plain file"), opened(tmp_path / "hostile.tar"):
        pass


def test_what_the_manifest_does_not_list_is_refused(tmp_path: Path) -> None:
    """More, fewer, others, longer ones, the same twice."""
    file, name = tmp_path / "hostile.tar", f"history/day={LAST}/usage.parquet"
    other = "history/day=2026-03-16/usage.parquet"
    for held, listed in (
        ([(name, b"x"), (other, b"x")], [(name, b"x")]),
        ([(name, b"x")], [(name, b"x"), (other, b"x")]),
        ([(name, b"x")], [(other, b"x")]),
        ([(name, b"xx")], [(name, b"x")]),
        ([(name, b"x"), (name, b"x")], [(name, b"x"), (name, b"x")]),
    ):
        packed(file, *held, lists=listed)
        with pytest.raises(BackupError, match="not what its manifest lists"), opened(file):
            pass
    packed(file, (name, b"y"), lists=[(name, b"x")])
    with pytest.raises(BackupError, match=f"{name} is damaged"), opened(file):
        pass


def test_a_header_that_claims_to_be_huge_is_refused_unread(tmp_path: Path) -> None:
    """Extended headers are read into memory, so their size is bounded."""
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 5 * 1024**3
    (tmp_path / "hostile.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + b"\0" * 512)
    with pytest.raises(BackupError, match="far too long"), opened(tmp_path / "hostile.tar"):
        pass


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9, 0.999])
def test_a_backup_that_was_cut_off_is_refused(tmp_path: Path, keep: float) -> None:
    """Wherever it ends."""
    file = made(used(configure(tmp_path / "one")), tmp_path / "backup.tar")
    whole = file.read_bytes().rstrip(b"\0")
    file.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(BackupError, match="cannot restore"), opened(file):
        pass


def test_a_flipped_bit_in_a_backup_is_found(tmp_path: Path) -> None:
    """In any member."""
    file = made(used(configure(tmp_path / "one")), tmp_path / "backup.tar")
    whole = file.read_bytes()
    with tarfile.open(file) as tar:
        places = [info.offset_data + info.size // 2 for info in tar if info.size]
    for place in places[::3]:
        flipped = bytearray(whole)
        flipped[place] ^= 4
        file.write_bytes(flipped)
        with pytest.raises(BackupError), opened(file):
            pass


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"format": 2}, "newer version of detector"),
        ({"migrations": [*MIGRATIONS, "0099_future"]}, "newer version of detector"),
        ({"format": "x"}, "manifest cannot be read"),
        ({"surprise": 1}, "manifest cannot be read"),
        ({"migrations": 7}, "manifest cannot be read"),
    ],
)
def test_a_backup_of_a_newer_version_or_none_is_refused(
    tmp_path: Path, changed: dict[str, Any], told: str
) -> None:
    """Before anything is looked at."""
    file = made(configure(tmp_path / "one"), tmp_path / "backup.tar")
    rewritten(file, lambda name, content: content, **changed)
    with pytest.raises(BackupError, match=told), opened(file):
        pass


@pytest.mark.parametrize(
    "line",
    [
        "[1]",
        "{",
        '{"id": 1e999}',
        '{"surprise": 1}',
        '{"target": [1]}',
        '{"id": 1' + "0" * 30 + "}",
        '"\\ud800"',
        '{"by": "\\ud800"}',
        '{"created_at": "yesterday"}',
    ],
)
def test_rows_that_make_no_sense_are_refused(tmp_path: Path, line: str) -> None:
    """By the line, with what was there left alone."""
    file = made(configure(tmp_path / "one"), tmp_path / "backup.tar")
    rewritten(file, lambda name, content: line.encode() if name == "state/detector_triage.ndjson" else content)
    config = configure(tmp_path / "two")
    with pytest.raises(DetectorError):
        put_back(config, file)
    assert not any(rows(config).values())


def command(*arguments: object) -> Result:
    """Run the command line."""
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def test_the_commands_say_what_they_did(tmp_path: Path) -> None:
    """And a damaged day in a backup is told with exit code 4."""
    config, file = used(configure(tmp_path / "one")), tmp_path / "backup.tar"
    at = ("--config", tmp_path / "one/config.yaml")
    done = command("backup", "--out", file, *at)
    assert done.exit_code == 0
    assert f"{file}: the state and 30 days" in done.stdout
    replaced = command("restore", file, "--replace", *at)
    assert replaced.exit_code == 0
    assert "Replaced: 30 days" in replaced.stdout
    assert "Restored: 30 days" in replaced.stdout
    assert "as of 20" in replaced.stdout
    assert command("doctor", *at).exit_code == 0
    with History(Path(config.history.path), config.zone).path(LAST).open("ab") as day:
        day.write(b"more")
    damaged = command("backup", "--out", file, *at)
    assert damaged.exit_code == 4
    assert f"the day {LAST} is damaged" in damaged.stderr
    assert command("doctor", *at).exit_code == 1


def test_a_history_of_a_newer_version_is_not_backed_up(tmp_path: Path) -> None:
    """Its state is elsewhere; the message says to upgrade."""
    import pyarrow.parquet as pq

    config = used(configure(tmp_path / "one"))
    path = History(Path(config.history.path), config.zone).path(LAST)
    table = pq.read_table(path)
    metadata = table.schema.metadata[b"detector"].replace(b'"version": 2', b'"version": 3')
    pq.write_table(table.replace_schema_metadata({b"detector": metadata}), path)
    with pytest.raises(BackupError, match="newer version of detector; upgrade"):
        made(config, tmp_path / "backup.tar")
    assert not (tmp_path / "backup.tar").exists()


def test_large_tables_go_through_in_pieces(tmp_path: Path, empty_postgres: str) -> None:
    """More rows than are held at once, into a server and out again."""
    source = configure(tmp_path / "one")
    with closing(State.of(source)) as state, state.transaction() as stored:
        row = {"sees": None, "created_at": NOW, "expires_at": None, "revoked_at": None}
        stored.insert(
            api_tokens, [row | {"hash": f"{number:064d}", "name": f"t{number}"} for number in range(1234)]
        )
    target = configure(tmp_path / "two", empty_postgres)
    put_back(target, made(source, tmp_path / "one.tar"))
    last = configure(tmp_path / "three")
    put_back(last, made(target, tmp_path / "two.tar"))
    assert rows(last) == rows(source)


def shared_with_globex(folder: Path, url: str) -> tuple[Config, Config]:
    """Two organizations over one state, each with a history of its own."""
    configs = []
    for name in ("acme", "globex"):
        config = configure(folder / name, url, f"organization: {name}\n", ", keys: keys.csv")
        register = "".join(f"k{key},{name}\n" for key in range(6))
        (folder / name / "keys.csv").write_text(f"key_id,organization\n{register}")
        configs.append(used(config))
    acme, globex = configs
    return acme, globex


def test_a_backup_has_nothing_of_others_on_the_same_state(tmp_path: Path, state_url: str) -> None:
    """Whoever may read the backup of one organization need not be trusted by another."""
    acme, globex = shared_with_globex(tmp_path, state_url)
    with closing(State.of(globex)) as state:
        add_entry(state, TriageEntry("mute", "key", "k1", None, "of globex", "gina", LAST, None, NOW))
    content = made(acme, tmp_path / "backup.tar").read_bytes()
    assert content.count(b'"alex"') == 2
    assert b"gina" not in content
    assert b"globex" not in content


def test_a_restore_leaves_others_on_the_same_state_alone(tmp_path: Path, state_url: str) -> None:
    """Their rows keep even their numbers."""
    acme, globex = shared_with_globex(tmp_path, state_url)
    file = made(acme, tmp_path / "backup.tar")
    with closing(State.of(globex)) as state:
        before = triage_log(state), all_tokens(state), waiting(state)
    with closing(State.of(acme)) as state:
        told = [replace(entry, id=0) for entry in triage_log(state)]
        end_entries(state, [entry.id for entry in triage_log(state)], NOW)
    put_back(acme, file, replace=True)
    with closing(State.of(globex)) as state:
        assert (triage_log(state), all_tokens(state), waiting(state)) == before
    with closing(State.of(acme)) as state:
        assert [replace(entry, id=0) for entry in triage_log(state)] == told
        assert add_entry(state, TriageEntry("mute", "key", "k3", None, "more", "alex", LAST, None, NOW)).id > 4
    put_back(globex, made(globex, tmp_path / "globex.tar"), replace=True)
    with closing(State.of(globex)) as state:
        assert len(triage_log(state)) == 2


def test_rows_that_claim_to_be_of_others_become_own(tmp_path: Path, state_url: str) -> None:
    """A backup may come from anybody, and nobody restores into the rows of another."""
    acme, globex = shared_with_globex(tmp_path, state_url)
    file = made(acme, tmp_path / "backup.tar")

    def claim(name: str, content: bytes) -> bytes:
        if not name.startswith("state/"):
            return content
        lines = [json.loads(line) | {"organization": "globex", "source": "main"} for line in content.splitlines()]
        return "".join(f"{json.dumps(line)}\n" for line in lines).encode()

    rewritten(file, claim)
    with closing(State.of(globex)) as state:
        before = count_rows(state)
    put_back(acme, file, replace=True)
    with closing(State.of(globex)) as state:
        assert count_rows(state) == before
    with closing(State.of(acme)) as state:
        assert count_rows(state) == before

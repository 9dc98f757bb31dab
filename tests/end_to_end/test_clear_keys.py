"""Keys in clear in the logs: nothing that a whole installation writes or prints holds one."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pyarrow.parquet as pq
import pytest

from detector.cli.main import main
from detector.sources.files.protection import ProtectedKeys

SALT = "a salt for tests alone"
DAY = date(2026, 3, 17)
DAYS = 12
KEYS = (
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "Zm9vOmJhcitiYXo/cXV4==",
    "hunter2hunter2",
    'quo"ted,<b>key</b>&x=1',
    "clé-secrète-2026",
    "shortkey",
)
Request = tuple[datetime, str, str, int]


def requests() -> Iterator[Request]:
    """Time, key, path and status over some days; the first key spikes on the last, and one is used once."""
    for offset in range(DAYS):
        day = datetime.combine(DAY - timedelta(days=offset), datetime.min.time(), UTC)
        for number, key in enumerate(KEYS):
            for request in range(400 if (offset, number) == (0, 0) else 12 if number < 5 or offset == 0 else 0):
                status = 500 if number == 1 and offset == 0 else 200
                yield day + timedelta(minutes=request, seconds=number), key, f"/v1/{key}/items/{request}", status


def as_csv(request: Request) -> str:
    """A row; the endpoint holds the key again, in the path and in the query."""
    time, key, path, status = request
    text = io.StringIO()
    csv.writer(text).writerow([time.isoformat(), key, f"{path}?apikey={key}", status])
    return text.getvalue().strip()


def as_json(request: Request) -> str:
    """An object, its members named as in the CSV."""
    time, key, path, status = request
    record = {"timestamp": time.isoformat(), "key_id": key, "endpoint": f"{path}#{key}", "status": status}
    return json.dumps(record)


def as_line(request: Request) -> str:
    """A line of nginx, the key in a query parameter."""
    time, key, _, status = request
    return (
        f'10.0.0.1 - - [{time:%d/%b/%Y:%H:%M:%S %z}] "GET /v1/items?x=1&apikey={quote(key, safe="")} HTTP/1.1" '
        f'{status} 7 "https://example.com/?apikey={quote(key, safe="")}" "curl/8"'
    )


def as_line_with_field(request: Request) -> str:
    """A line of nginx, the key in a field of its own."""
    time, key, _, status = request
    field = "Bearer " + key.replace('"', r"\x22")
    return f'10.0.0.1 - - [{time:%d/%b/%Y:%H:%M:%S %z}] "GET /v1/items HTTP/1.1" {status} 7 "-" "curl/8" "{field}"'


def as_kong(request: Request) -> str:
    """A record of Kong, the key in a header."""
    time, key, _, status = request
    request_line = {"method": "GET", "uri": f"/v1/items?apikey={key}", "headers": {"apikey": key}}
    return json.dumps(
        {"started_at": time.timestamp() * 1000, "request": request_line, "response": {"status": status}}
    )


FORMATS: dict[str, tuple[Callable[[Request], str], str, str]] = {
    "rows.csv": (as_csv, "timestamp,key_id,endpoint,status", "protect_keys: true"),
    "rows.jsonl": (as_json, "", "protect_keys: true"),
    "query.log": (as_line, "", 'preset: nginx\n  columns: {key_id: "{/path?apikey}"}'),
    "field.log": (as_line_with_field, "", "preset: apache"),
    "kong.log": (as_kong, "", 'preset: kong\n  columns: {key_id: "{/request/headers/apikey}"}'),
}


def damaged(line: str) -> list[str]:
    """What a torn file, a shifted column and a caller with other ideas leave behind."""
    key = KEYS[0]
    return [line[:-9], line[3:], f"{key},{key},{key},{key}", f"2026-03-17T01:00:00Z,,/{key}?{key},{key}", key]


@pytest.fixture(params=FORMATS)
def installation(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation over a log in one format and a register with the keys in clear."""
    write, header, source = FORMATS[request.param]
    lines = [write(one) for one in requests()]
    text = "\n".join([*([header] if header else []), *lines, *damaged(lines[0]), *damaged(lines[-1])])
    (tmp_path / request.param).write_text(text + "\n")
    with (tmp_path / "keys.csv").open("w", newline="") as file:
        rows = [(key, f"service {number}", "live", "") for number, key in enumerate(KEYS[:-1])]
        csv.writer(file).writerows([("key_id", "name", "environment", "revoked_at"), *rows])
        csv.writer(file).writerows([(KEYS[0], "again", KEYS[1], KEYS[2]), (KEYS[5], "old", "test", "2026-01-01")])
        csv.writer(file).writerows([(KEYS[0],), (KEYS[0], KEYS[0], KEYS[0], KEYS[0], KEYS[0])])
    (tmp_path / "config.yaml").write_text(
        f"source:\n  kind: files\n  usage: {request.param}\n  keys: keys.csv\n"
        f"  key_salt: ${{DETECTOR_KEY_SALT}}\n  {source}\nhistory: {{first_pull_days: {DAYS}}}\n"
    )
    monkeypatch.setenv("DETECTOR_KEY_SALT", SALT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def called(capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command prints, on either stream."""
    with pytest.raises(SystemExit):
        main(arguments)
    return "".join(capfd.readouterr())


def written(folder: Path) -> str:
    """All that stands in the files below a folder, tables as text."""
    texts = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        raw = path.read_bytes()
        texts.append(raw.decode("utf-8", "replace"))
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            texts += [repr(table.to_pylist()), repr(table.schema.metadata)]
        elif path.suffix == ".db":
            with sqlite3.connect(path) as database:
                texts += database.iterdump()
            database.close()
    return "\n".join(texts)


def test_nothing_that_is_written_or_printed_holds_a_key(
    installation: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """History, state, reports, answers and errors know keys by their ids alone, and these join the register."""
    ids = [ProtectedKeys(SALT).protected(key) for key in KEYS]
    commands = [
        ("check",),
        ("run", "--day", str(DAY)),
        ("usage", "--from", str(DAY), "--format", "json"),
        ("usage", "--from", str(DAY), "--format", "csv"),
        ("explain", ids[0], "--day", str(DAY)),
        ("report", str(DAY), "--format", "json"),
    ]
    printed = "\n".join(called(capfd, *command) for command in commands)
    everything = printed + written(installation / "var")
    for key in KEYS:
        for text in (key, quote(key, safe=""), json.dumps(key)[1:-1], key[:-5] if len(key) > 12 else key):
            assert text not in everything
    assert SALT not in everything
    report = json.loads((installation / f"var/reports/{DAY}/report.json").read_text())
    counts = {row["key_id"]: (row["name"], row["request_count"]) for row in report["usage"]["keys"]}
    assert counts[ids[0]][0] == "again"  # the first row by its text
    assert counts[ids[0]][1] >= 400
    assert counts[ids[2]] == ("service 2", 12)
    assert "register: key listed twice" in everything


def test_an_error_does_not_quote_a_file_without_a_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its first row would be the names of its columns."""
    rows = "".join(f"{as_csv(request)}\n" for request in list(requests())[:3])
    (tmp_path / "rows.csv").write_text(rows)
    (tmp_path / "config.yaml").write_text(
        "source: {kind: files, usage: rows.csv, protect_keys: true, key_salt: '${DETECTOR_KEY_SALT}'}\n"
    )
    monkeypatch.setenv("DETECTOR_KEY_SALT", SALT)
    monkeypatch.chdir(tmp_path)
    printed = called(capfd, "check")
    assert "rows.csv has no column 'timestamp'" in printed
    assert KEYS[0][:8] not in printed


@pytest.mark.parametrize("salt", ["", "key_salt: ${DETECTOR_KEY_SALT}"])
def test_without_a_salt_nothing_is_read(
    salt: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A mistake in the configuration, told before anything is stored."""
    (tmp_path / "a.log").write_text(as_line(next(requests())) + "\n")
    (tmp_path / "config.yaml").write_text(f"source:\n  kind: files\n  usage: a.log\n  preset: nginx\n  {salt}\n")
    monkeypatch.delenv("DETECTOR_KEY_SALT", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["run", "--day", str(DAY)])
    assert ended.value.code == 2
    assert "DETECTOR_KEY_SALT" in capfd.readouterr().err
    assert not list(tmp_path.rglob("*.parquet"))

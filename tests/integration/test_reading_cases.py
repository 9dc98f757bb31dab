"""Inputs of databases that were once read wrongly: one test for each case, with the right answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from detector.cli.main import main
from detector.config.source import FilesSource
from detector.model.errors import SourceError
from detector.sources import open_source
from detector.sources.faults import BAD_STATUS, NO_DAY, NO_TIME
from detector.usage.aggregation import LISTED_TWICE
from tests.databases import DAY, UTC_ZONE, counted, faults, reader

CLICKHOUSE = "clickhousedb:///default?interface=chdb"
AT = "2026-01-02 10:00:00"

Store = Callable[..., str]
"""Runs statements in an empty database and gives its URL."""


@pytest.fixture
def postgres(empty_postgres: str) -> Store:
    """PostgreSQL."""

    def store(*statements: str) -> str:
        return _stored(empty_postgres, statements)

    return store


@pytest.fixture
def clickhouse() -> Iterator[Store]:
    """An embedded ClickHouse. It deletes its tables with the last connection."""
    engine = create_engine(CLICKHOUSE)
    with engine.connect() as connection:

        def store(*statements: str) -> str:
            connection.execute(text("DROP TABLE IF EXISTS usage"))
            for statement in statements:
                connection.execute(text(statement))
            return CLICKHOUSE

        yield store
    engine.dispose()


def _stored(url: str, statements: tuple[str, ...]) -> str:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
    return url


@pytest.mark.parametrize("column", ["created_at", "revoked_at"])
@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date"])
def test_pg_infinity(postgres: Store, kind: str, column: str) -> None:
    """A key that is revoked at the end of time is not revoked."""
    url = postgres(
        "CREATE TABLE usage (timestamp timestamptz, key_id text)",
        f"CREATE TABLE keys (key_id text, {column} {kind})",
        f"INSERT INTO usage VALUES ('{AT}', 'a')",
        "INSERT INTO keys VALUES ('a', 'infinity'), ('b', '-infinity'), ('c', '2025-01-01')",
    )
    source = reader(url, keys="keys")
    register = source.keys().set_index("key_id")
    assert register[column].isna().to_dict() == {"a": True, "b": True, "c": False}
    assert register.loc["c", column] == pd.Timestamp("2025-01-01", tz="UTC")
    assert faults(source) == {}


def test_cli_infinity(
    postgres: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command answers at once and lists the key."""
    url = postgres(
        "CREATE TABLE usage (timestamp timestamptz, key_id text)",
        "CREATE TABLE keys (key_id text, environment text, revoked_at timestamptz)",
        f"INSERT INTO usage VALUES ('{AT}', 'a'), ('infinity', 'a')",
        "INSERT INTO keys VALUES ('a', 'live', 'infinity')",
    )
    answer, error = _usage_of(url, tmp_path, monkeypatch, capsys)
    assert [(key["key_id"], key["environment"], key["request_count"]) for key in answer] == [("a", "live", 1)]
    assert "trying again" not in error


def _usage_of(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[list[dict[str, object]], str]:
    """The keys that ``usage`` prints for the day, and what it prints to stderr."""
    monkeypatch.chdir(folder)
    Path("config.yaml").write_text(f"source: {{kind: sql, url: '{url}', usage: usage, keys: keys}}\n")
    with pytest.raises(SystemExit) as ended:
        main(("usage", "--from", str(DAY), "--format", "json"))
    output, error = capsys.readouterr()
    assert ended.value.code == 0, error
    keys: list[dict[str, object]] = json.loads(output)["keys"]
    return keys, error


PADDED = (
    "CREATE TABLE usage (timestamp timestamptz, key_id char(20))",
    "CREATE TABLE keys (key_id char(20), environment char(12), team char(12))",
    f"INSERT INTO usage VALUES ('{AT}', 'a')",
    "INSERT INTO keys VALUES ('a', 'live', 'pay')",
)


def test_pg_char_register(postgres: Store) -> None:
    """Columns of fixed length are padded with blanks, which belong to no id and no name."""
    source = reader(postgres(*PADDED), keys="keys")
    assert source.keys()[["key_id", "environment", "team"]].to_numpy().tolist() == [["a", "live", "pay"]]
    assert counted(source) == {"a": (1, 0)}


def test_cli_char(
    postgres: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The usage and the register have one key."""
    answer, _ = _usage_of(postgres(*PADDED), tmp_path, monkeypatch, capsys)
    assert [(key["key_id"], key["environment"], key["request_count"]) for key in answer] == [("a", "live", 1)]


def test_pg_scd(postgres: Store) -> None:
    """An update moves a row to the end of the table. The same row counts before and after."""
    url = postgres(
        "CREATE TABLE usage (timestamp timestamptz, key_id text)",
        "CREATE TABLE keys (key_id text, environment text, created_at date, note text)",
        "INSERT INTO keys VALUES ('a', 'test', '2024-01-01', ''), ('a', 'live', '2025-01-01', '')",
    )
    before = reader(url, keys="keys").keys()
    _stored(url, ("UPDATE keys SET note = 'x' WHERE environment = 'test'",))
    _stored(url, ("UPDATE keys SET note = 'x' WHERE environment = 'live'",))
    source = reader(url, keys="keys")
    pd.testing.assert_frame_equal(source.keys(), before)
    assert before["environment"].tolist() == ["live"]
    assert faults(source) == {f"register: {LISTED_TWICE}": 1}


@pytest.mark.parametrize("kind", ["text", "jsonb"])
def test_pg_jsonb_textstatus(postgres: Store, kind: str) -> None:
    """Other writings of 404 are errors. What is no code and no known word is an error and a note."""
    statuses = ["404 ", "404.0", "499 Client Closed", "4xx", "404"]
    written = [json.dumps(status) if kind == "jsonb" else status for status in statuses]
    rows = ", ".join(f"('{AT}', 'k{number}', '{status}')" for number, status in enumerate(written))
    url = postgres(
        f"CREATE TABLE usage (timestamp timestamptz, key_id text, status {kind})",
        f"INSERT INTO usage VALUES {rows}",
    )
    source = reader(url)
    assert counted(source) == {f"k{number}": (1, 1) for number in range(5)}
    assert faults(source) == {BAD_STATUS: 2}


@pytest.mark.parametrize("kind", ["integer", "bigint", "numeric", "text"])
def test_pg_daily_dayint(postgres: Store, kind: str) -> None:
    """A day may be a number of eight digits; another number is a fault."""
    url = postgres(
        f"CREATE TABLE usage (day {kind}, key_id text, request_count integer)",
        "INSERT INTO usage VALUES ('20260102', 'a', 7), ('20260229', 'a', 1), (NULL, 'a', 1)",
    )
    source = reader(url, shape="daily")
    assert counted(source) == {"a": (7, 0)}
    assert faults(source) == {NO_DAY: 2}


def test_pg_uuid_case(postgres: Store) -> None:
    """A UUID is the same key in capital and in small letters."""
    key = "550e8400-e29b-41d4-a716-446655440000"
    url = postgres(
        "CREATE TABLE usage (timestamp timestamptz, key_id text)",
        "CREATE TABLE keys (key_id uuid)",
        f"INSERT INTO usage VALUES ('{AT}', '{key.upper()}'), ('{AT}', '{key}')",
        f"INSERT INTO keys VALUES ('{key}')",
    )
    source = reader(url, keys="keys")
    assert source.keys()["key_id"].tolist() == [key]
    assert counted(source) == {key: (2, 0)}


@pytest.mark.parametrize(
    ("kind", "expected"), [("citext", {"a": (2, 0)}), ("wording", {"A": (1, 0), "a": (1, 0)})]
)
def test_pg_domain_citext(postgres: Store, kind: str, expected: dict[str, tuple[int, int]]) -> None:
    """A type that takes capital and small letters for the same gives one key; a domain is like its base."""
    url = postgres(
        "CREATE EXTENSION IF NOT EXISTS citext",
        "CREATE DOMAIN wording AS text",
        f"CREATE TABLE usage (timestamp timestamptz, key_id {kind})",
        f"CREATE TABLE keys (key_id {kind})",
        f"INSERT INTO usage VALUES ('{AT}', 'A'), ('{AT}', 'a')",
        "INSERT INTO keys VALUES ('A')",
    )
    source = reader(url, keys="keys")
    assert counted(source) == expected
    assert source.keys()["key_id"].tolist() == ["a" if kind == "citext" else "A"]


def test_pg_bytea(postgres: Store) -> None:
    """Bytes that are text are the same key as the text; other bytes are keys of their own."""
    url = postgres(
        "CREATE TABLE usage (timestamp timestamptz, key_id bytea)",
        "CREATE TABLE keys (key_id text)",
        f"INSERT INTO usage VALUES ('{AT}', 'a'), ('{AT}', '\\x00ff'), ('{AT}', '\\xff00')",
        "INSERT INTO keys VALUES ('a')",
    )
    source = reader(url, keys="keys")
    assert counted(source) == {"a": (1, 0), "\\000\\377": (1, 0), "\\377\\000": (1, 0)}


@pytest.mark.parametrize("kind", ["String", "Nullable(String)", "LowCardinality(String)"])
def test_ch_text(clickhouse: Store, kind: str) -> None:
    """Texts that are no times are faults, also in a column that is never null."""
    url = clickhouse(
        f"CREATE TABLE usage (timestamp {kind}, key_id String) ENGINE = MergeTree ORDER BY tuple()",
        f"INSERT INTO usage VALUES ('{AT}', 'a'), ('2026-01-02T11:00:00Z', 'a')",
        "INSERT INTO usage VALUES ('soon', 'a'), ('', 'a'), ('-', 'a')",
    )
    source = reader(url)
    assert counted(source) == {"a": (2, 0)}
    assert faults(source) == {NO_TIME: 3}


def test_ch_replacing(clickhouse: Store) -> None:
    """A view with FINAL, as the documentation says, has one version of each row."""
    url = clickhouse(
        "CREATE TABLE IF NOT EXISTS rollup (day Date, key_id String, request_count UInt64, version UInt64) "
        "ENGINE = ReplacingMergeTree(version) ORDER BY (day, key_id)",
        "INSERT INTO rollup VALUES ('2026-01-02', 'a', 5, 1)",
        "INSERT INTO rollup VALUES ('2026-01-02', 'a', 7, 2)",
        "CREATE VIEW IF NOT EXISTS latest AS SELECT * FROM rollup FINAL",
    )
    assert counted(reader(url, shape="daily", usage="latest")) == {"a": (7, 0)}


def test_tsf_duckdb(tmp_path: Path) -> None:
    """One odd time among the texts of a column is one fault."""
    url = _stored(
        f"duckdb:///{tmp_path}/usage.duckdb",
        (
            "CREATE TABLE usage (timestamp VARCHAR, key_id VARCHAR)",
            f"INSERT INTO usage VALUES ('{AT}', 'a'), ('{AT}+01', 'a')",
            "INSERT INTO usage VALUES ('2026-02-30 10:00:00', 'a'), ('odd', 'a')",
        ),
    )
    source = reader(url)
    assert counted(source) == {"a": (2, 0)}
    assert faults(source) == {NO_TIME: 2}


def test_litellm(postgres: Store, tmp_path: Path) -> None:
    """The usage calls the key api_key, and the register calls it token."""
    url = postgres(
        'CREATE TABLE "LiteLLM_SpendLogs" (api_key text, "startTime" timestamp, model text)',
        'CREATE TABLE "LiteLLM_VerificationToken" (token text, key_alias text, team_id text)',
        f"INSERT INTO \"LiteLLM_SpendLogs\" VALUES ('a', '{AT}', 'm')",
        "INSERT INTO \"LiteLLM_VerificationToken\" VALUES ('a', 'shop', 'pay')",
    )
    names = {"key_id": "api_key", "timestamp": "startTime", "endpoint": "model"}
    of_register = {"key_id": "token", "name": "key_alias", "team": "team_id"}
    source = reader(
        url,
        usage="LiteLLM_SpendLogs",
        keys="LiteLLM_VerificationToken",
        columns=names,
        key_columns=of_register,
    )
    assert source.keys()[["key_id", "name", "team"]].to_numpy().tolist() == [["a", "shop", "pay"]]
    assert counted(source) == {"a": (1, 0)}
    (tmp_path / "usage.csv").write_text(f"startTime,api_key,model\n{AT},a,m\n")
    (tmp_path / "keys.csv").write_text("token,key_alias,team_id\na,shop,pay\n")
    files = open_source(
        FilesSource(
            usage=f"{tmp_path}/usage.csv", keys=f"{tmp_path}/keys.csv", columns=names, key_columns=of_register
        ),
        UTC_ZONE,
    )
    assert files.keys()[["key_id", "name", "team"]].to_numpy().tolist() == [["a", "shop", "pay"]]


def test_event_id_type(postgres: Store, tmp_path: Path) -> None:
    """A column that is called event_id, and holds a type, hides no request. Repeats count where it is named."""
    url = postgres(
        "CREATE TABLE usage (timestamp timestamptz, key_id text, event_id integer)",
        f"INSERT INTO usage SELECT '{AT}', 'k' || n % 4, 4624 FROM generate_series(1, 1000) n",
    )
    path = tmp_path / "usage.jsonl"
    rows = [{"timestamp": AT, "key_id": f"k{number % 4}", "event_id": "api_call"} for number in range(1000)]
    path.write_text("\n".join(map(json.dumps, rows)))
    for source in (reader(url), open_source(FilesSource(usage=str(path)), UTC_ZONE)):
        ((_, frame),) = source.usage(DAY, DAY)
        assert frame["request_count"].tolist() == [250, 250, 250, 250]
    assert counted(reader(url, columns={"event_id": "event_id"})) == {f"k{number}": (1, 0) for number in range(4)}


def test_json_nested_dot(tmp_path: Path) -> None:
    """Nested members are read by templates without a preset; a plain name beside them is a member, dots too."""
    records = [
        {"ts": AT, "user": {"id": "a"}, "http.path": "/x", "http": {"status": 200}},
        {"ts": AT, "user": {"id": "a"}, "http.path": "/y", "http": {"status": 404}},
        {"ts": AT, "user": {}, "http.path": "/y", "http": {"status": 200}},
    ]
    path = tmp_path / "e.jsonl"
    path.write_text("\n".join(map(json.dumps, records)))
    columns = {"timestamp": "ts", "key_id": "{/user/id}", "endpoint": "http.path", "status": "{/http/status}"}
    source = open_source(FilesSource(usage=str(path), columns=columns), UTC_ZONE)
    ((_, frame),) = source.usage(DAY, DAY)
    assert frame[["key_id", "request_count", "error_count"]].to_numpy().tolist() == [["a", 2, 1]]
    assert dict(frame["endpoint_distribution"][0]) == {"/x": 1, "/y": 1}
    assert source.accounting(DAY).keyless == 1


@pytest.mark.parametrize(
    ("name", "template", "problem"),
    [
        ("e.csv", "{/user/id}", "a template in source.columns reads JSON lines"),
        ("e.jsonl", "{user.id}", "must be a template such as"),
    ],
)
def test_a_template_that_cannot_be_read_says_so(tmp_path: Path, name: str, template: str, problem: str) -> None:
    """The error names the column or the file."""
    (tmp_path / name).write_text('{"timestamp": "2026-01-02T10:00:00Z"}\n')
    config = FilesSource(usage=str(tmp_path / name), columns={"key_id": template})
    with pytest.raises(SourceError, match=problem):
        list(open_source(config, UTC_ZONE).usage(DAY, DAY))

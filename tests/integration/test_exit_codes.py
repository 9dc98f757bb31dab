"""Exit codes of runs that could not judge: away, wrong, late and blind are different things."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from detector.cli.main import cli
from detector.config.load import load
from detector.model.errors import (
    BAD_USAGE,
    FAILURE,
    PARTIAL,
    DetectorError,
    MisconfiguredSourceError,
    NotReadyError,
    SourceError,
)
from detector.operations.schedule.nightly import nightly
from detector.pipeline import Job, run_day
from detector.state.database import State
from detector.state.sightings import days_judged
from detector.usage.history import History
from tests.databases import reader, sqlite
from tests.endpoint_server import answer, endpoint
from tests.fakes import FakeSource, groups

LAST = date(2026, 3, 17)
BEFORE_THE_DEADLINE = datetime(2026, 3, 18, 2, 30, tzinfo=UTC)
AFTER_THE_DEADLINE = datetime(2026, 3, 18, 9, 0, tzinfo=UTC)


@pytest.fixture
def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def configured(tmp_path: Path) -> Callable[..., Path]:
    """Writes a configuration with this source."""

    def write(**source: Any) -> Path:
        path = tmp_path / "config.yaml"
        path.write_text(json.dumps({"source": source, "history": {"first_pull_days": 9}}))
        return path

    return write


def log_of(folder: Path, days: int, last: date = LAST, name: str = "app.jsonl") -> str:
    """A log with one request an hour of one key, for some days up to the last one."""
    lines = []
    for hour in range(days * 24):
        instant = datetime(last.year, last.month, last.day, 23, tzinfo=UTC) - timedelta(hours=hour)
        lines.append(
            json.dumps({"timestamp": instant.isoformat(), "key_id": "a", "endpoint": "/x", "status": 200})
        )
    (folder / name).write_text("\n".join(reversed(lines)) + "\n")
    return name


def judged(path: Path) -> dict[date, bool]:
    """The judged days in the state."""
    with closing(State.of(load(path))) as state:
        return days_judged(state)


def test_a_source_that_is_away_is_a_failure_and_no_late_data(
    configured: Callable[..., Path], closed_port: int
) -> None:
    """Before the deadline no report is written. The error names what was tried, and says that nothing was read."""
    url = f"postgresql+psycopg://reader:pw-of-reader@127.0.0.1:{closed_port}/gateway"
    path = configured(kind="sql", url=url, usage="requests")
    with pytest.raises(SourceError) as caught:
        nightly(load(path), now=BEFORE_THE_DEADLINE)
    assert caught.value.exit_code == FAILURE
    assert f"127.0.0.1:{closed_port}/gateway did not answer" in str(caught.value)
    assert str(caught.value).endswith("Nothing was read.")
    assert "holds no request" not in str(caught.value)
    assert "pw-of-reader" not in str(caught.value)
    assert judged(path) == {}
    assert not Path(load(path).report.directory).exists()


def test_from_the_deadline_on_the_report_says_that_the_source_is_away(
    configured: Callable[..., Path], closed_port: int
) -> None:
    """The true reason comes first, and the run still ends with 1, so that a scheduler tries again."""
    path = configured(kind="http", url=f"http://127.0.0.1:{closed_port}", token="t0ken", attempts=1)
    (result,) = nightly(load(path), now=AFTER_THE_DEADLINE)
    assert result.exit_code == FAILURE
    assert "no connection" in result.report.summary.subline
    assert "holds no request" not in result.report.summary.subline
    (by_hand,) = nightly(load(path), now=BEFORE_THE_DEADLINE, day=LAST)
    assert by_hand.exit_code == FAILURE


def test_a_source_that_fails_halfway_says_how_much_was_read(configured: Callable[..., Path]) -> None:
    """The days that were read stay, and the next run goes on from there."""
    config = load(configured(kind="files", usage="none.jsonl"))
    source = FakeSource({LAST - timedelta(days=ago): groups(a=10) for ago in range(10)})
    source.broken_from = LAST - timedelta(days=2)
    with closing(State.of(config)) as state:
        history = History(Path(config.history.path), config.zone)
        job = Job(config, source, history, state, BEFORE_THE_DEADLINE)
        with pytest.raises(SourceError, match=r"was closed\. Only 7 days before it could be read\.") as caught:
            run_day(job, LAST, patient_until=AFTER_THE_DEADLINE)
    assert caught.value.exit_code == FAILURE
    assert len(history.days()) == 7


def test_late_data_say_what_was_read_and_how_far(configured: Callable[..., Path], tmp_path: Path) -> None:
    """Exit code 75 means that the source was read."""
    path = configured(kind="files", usage=log_of(tmp_path, 5, LAST - timedelta(days=1)))
    with pytest.raises(NotReadyError) as caught:
        nightly(load(path), now=BEFORE_THE_DEADLINE)
    assert "Only 0 requests from 0 keys" in str(caught.value)
    assert str(caught.value).endswith("The source was read; its data reach to 2026-03-16 23:00:00 UTC.")


def test_only_days_that_were_read_are_called_empty(configured: Callable[..., Path], tmp_path: Path) -> None:
    """The first pull reads ten days, though more would be judged from."""
    (tmp_path / "app.jsonl").write_text("")
    with pytest.raises(NotReadyError) as caught:
        nightly(load(configured(kind="files", usage="app.jsonl")), now=BEFORE_THE_DEADLINE)
    assert "nor for the 9 days before it that were read. The source was read; it holds no" in str(caught.value)


def test_a_day_that_the_endpoint_does_not_hold_yet_is_late(configured: Callable[..., Path]) -> None:
    """The endpoint answers, so the configuration is right. The run after the deadline is partial."""
    with endpoint(lambda request: answer({"keys": [], "total_keys": 0})) as served:
        path = configured(kind="http", url=served.url, token="t0ken")
        with pytest.raises(NotReadyError, match="holds no usage") as caught:
            nightly(load(path), now=BEFORE_THE_DEADLINE)
        assert caught.value.exit_code == 75
        (result,) = nightly(load(path), now=AFTER_THE_DEADLINE)
    assert result.exit_code == PARTIAL


@pytest.mark.parametrize(
    ("behaviour", "says"),
    [
        (answer({}, 401), "the token is not accepted"),
        (answer({}, 403), "the token may not read this"),
        (answer({}, 404), "the endpoint holds no usage"),
        (answer({}, 422), "check source.from_parameter"),
        (answer({"keys": [{"id": "a"}], "total_keys": 1}), "none of its 1 key can be used"),
    ],
)
def test_an_endpoint_that_refuses_is_a_wrong_configuration(
    configured: Callable[..., Path], behaviour: Any, says: str
) -> None:
    """The report is written at once: to wait for the deadline would not help."""
    with endpoint(lambda request: behaviour) as served:
        (result,) = nightly(load(configured(kind="http", url=served.url, token="t0ken")), now=BEFORE_THE_DEADLINE)
    assert result.exit_code == BAD_USAGE
    assert says in result.report.summary.subline


@pytest.mark.parametrize("status", [500, 503, 520])
def test_an_endpoint_that_fails_is_a_failure(configured: Callable[..., Path], status: int) -> None:
    """It may work again a little later."""
    with endpoint(lambda request: answer({}, status)) as served:
        path = configured(kind="http", url=served.url, token="t0ken", attempts=1)
        with pytest.raises(SourceError) as caught:
            nightly(load(path), now=BEFORE_THE_DEADLINE)
    assert caught.value.exit_code == FAILURE


@pytest.mark.parametrize(
    ("usage", "says"),
    [
        ("nothing-*.jsonl", "no file matches"),
        ("logs", "is a folder; name the files in it, as in"),
        ("notes.xlsx", "does not show its format"),
        ("ftp://logs/a.gz", "files cannot be read from ftp://"),
    ],
)
def test_files_that_are_not_there_are_a_wrong_configuration(
    configured: Callable[..., Path], tmp_path: Path, usage: str, says: str
) -> None:
    """A path that matches nothing is a mistake, not an export that is late."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "notes.xlsx").write_text("a")
    (result,) = nightly(load(configured(kind="files", usage=usage)), now=BEFORE_THE_DEADLINE)
    assert result.exit_code == BAD_USAGE
    assert says in result.report.summary.subline


def failure_of(url: URL, **options: Any) -> SourceError:
    """The error with which a read of the database ends."""
    source = reader(url.render_as_string(hide_password=False), **options)
    try:
        source.keys()
        source.watermark()
    except SourceError as error:
        return error
    pytest.fail("the source was read")


def test_mistakes_in_a_postgresql_source_are_told_from_a_server_that_is_away(
    empty_postgres: str, closed_port: int
) -> None:
    """The driver gives no code for a connection that the server refuses, so its words decide."""
    url = make_url(empty_postgres)
    with create_engine(url, poolclass=NullPool).begin() as connection:
        connection.execute(text("CREATE TABLE usage (timestamp timestamptz, key_id text)"))
    mistakes = [
        failure_of(url, usage="nothing"),
        failure_of(url, columns={"key_id": "nothing"}),
        failure_of(url, keys_query="SELECT nothing AS key_id FROM usage"),
        failure_of(url.set(database="nothing")),
        failure_of(url.set(username="nobody")),
    ]
    assert [type(error) for error in mistakes] == [MisconfiguredSourceError] * 5, mistakes
    for where in (url.set(port=closed_port), url.set(host="no-such-host.invalid")):
        error = failure_of(where)
        assert (error.exit_code, "did not answer" in str(error)) == (FAILURE, True), error


def test_a_password_or_a_right_that_is_missing_in_postgresql_is_a_mistake(empty_postgres: str) -> None:
    """The password is no secret of the error."""
    url = make_url(empty_postgres)
    with create_engine(url, poolclass=NullPool).begin() as connection:
        connection.execute(text("CREATE TABLE usage (timestamp timestamptz, key_id text)"))
        connection.execute(text("CREATE ROLE stranger LOGIN PASSWORD 'right'"))
        path = Path(connection.execute(text("SHOW hba_file")).scalar_one())
    rules = path.read_text()
    stranger = url.set(username="stranger", password="wrong-password")
    try:
        path.write_text(f"host all stranger 127.0.0.1/32 scram-sha-256\n{rules}")
        with create_engine(url, poolclass=NullPool).begin() as connection:
            connection.execute(text("SELECT pg_reload_conf()"))
        refused = failure_of(stranger)
        assert isinstance(refused, MisconfiguredSourceError), refused
        assert "password authentication failed" in str(refused)
        assert "wrong-password" not in str(refused)
        assert isinstance(failure_of(stranger.set(password="right")), MisconfiguredSourceError)
    finally:
        path.write_text(rules)
        with create_engine(url, poolclass=NullPool).begin() as connection:
            connection.execute(text("DROP ROLE stranger"))
            connection.execute(text("SELECT pg_reload_conf()"))


def test_mistakes_in_a_mariadb_source_are_told_from_a_server_that_is_away(
    mariadb_url: str, closed_port: int
) -> None:
    """Its errors have numbers."""
    url = make_url(mariadb_url)
    with create_engine(url, poolclass=NullPool).begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS codes (timestamp DATETIME, key_id VARCHAR(9))"))
        connection.execute(text("CREATE OR REPLACE USER stranger IDENTIFIED BY 'right'"))
    stranger = url.set(username="stranger", password="wrong-password")
    mistakes = [
        failure_of(url, usage="codes", keys_query="SELECT nothing AS key_id FROM codes"),
        failure_of(url, usage="codes", keys_query="SELECT key_id FROM nothing"),
        failure_of(url.set(database="nothing"), usage="codes"),
        failure_of(stranger, usage="codes"),
        failure_of(stranger.set(password="right"), usage="codes"),
    ]
    assert [type(error) for error in mistakes] == [MisconfiguredSourceError] * 5, mistakes
    assert "wrong-password" not in str(mistakes[3])
    assert failure_of(url.set(port=closed_port), usage="codes").exit_code == FAILURE


def test_mistakes_in_a_sqlite_source_are_told(tmp_path: Path) -> None:
    """A file that is no database, and names that it does not have."""
    url = make_url(sqlite(tmp_path, "timestamp, key_id", []))
    (tmp_path / "notes.db").write_text("these are notes " * 100)
    mistakes = [
        failure_of(url, keys_query="SELECT absent AS key_id FROM usage"),
        failure_of(url, keys_query="SELECT key_id FROM absent"),
        failure_of(url, keys_query="SELECT key_id FRM usage"),
        failure_of(url.set(database=f"{tmp_path}/notes.db")),
        failure_of(url.set(database=f"{tmp_path}/nothing.db")),
    ]
    assert [type(error) for error in mistakes] == [MisconfiguredSourceError] * 5, mistakes


def checked(path: Path) -> tuple[int, str]:
    """The exit code of `check`, and all that it says."""
    done = CliRunner().invoke(cli, ["check", "--config", str(path)])
    error = done.exception
    assert isinstance(error, DetectorError | SystemExit | None), done.exc_info
    return (error.exit_code if isinstance(error, DetectorError) else done.exit_code), f"{done.output}{error or ''}"


def test_check_has_a_code_for_each_cause(
    configured: Callable[..., Path], tmp_path: Path, closed_port: int
) -> None:
    """Away is 1, wrong is 2, empty is 75, and only what can be judged is 0."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    usable = configured(kind="files", usage=log_of(tmp_path, 2, yesterday))
    code, output = checked(usable)
    assert (code, "24 requests of 1 key" in output) == (0, True), output
    (columns,) = [line.split(maxsplit=1)[1] for line in output.splitlines() if line.startswith("columns")]
    assert set(columns.split(", ")) == {"endpoint", "status", "timestamp", "key_id"}
    away = configured(kind="http", url=f"http://127.0.0.1:{closed_port}", token="t0ken", attempts=1)
    assert checked(away)[0] == FAILURE
    for wrong in (
        {"columns": {"key_id": "kee"}},
        {"usage": "nothing.jsonl"},
        {"columns": {"timestamp": "key_id"}},
    ):
        code, output = checked(configured(**{"kind": "files", "usage": "app.jsonl", **wrong}))
        assert code == BAD_USAGE, output
    (tmp_path / "empty.jsonl").write_text("")
    code, output = checked(configured(kind="files", usage="empty.jsonl"))
    assert (code, "holds no record yet" in output) == (75, True), output


def test_check_says_why_every_row_is_unusable(configured: Callable[..., Path], tmp_path: Path) -> None:
    """Exactly where no row is good the reason is needed."""
    (tmp_path / "usage.csv").write_text("day,key_id,request_count\n03/04/2026,a,5\n03/04/2026,b,7\n")
    code, output = checked(configured(kind="files", usage="usage.csv", shape="daily"))
    assert code == BAD_USAGE
    assert "None of the 2 records could be used: " in output
    assert "03/04/2026" in output

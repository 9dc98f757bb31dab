"""Real servers, PostgreSQL and MariaDB, for the tests that need one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from getpass import getuser
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from detector.boundary.retries import attempts

BINARIES = "/usr/lib/postgresql"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of an empty database on a server of its own, which stops when the tests end."""
    binaries = _binaries()
    with TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        data, port = folder / "data", _free_port()
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        _run(
            [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"],
            folder,
        )
        _run([binaries / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start"], folder)
        try:
            yield f"postgresql+psycopg://postgres:unused@127.0.0.1:{port}/postgres"
        finally:
            _run([binaries / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"], folder)


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[str]:
    """The URL of an empty database on a MariaDB server of its own, which stops when the tests end."""
    programs = {name: _program(name) for name in ("mariadb-install-db", "mariadbd")}
    with TemporaryDirectory(prefix="mariadb-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        user = "mysql" if os.geteuid() == 0 else getuser()
        if os.geteuid() == 0:
            shutil.chown(folder, user)
        own = ["--no-defaults", f"--datadir={folder}/data", f"--user={user}"]
        made = subprocess.run(
            [programs["mariadb-install-db"], *own, "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if made.returncode:
            pytest.fail(f"mariadb-install-db failed: {made.stdout[-1000:]} {made.stderr[-1000:]}", pytrace=False)
        port = _free_port()
        where = [
            f"--socket={folder}/socket",
            "--bind-address=127.0.0.1",
            f"--port={port}",
            f"--log-error={folder}/log",
        ]
        # Its own collation merges letters that differ in case or accents, as that of many installations does.
        letters = [
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_general_ci",
            "--skip-name-resolve",
        ]
        server = subprocess.Popen([programs["mariadbd"], *own, *where, *letters], stdin=subprocess.DEVNULL)
        try:
            url = f"mysql+pymysql://root@127.0.0.1:{port}"
            _create_database(url, server, folder / "log")
            yield f"{url}/usage?charset=utf8mb4"
        finally:
            server.terminate()
            server.wait(60)


def _create_database(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Create the database ``usage`` as soon as the server answers."""
    engine = create_engine(url, poolclass=NullPool)
    for attempt in attempts(
        lambda error: isinstance(error, OperationalError), most=100, first_pause=0.1, longest_pause=0.5
    ):
        with attempt:
            if server.poll() is not None:
                pytest.fail(f"mariadbd ended: {log.read_text()[-2000:]}", pytrace=False)
            with engine.begin() as connection:
                connection.execute(text("CREATE DATABASE `usage`"))


@pytest.fixture
def empty_postgres(postgres_url: str) -> str:
    """The same database with nothing in it, whatever tests before left there."""
    empty(postgres_url)
    return postgres_url


@pytest.fixture(params=["sqlite", "postgresql"])
def state_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A state database with nothing in it, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/deep/state.db"
    url: str = request.getfixturevalue("empty_postgres")
    return url


def empty(url: str) -> None:
    """Drop all that a PostgreSQL database holds."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))


def _binaries() -> Path:
    found = [path.parent for path in Path(BINARIES).glob("*/bin/initdb")]
    if not found:
        pytest.fail(f"no PostgreSQL server under {BINARIES}; install Debian's package postgresql", pytrace=False)
    return max(found, key=lambda path: int(path.parent.name))


def _program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        pytest.fail(f"no {name}; install Debian's package mariadb-server", pytrace=False)
    return found


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _run(command: Sequence[str | Path], folder: Path) -> None:
    """initdb refuses to run as root, so root becomes the user that Debian's package brings."""
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*user, *map(str, command)],
        check=False,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    if done.returncode:
        pytest.fail(f"{command[0]} failed: {done.stderr}", pytrace=False)

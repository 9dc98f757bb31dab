"""A real PostgreSQL server for the tests that need one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

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

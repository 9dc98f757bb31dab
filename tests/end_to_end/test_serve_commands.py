"""``serve`` and ``token`` as their users type them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from detector.config.urls import BY_KEY_PATH
from tests.end_to_end.test_command_line import Console
from tests.serving import DAY, serving


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a configuration and a history of three days."""
    monkeypatch.chdir(tmp_path)
    with serving(tmp_path):
        return tmp_path


@pytest.fixture
def detector(capsys: pytest.CaptureFixture[str]) -> Console:
    """The command line."""
    return Console(capsys)


def test_a_token_is_shown_once_and_kept_as_a_hash(folder: Path, detector: Console) -> None:
    """Alone on stdout, so that a script can take it from there."""
    secret = detector("token", "create", "--organization", "acme", "--name", "warehouse").strip()
    assert re.fullmatch(r"dtk_[A-Za-z0-9_-]{43}", secret)
    assert "'warehouse' sees the keys of 'acme'" in detector.error
    assert secret.encode() not in (folder / "var" / "state.db").read_bytes()
    listed = detector("token", "list")
    assert listed.startswith("warehouse  acme  made ")
    assert secret not in listed


def test_a_revoked_token_is_listed_no_more(folder: Path, detector: Console) -> None:
    """But in the log of all; its name is free again."""
    detector("token", "create", "--all-organizations", "--name", "siem", "--expires", "2099-12-31")
    assert "siem  all organizations  made " in detector("token", "list")
    assert ", until 2100-01-01 00:00 UTC" in detector("token", "list")
    assert detector("token", "revoke", "siem") == "Token 'siem' revoked.\n"
    assert detector("token", "list") == ""
    assert ", revoked " in detector("token", "list", "--all")
    detector("token", "create", "--organization", "acme", "--name", "siem")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["create", "--name", "x"], "say whose keys the token sees"),
        (["create", "--name", "x", "--organization", "a", "--all-organizations"], "say whose keys"),
        (["create", "--name", "x", "--organization", ""], "say whose keys"),
        (["create", "--name", " ", "--organization", "a"], "characters that can be seen"),
        (["create", "--name", "x\x1b[31m", "--organization", "a"], "characters that can be seen"),
        (["create", "--name", "x", "--organization", "a", "--expires", "2020-01-01"], "is over already"),
        (["create", "--name", "x", "--organization", "a", "--expires", "9999-12-31"], "too far away"),
        (["revoke", "nobody"], "there is no token 'nobody' to revoke"),
    ],
)
def test_what_cannot_be_is_refused(folder: Path, detector: Console, arguments: list[str], problem: str) -> None:
    """With what to do."""
    detector("token", *arguments, code=2)
    assert problem in detector.error


def test_a_name_is_used_once(folder: Path, detector: Console) -> None:
    """Or revoking it would be a guess."""
    detector("token", "create", "--organization", "acme", "--name", "x")
    detector("token", "create", "--organization", "globex", "--name", "x", code=2)
    assert "there is a token 'x' already" in detector.error


@pytest.fixture
def server(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running server and where it listens."""
    command = [sys.executable, "-m", "detector", "serve", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
    assert process.stderr is not None
    try:
        yield process, json.loads(process.stderr.readline())["listening"]
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_server_answers_until_it_is_told_to_stop(
    server: tuple[subprocess.Popen[str], str], detector: Console, ending: signal.Signals
) -> None:
    """A token made meanwhile is accepted, the access log is on stderr, and the end is a good one."""
    process, url = server
    assert url.startswith("http://127.0.0.1:")
    secret = detector("token", "create", "--organization", "globex", "--name", "late").strip()
    answer = httpx.get(url + BY_KEY_PATH, params={"from": str(DAY)}, headers={"Authorization": f"Bearer {secret}"})
    assert (answer.status_code, answer.json()["total_keys"]) == (200, 20)
    assert "server" not in answer.headers
    process.send_signal(ending)
    output, error = process.communicate(timeout=30)
    assert (process.returncode, output) == (0, "")
    (line,) = map(json.loads, error.splitlines())
    assert (line["path"], line["status"], line["token"]) == (BY_KEY_PATH, 200, "late")
    assert secret not in error


def test_a_port_in_use_is_an_error(server: tuple[subprocess.Popen[str], str], detector: Console) -> None:
    """That says how to choose another."""
    port = server[1].rpartition(":")[2]
    detector("serve", "--port", port, code=2)
    assert f"cannot listen on 127.0.0.1 port {port}: " in detector.error


def test_help_does_not_load_the_server() -> None:
    """The command line stays quick to start."""
    loaded = "any(name in sys.modules for name in ('fastapi', 'uvicorn', 'httpx'))"
    code = f"import sys, detector.cli.main; sys.exit({loaded})"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

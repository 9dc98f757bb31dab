"""Delivery from the command line: real runs, a real mail server, and processes that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tests.mail_server import Inbox, mail_server
from tests.receiver import receiver

DAY = date(2026, 3, 17)
PEOPLE = ("a@example.com", "b@example.com", "c@example.com")


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with mail_server("none", login=False) as kept:
        yield kept


@pytest.fixture
def folder(tmp_path: Path, inbox: Inbox) -> Path:
    """Two weeks of three keys, one of which spikes on the day, and a mail server to tell."""
    rows = ["timestamp,key_id"]
    for back in range(20):
        day = DAY - timedelta(days=back)
        for key, count in (("k1", 400 if back == 0 else 12), ("k2", 12), ("k3", 12)):
            rows += [f"{day}T{hour % 24:02}:00:00Z,{key}" for hour in range(count)]
    (tmp_path / "usage.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "config.yaml").write_text(
        f"""
source: {{kind: files, usage: usage.csv}}
history: {{first_pull_days: 19}}
delivery:
  mail: {{host: 127.0.0.1, port: {inbox.port}, security: none, from: d@example.com, to: [{", ".join(PEOPLE)}]}}
"""
    )
    return tmp_path


def command(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "detector", *arguments, "--config", str(folder / "config.yaml")]


def detector(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(folder, *arguments), capture_output=True, text=True, timeout=120, check=False)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return detector(folder, "run", "--day", DAY.isoformat(), *arguments)


def test_a_day_is_mailed_once_and_again_only_when_asked(folder: Path, inbox: Inbox) -> None:
    """A second run sends nothing, --no-deliver neither, --resend a mail with another id."""
    assert run(folder, "--no-deliver").returncode == 0
    assert inbox.accepted == []
    assert "Nothing waits" in detector(folder, "deliver", "--list").stdout
    assert run(folder).returncode == 0
    assert inbox.recipients() == list(PEOPLE)
    assert run(folder).returncode == 0
    assert len(inbox.accepted) == 3
    assert run(folder, "--resend").returncode == 0
    assert Counter(inbox.recipients()) == dict.fromkeys(PEOPLE, 2)
    assert len({mail["Message-ID"] for mail in inbox.mails()}) == 6


def test_a_refused_recipient_is_told_by_exit_code_and_by_the_next_report(folder: Path, inbox: Inbox) -> None:
    """Once; the list keeps it."""
    inbox.refusals = {"b@example.com": "550 no such user"}
    first = run(folder)
    line = "mail to b@example.com for 2026-03-17 was not delivered: the recipient was refused: 550 no such user"
    assert first.returncode == 4
    assert line in first.stderr
    assert inbox.recipients() == ["a@example.com", "c@example.com"]
    second = run(folder, "--format", "json")
    assert second.returncode == 4
    assert line in second.stdout
    assert run(folder).returncode == 0
    assert line.partition("refused: ")[2] in detector(folder, "deliver", "--list").stdout


def test_what_waits_is_listed_and_sent_by_hand(folder: Path, inbox: Inbox) -> None:
    """After the cause is gone."""
    inbox.refusals = dict.fromkeys(PEOPLE, "450 greylisted")
    assert run(folder).returncode == 4
    listed = detector(folder, "deliver", "--list").stdout
    assert listed.count("450 greylisted") == 3
    assert listed.count("1 attempt, next attempt from") == 3
    inbox.refusals = {}
    assert detector(folder, "deliver").stdout == "0 sent, 3 waiting.\n"
    assert detector(folder, "deliver", "--now").stdout == "3 sent, 0 waiting.\n"
    assert inbox.recipients() == list(PEOPLE)


def test_check_names_the_channels_and_test_tries_them(folder: Path, inbox: Inbox) -> None:
    """Without showing a secret, and without touching the outbox."""
    with receiver() as hook:
        secret = "whsec_" + "A" * 44
        webhook = f"delivery.webhooks=[{{url: '{hook.url}/t0ken-in-path', secret: {secret}}}]"
        checked = detector(folder, "check", "--set", webhook)
        assert "delivery       mail: 127.0.0.1:" in checked.stdout
        assert "delivery       webhook main: http://127.0.0.1:" in checked.stdout
        assert inbox.accepted == []
        assert hook.requests == []
        tried = detector(folder, "deliver", "--test", "--set", webhook)
        assert tried.returncode == 0
        assert tried.stdout.count("accepted") == 4
        assert len(hook.requests) == 1
        hook.answer(500, f"{secret} {hook.url}/t0ken-in-path".encode())
        failed = detector(folder, "deliver", "--test", "--set", webhook)
        assert failed.returncode == 4
        said = checked.stdout + tried.stdout + failed.stdout + failed.stderr
        assert "t0ken-in-path" not in said
        assert secret not in said


@pytest.mark.parametrize("step", ["EHLO", "MAIL", "RCPT", "DATA"])
def test_a_process_killed_while_it_sends_loses_and_doubles_nothing(folder: Path, inbox: Inbox, step: str) -> None:
    """At any step before the second mail is accepted: the next run sends what is missing, each once."""
    killed = _run_killed_at(folder, inbox, step, mail=2)
    assert killed == -signal.SIGKILL
    assert run(folder).returncode == 0
    delivered = Counter(inbox.recipients())
    assert set(delivered) == set(PEOPLE)
    assert sum(delivered.values()) - 3 == (1 if step == "DATA" else 0)
    for recipient in PEOPLE:
        mails = [mail for mail in inbox.mails() if mail["To"] == recipient]
        assert len({mail["Message-ID"] for mail in mails}) == 1


def _run_killed_at(folder: Path, inbox: Inbox, step: str, mail: int) -> int:
    """Run, and kill the process when the server sees a step of the ``mail``-th mail; its exit code."""
    seen: Counter[str] = Counter()
    process = subprocess.Popen(command(folder, "run", "--day", DAY.isoformat()), stdout=subprocess.DEVNULL)

    def watch(name: str) -> None:
        seen[name] += 1
        if name == step and seen[name] == mail and process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()

    inbox.step = watch
    code = process.wait(timeout=120)
    inbox.step = lambda name: None
    return code


def test_a_mail_is_dated_by_its_run(folder: Path, inbox: Inbox) -> None:
    """Not by when the server came to it."""
    run(folder)
    sent = inbox.mails()[0]["Date"].datetime
    assert abs((datetime.now(UTC) - sent).total_seconds()) < 300

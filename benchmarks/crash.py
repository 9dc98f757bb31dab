"""Kill a run at random points between "findings committed" and "mails accepted", run again, count the mails.

    python -m benchmarks.crash [TRIALS] [SEED] [ACCEPTANCE]

Each trial judges a small day and mails three recipients over a server on loopback that takes its time for each
step, and ACCEPTANCE seconds (0) from having a mail to saying so. A kill within those is the one that doubles a
mail: nobody can know what the server would have said. Prints how often everybody had the mail exactly once,
how often somebody had it twice, and whether a duplicate carried the same Message-ID.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mail_server import Inbox, mail_server

DAY = date(2026, 3, 17)
PEOPLE = ("a@example.com", "b@example.com", "c@example.com")
STEP = 0.02
"""Seconds that the server takes before it answers a command, so that a kill may fall into any of them."""


def prepare(folder: Path, port: int) -> None:
    """A day of two keys, one of which spikes."""
    rows = ["timestamp,key_id"]
    for back in range(20):
        for key, count in (("k1", 400 if back == 0 else 12), ("k2", 12)):
            day = DAY - timedelta(days=back)
            rows += [f"{day}T{hour % 24:02}:00:00Z,{key}" for hour in range(count)]
    (folder / "usage.csv").write_text("\n".join(rows) + "\n")
    mail = f"{{host: 127.0.0.1, port: {port}, security: none, from: d@example.com, to: [{', '.join(PEOPLE)}]}}"
    (folder / "config.yaml").write_text(
        "source: {kind: files, usage: usage.csv}\nhistory: {first_pull_days: 19}\n"
        f"delivery: {{mail: {mail}}}\n"
    )


def start(folder: Path) -> subprocess.Popen[bytes]:
    """A run of the day."""
    arguments = [sys.executable, "-m", "detector", "run", "--day", DAY.isoformat()]
    return subprocess.Popen(
        [*arguments, "--config", folder / "config.yaml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def wait_for_commit(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Return as soon as the messages are in the outbox."""
    while process.poll() is None:
        try:
            with closing(sqlite3.connect(f"file:{folder}/var/state.db?mode=ro", uri=True)) as connection:
                if connection.execute("SELECT count(*) FROM detector_outbox").fetchone()[0]:
                    return
        except sqlite3.OperationalError:
            pass
        time.sleep(0.001)


def trial(chance: random.Random, acceptance: float) -> tuple[Counter[str], bool, int]:
    """Mails by recipient, whether a recipient's mails share one Message-ID, and mails accepted before the kill."""
    with TemporaryDirectory() as name, mail_server("none", login=False) as inbox:
        folder = Path(name)
        slow(inbox, acceptance)
        prepare(folder, inbox.port)
        process = start(folder)
        wait_for_commit(folder, process)
        time.sleep(chance.uniform(0, len(PEOPLE) * (3 * STEP + acceptance) + 0.1))
        before = len(inbox.accepted)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        if start(folder).wait() != 0:
            raise SystemExit("the second run failed")
        ids = {(mail["To"], mail["Message-ID"]) for mail in inbox.mails()}
        return Counter(inbox.recipients()), len(ids) == len(PEOPLE), before


def slow(inbox: Inbox, acceptance: float) -> None:
    """Let every command take its time, and the acceptance its own."""
    times = {"EHLO": STEP, "MAIL": STEP, "RCPT": STEP, "ACCEPTED": acceptance}
    inbox.step = lambda name: time.sleep(times.get(name, 0))


def main() -> int:
    """Run the trials and print what became of the mails; 1 where a mail was lost."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    chance = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 5)
    acceptance = float(sys.argv[3]) if len(sys.argv) > 3 else 0.0
    once = lost = doubled = same = 0
    for number in range(1, trials + 1):
        delivered, one_id, before = trial(chance, acceptance)
        missing = any(delivered[who] == 0 for who in PEOPLE)
        twice = any(delivered[who] > 1 for who in PEOPLE)
        lost, doubled, once = lost + missing, doubled + twice, once + (not missing and not twice)
        same += twice and one_id
        print(f"{number:3}  accepted before the kill: {before}  mails: {dict(delivered)}")
    print(f"{once} of {trials} exactly once, {doubled} doubled ({same} with the same Message-ID), {lost} lost")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())

"""Send requests with invented keys to the demo's organization, and say what is no longer told of its own keys.

    python -m benchmarks.strangers [--names 1,10,30,100,300,1000,10000] [--requests 100] [--json]

Each row is one attack on the demo's day. So many invented keys make one request each on 12 days before it
(*before*), or so many requests each on the day itself (*day*), or *both*. The gateway refuses them (401) or
accepts them. The demo's register is configured or not. *lost* are findings on own keys, or on the fleet, that the
day has without the attack and not with it. Exit 1 where a finding is lost.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from detector.cli.demo import JUDGED_DAY, make
from detector.config.load import load
from detector.judging.judging import judge
from detector.model.day import each_day
from detector.model.finding import Finding
from detector.pipeline import panel_depth
from detector.sources import open_source
from detector.sources.pull import pull
from detector.usage.history import History
from detector.usage.panel import load_panel

NOW = datetime(2026, 3, 18, 2, 30, tzinfo=UTC)
DAYS_BEFORE = 12
PREFIX = "invented-"
TIMES = ("before", "day", "both")
OUTCOMES = {"refused": 401, "accepted": 200}
REGISTER = "  keys: api_keys\n"


@dataclass(frozen=True)
class Attack:
    """What somebody sends: so many invented keys, when, and with which status."""

    names: int
    outcome: str
    when: str
    requests: int

    def rows(self) -> Iterator[tuple[str, str, str, int, str, str]]:
        """The requests as rows of the demo's table."""
        for day in each_day(JUDGED_DAY - timedelta(days=DAYS_BEFORE), JUDGED_DAY):
            for name in range(self.names):
                for number in range(self._requests(day == JUDGED_DAY)):
                    moment = f"{day} {number * 7 % 24:02d}:{name % 60:02d}:00"
                    key = f"{PREFIX}{name:06d}"
                    yield moment, key, "GET /v1/orders", OUTCOMES[self.outcome], "production", "192.0.2.1"

    def _requests(self, is_judged_day: bool) -> int:
        if is_judged_day:
            return 0 if self.when == "before" else self.requests
        return 0 if self.when == "day" else 1


@dataclass(frozen=True)
class Row:
    """One line of the table.

    ``lost`` and ``added`` are findings on own keys and on the fleet. ``invented`` is the number of findings on
    invented keys.
    """

    names: int
    outcome: str
    when: str
    register: bool
    findings: int
    lost: tuple[str, ...]
    added: tuple[str, ...]
    invented: int
    seconds: float


class Organization:
    """The demo's organization, with or without its register, and its history without an attack."""

    def __init__(self, demo: Path, folder: Path, *, register: bool) -> None:
        folder.mkdir()
        self._database = folder / "usage.db"
        shutil.copy(demo / "usage.db", self._database)
        text = (demo / "config.yaml").read_text()
        (folder / "config.yaml").write_text(text if register else text.replace(REGISTER, ""))
        self.has_register = register
        self._config = load(folder / "config.yaml", [f"source.url=sqlite:///{self._database}"])
        self._history = folder / "history"
        self._past = folder / "past"
        self._pull(JUDGED_DAY - timedelta(days=self._config.history.first_pull_days))
        shutil.copytree(self._history, self._past)
        self.told = self._findings()

    def under(self, attack: Attack) -> Row:
        """What the day tells under an attack."""
        began = time.monotonic()
        first = JUDGED_DAY - timedelta(days=DAYS_BEFORE)
        shutil.rmtree(self._history)
        shutil.copytree(self._past, self._history)
        for day in each_day(first, JUDGED_DAY):
            shutil.rmtree(self._history / f"day={day}")
        self._fill(attack)
        try:
            self._pull(first)
            told = self._findings()
        finally:
            self._fill(None)
        own = {name for name in told if PREFIX not in name}
        return Row(
            names=attack.names,
            outcome=attack.outcome,
            when=attack.when,
            register=self.has_register,
            findings=len(self.told),
            lost=tuple(sorted(self.told - own)),
            added=tuple(sorted(own - self.told)),
            invented=len(told) - len(own),
            seconds=round(time.monotonic() - began, 1),
        )

    def _fill(self, attack: Attack | None) -> None:
        """Put the requests of an attack into the database in place of those of the attack before."""
        with closing(sqlite3.connect(self._database)) as connection, connection:
            connection.execute("DELETE FROM requests WHERE key_id LIKE ?", [f"{PREFIX}%"])
            if attack is not None:
                connection.executemany("INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?)", attack.rows())

    def _pull(self, first: date) -> None:
        source = open_source(self._config.source, self._config.zone, lambda: NOW)
        pull(self._config, source, self._stored(), first, JUDGED_DAY, now=NOW)

    def _findings(self) -> set[str]:
        panel = load_panel(self._stored(), JUDGED_DAY, panel_depth(self._config))
        judged = judge(panel, self._config, {})
        assert not judged.failures, judged.failures
        return {name_of(finding) for finding in judged.findings}

    def _stored(self) -> History:
        return History(self._history, self._config.zone)


def name_of(finding: Finding) -> str:
    """What a finding is about: its type and its key."""
    return f"{finding.type} {finding.key_id or '-'}"


def attacks(names: Sequence[int], requests: int) -> Iterator[Attack]:
    """Every attack with these numbers of names."""
    for number in names:
        for outcome in OUTCOMES:
            for when in TIMES:
                yield Attack(number, outcome, when, requests)


def table(folder: Path, chosen: Sequence[Attack]) -> Iterator[Row]:
    """The rows of the attacks, with and without a register."""
    demo = folder / "demo"
    make(demo)
    for register in (True, False):
        organization = Organization(demo, folder / f"register-{register}", register=register)
        for attack in chosen:
            yield organization.under(attack)


def line(row: Row) -> str:
    """A row of the printed table."""
    cells = [
        f"{row.names:,}",
        row.outcome,
        row.when,
        "yes" if row.register else "no",
        f"{row.findings}",
        f"{len(row.lost)}",
        f"{len(row.added)}",
        f"{row.invented}",
        f"{row.seconds:.1f}",
        ", ".join(row.lost),
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", default="1,10,30,100,300,1000,10000", help="how many invented keys, by comma")
    parser.add_argument("--requests", type=int, default=100, help="requests of each on the day")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    options = parser.parse_args()
    chosen = list(attacks([int(number) for number in options.names.split(",")], options.requests))
    lost = 0
    if not options.json:
        print(
            "| names | outcome | when | register | findings | lost | added | invented | seconds | which are lost |"
        )
        print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
    with TemporaryDirectory() as name:
        for row in table(Path(name), chosen):
            lost += len(row.lost)
            print(json.dumps(asdict(row)) if options.json else line(row), flush=True)
    sys.exit(bool(lost))


if __name__ == "__main__":
    main()

"""Thirty days of a process that is killed, restarted, given late, doubled and cut data, a wrong clock and a mail
server that is away: in the end everything is as if nothing had happened."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from detector import pipeline
from detector.config.load import load
from detector.model.errors import DeliveryError
from detector.model.report import RunReport
from detector.operations.schedule.nightly import nightly
from detector.operations.schedule.scheduler import Service
from detector.pipeline import Job
from detector.sources.pull import pull
from detector.state import runs
from detector.state.database import State
from detector.state.messages import DIGEST, Message, identity
from detector.state.sightings import days_judged, earlier_sightings
from detector.usage.history import History
from tests.fakes import FakeScheduler

FIRST, DAYS, BEFORE = date(2026, 3, 2), 30, 12
HOUR = timedelta(hours=1)
KEYS = ("api", "batch", "mobile", "partner")
MOST_TRIES = 60
EXAMPLES = int(os.environ.get("THIRTY_DAYS", "3"))
"""Each takes half a minute; more of them by hand."""


class Killed(BaseException):
    """What kill -9 looks like from within: nothing that runs afterwards may count on being run."""


class Mailbox:
    """A channel that keeps what it is told, or is away. A digest takes the place of the days it tells."""

    name = "mail"

    def __init__(self) -> None:
        self.away = self.was_away = False
        self.edition = ""
        self.arrived: list[Message] = []

    def messages(self, reports: Sequence[RunReport]) -> list[Message]:
        *earlier, last = [report.day.date for report in reports]
        told = {str(r.day.date): [f.finding_id for f in r.findings] for r in reports}
        covered = [self._message(day, "", None) for day in (*earlier, last) if earlier]
        return [
            *covered,
            self._message(last, f"{DIGEST} {identity(*told)}" if earlier else "", json.dumps(told).encode()),
        ]

    def send(self, message: Message) -> None:
        if self.away:
            raise DeliveryError("451 try again later", permanent=False)
        self.arrived.append(message)

    def tellings(self) -> Counter[str]:
        """How often each day was told."""
        return Counter(day for message in self.arrived for day in json.loads(message.payload or b"{}"))

    def _message(self, day: date, part: str, payload: bytes | None) -> Message:
        number = identity("mail", str(day), part, self.edition)
        return Message(number, day, "mail", "security@example.com", "A day", payload, part)


class Export:
    """The log files: what happened, and what of it has been written by now."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "usage.csv"
        self._rows: list[tuple[datetime, str]] = []

    def add(self, written_at: datetime, line: str) -> None:
        self._rows.append((written_at, line))

    def write(self, now: datetime) -> None:
        """The file as it is at an instant."""
        lines = [line for written_at, line in self._rows if written_at <= now]
        self._path.write_text("timestamp,key_id,endpoint,status,event_id\n" + "\n".join(lines) + "\n")


TROUBLES = st.one_of(
    st.tuples(st.just("it_is_killed"), st.integers(0, 16)),
    st.tuples(st.just("the_export_stops"), st.integers(3, 30)),
    st.tuples(st.just("a_row_comes_late"), st.integers(1, 50)),
    st.tuples(st.just("rows_come_twice"), st.integers(1, 10)),
    st.tuples(st.just("the_clock_is_wrong"), st.integers(-40, 60)),
    st.tuples(st.just("the_mail_server_is_away"), st.just(0)),
    st.tuples(st.just("somebody_runs_it_by_hand"), st.just(0)),
    st.tuples(st.just("it_is_restarted"), st.just(0)),
)


class ThirtyDays(RuleBasedStateMachine):
    """A day passes, with trouble or without, and the scheduler works its way through."""

    def __init__(self) -> None:
        super().__init__()
        self._temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self._temporary.name)
        (self.folder / "config.yaml").write_text(
            "source: {kind: files, usage: usage.csv, columns: {event_id: event_id}}\nreport: {formats: [json]}\n"
            f"history: {{first_pull_days: {BEFORE}}}\nschedule: {{retry_minutes: 120}}\n"
        )
        self.config = load(self.folder / "config.yaml")
        self.export, self.mailbox = Export(self.folder), Mailbox()
        self.now = datetime.combine(FIRST, datetime.min.time(), UTC)
        self.day = FIRST - timedelta(days=BEFORE)
        self.offset, self.cut, self.late, self.twice = timedelta(0), None, [], 0
        self.points_left: int | None = None
        self.was_interim: set[str] = set()
        self.judged_on: dict[tuple[str, str], bytes] = {}
        self.seen: dict[Path, int] = {}
        self.contents: dict[str, str] = {}
        self._patch = pytest.MonkeyPatch()
        self._watch()
        while self.day < FIRST - timedelta(days=1):
            self._happen()
        self.service = self._start()
        self.a_day_passes([])

    @precondition(lambda self: self.day < FIRST + timedelta(days=DAYS))
    @rule(troubles=st.lists(TROUBLES, max_size=3))
    def a_day_passes(self, troubles: Sequence[tuple[str, int]]) -> None:
        """The day happens, its hour comes, and what the run leaves undone is tried again until the evening."""
        for trouble, size in troubles:
            getattr(self, trouble)(size)
        self._happen()
        hour_of_the_run = datetime.combine(self.day, datetime.min.time(), UTC) + 2.5 * HOUR
        self._at(hour_of_the_run)
        self._run(self.service.run)
        self.offset = timedelta(0)
        for _ in range(MOST_TRIES):
            again = self.scheduler.jobs.pop("retry", {}).get("run_date")
            if again is None or again >= hour_of_the_run + 20 * HOUR:
                break
            self._at(max(again, self.now))
            self._run(self.service.run)
        self._deliver_until_evening(hour_of_the_run)
        self.mailbox.was_away, self.mailbox.away = self.mailbox.away, False

    # What may go wrong.

    def it_is_killed(self, points: int) -> None:
        """After so many of the points at which something is about to be stored, or just was."""
        self.points_left = points

    def the_export_stops(self, hours: int) -> None:
        """From six in the evening on nothing is written, until all of it is, hours after midnight."""
        self.cut = hours

    def a_row_comes_late(self, hours: int) -> None:
        """By up to two days: as long as days take to settle."""
        self.late.append(hours)

    def rows_come_twice(self, count: int) -> None:
        """With the same event id."""
        self.twice += count

    def the_clock_is_wrong(self, hours: int) -> None:
        """At the hour of the run; later in the day it is right again."""
        self.offset = hours * HOUR

    def the_mail_server_is_away(self, _: int) -> None:
        """For a day, not for two: after a day a message is given up, and the next report says so."""
        self.mailbox.away = not self.mailbox.was_away

    def somebody_runs_it_by_hand(self, _: int) -> None:
        """For the day that ended last; the same is said, and nothing is sent twice."""
        self._run(lambda: nightly(self.config, now=self.now, day=self.day - timedelta(days=1)))

    def it_is_restarted(self, _: int) -> None:
        """Between two days, as with an upgrade."""
        self.service = self._start()

    def teardown(self) -> None:
        """Calm days follow until nothing is late any more; then all must be as if nothing had happened."""
        try:
            self.points_left = None
            while self.day < FIRST + timedelta(days=DAYS + 4):
                self.a_day_passes([])
            self._nothing_was_lost()
            self._nothing_was_told_twice()
            self._the_history_is_that_of_a_run_without_faults()
        finally:
            self._patch.undo()
            self._temporary.cleanup()

    def _nothing_was_lost(self) -> None:
        days = [FIRST + timedelta(days=number) for number in range(DAYS)]
        with closing(State.of(self.config)) as state:
            judged = days_judged(state)
        assert [day for day in days if not judged.get(day)] == []
        assert [day for day in days if not self.mailbox.tellings()[str(day)]] == []

    def _nothing_was_told_twice(self) -> None:
        """A day that was judged without its data is told again once they are there, and no other."""
        for day, times in self.mailbox.tellings().items():
            assert times <= 1 + (day in self.was_interim), day

    def _the_history_is_that_of_a_run_without_faults(self) -> None:
        troubled, calm, last = (
            self._history("var/history"),
            self._history("calm"),
            FIRST + timedelta(days=DAYS - 1),
        )
        job = Job.assemble(self.config, self.now)
        pull(self.config, job.source, calm, FIRST - timedelta(days=BEFORE), last, now=self.now)
        for day in calm.days():
            assert troubled.read(day).equals(calm.read(day)), day

    # How the world goes on.

    def _happen(self) -> None:
        """A day of requests, one an hour and key; what has gone wrong says when each row is written."""
        midnight = datetime.combine(self.day, datetime.min.time(), UTC)
        for hour in range(24):
            for place, key in enumerate(KEYS):
                at = midnight + hour * HOUR + place * timedelta(minutes=7)
                count = 40 if key == "api" and self.day.day % 9 == 0 else 1
                for number in range(count):
                    line = f"{at.isoformat()},{key},/x,200,{at.isoformat()}-{place}-{number}"
                    self._write(at, hour, line)
        self.day += timedelta(days=1)
        self.cut, self.late, self.twice = None, [], 0

    def _write(self, at: datetime, hour: int, line: str) -> None:
        written = at
        morning = datetime.combine(self.day + timedelta(days=1), datetime.min.time(), UTC)
        if self.cut is not None and hour >= 18:
            written = morning + self.cut * HOUR
        elif hour == 5 and self.late:
            written = morning + self.late.pop() * HOUR
        self.export.add(written, line)
        if hour == 7 and self.twice:
            self.twice -= 1
            self.export.add(written, line)

    def _at(self, instant: datetime) -> None:
        self.now = instant
        self.export.write(instant)

    def _deliver_until_evening(self, hour_of_the_run: datetime) -> None:
        for hours in (0.2, 3, 8):
            self._at(max(self.now, hour_of_the_run + hours * HOUR))
            self._run(self.service.deliver)

    def _start(self) -> Service:
        self.scheduler = FakeScheduler()
        return Service(lambda: self.config, self.scheduler, lambda: self.now + self.offset)  # type: ignore[arg-type]

    def _run(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Killed:
            self.points_left = None
            self.service = self._start()
        self._read_the_reports()

    def _read_the_reports(self) -> None:
        """Whatever is judged twice on the same data is judged the same."""
        with closing(State.of(self.config)) as state:
            self.was_interim |= {str(day) for day, complete in days_judged(state).items() if not complete}
            for path in sorted(self.folder.glob("var/reports/*/report.json")):
                if self.seen.get(path) == path.stat().st_mtime_ns:
                    continue
                self.seen[path] = path.stat().st_mtime_ns
                report = json.loads(path.read_text())
                facts = json.dumps({name: report[name] for name in report if name not in RUN}).encode()
                day = path.parent.name
                judged_on = self._data_until(date.fromisoformat(day), state)
                assert self.judged_on.setdefault((day, judged_on), facts) == facts

    def _data_until(self, day: date, state: State) -> str:
        """All that judging a day may depend on, as a checksum."""
        history = self._history("var/history")
        parts: list[Any] = [sorted(earlier_sightings(state, day).items())]
        parts += [self._content(history, stored) for stored in history.days() if stored <= day]
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def _content(self, history: History, day: date) -> str:
        """A stored day with its notes but for when it was pulled."""
        version = f"{day} {history.version(day)}"
        if version not in self.contents:
            notes = history.notes(day)
            facts = (history.read(day).to_csv(), notes.watermark, notes.faults, notes.revisions)
            self.contents[version] = repr(facts)
        return self.contents[version]

    def _history(self, name: str) -> History:
        return History(self.folder / name, self.config.zone)

    def _watch(self) -> None:
        """Pass a point wherever something is about to be stored, and wherever it just was."""
        for owner, name in (
            (runs, "begin"),
            (runs.Run, "reach"),
            (pipeline, "record_day"),
            (pipeline, "queue"),
            (runs.Run, "end"),
        ):
            self._patch.setattr(owner, name, self._mortal(getattr(owner, name)))
        self._patch.setattr(os, "replace", self._mortal(os.replace))

        def open_mailbox(config: object, edition: str = "") -> list[Mailbox]:
            self.mailbox.edition = edition
            return [self.mailbox]

        self._patch.setattr("detector.pipeline.open_channels", open_mailbox)
        self._patch.setattr("detector.operations.schedule.scheduler.open_channels", open_mailbox)

    def _mortal(self, action: Callable[..., Any]) -> Callable[..., Any]:
        def act(*arguments: Any, **options: Any) -> Any:
            self._pass_point()
            result = action(*arguments, **options)
            self._pass_point()
            return result

        return act

    def _pass_point(self) -> None:
        if self.points_left is not None:
            self.points_left -= 1
            if self.points_left < 0:
                self.points_left = None
                raise Killed


RUN = ("report_id", "generated_at", "run")

TestThirtyDays = ThirtyDays.TestCase
TestThirtyDays.settings = settings(max_examples=EXAMPLES, stateful_step_count=DAYS, deadline=None)
TestThirtyDays.pytestmark = [pytest.mark.timeout(1800)]

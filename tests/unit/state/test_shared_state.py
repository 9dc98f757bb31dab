"""One database for several owners is to each of them as a database of its own.

Random calls of every public function of the state, made by three owners on one database and on three, for sixty
days: after each call all that an owner reads is the same.
"""

from __future__ import annotations

import importlib
import inspect
import io
import pkgutil
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

import detector.state
from detector.model.errors import StateError
from detector.model.extent import Extent
from detector.model.owner import Owner
from detector.model.triage import TriageEntry
from detector.state import dump, integrity, outbox, pruning, runs, sightings, tokens, triage
from detector.state.database import State
from detector.state.ledger import StateLedger
from detector.state.messages import FAILED, SENT, WAITING, Message, Outgoing
from detector.usage.history import StoredDay
from tests.fakes import finding

OWNERS = (Owner("acme", "main"), Owner("globex", "main"), Owner("acme", "other"))
FIRST = date(2026, 1, 1)
DAYS = 60
Dump = tuple[list[str], dict[str, list[bytes]]]


def one_database() -> list[State]:
    """The states of all owners over one database in memory."""
    states = [State("sqlite://", owner) for owner in OWNERS]
    for state in states[1:]:
        state.close()
        state._engine = states[0]._engine
    return states


class Installation:
    """An owner with its state, and the calls that it makes. ``others`` share its database."""

    def __init__(self, state: State, others: list[State]) -> None:
        self.state = state
        self.others = others
        self.dumps: list[Dump] = []

    def judge(self, chance: random.Random, day: date) -> None:
        """Record a day, with messages or without."""
        found = [
            finding(day, finding_id=f"f{number}", key_id=f"k{number}", days=chance.randint(1, 9))
            for number in chance.sample(range(4), chance.randint(0, 4))
        ]
        failed = frozenset(chance.sample(["usage_spike", "error_surge"], chance.randint(0, 1)))
        extent = Extent(chance.random() < 0.8, failed)
        outgoing = chance.choice([None, self._outgoing(chance, day)])
        sightings.record_day(self.state, day, extent, found, outgoing, keys_judged=chance.choice([None, 5, 9]))

    def queue(self, chance: random.Random, day: date) -> None:
        """Queue messages, and say of some that failed that a report names them, own ones or not."""
        outbox.queue(self.state, [day], self._outgoing(chance, day))

    def settle(self, chance: random.Random, day: date) -> None:
        """Deliver, give up or put off a message, or try so with one of another owner."""
        rest = chance.choice([None, b"r"])
        change: Callable[[int], None] = chance.choice(
            [
                lambda number: outbox.mark_sent(self.state, number, at(day)),
                lambda number: outbox.mark_failed(self.state, number, at(day), "refused"),
                lambda number: outbox.postpone(self.state, number, at(day, 5), "later", rest),
            ]
        )
        numbers = [stored.id for stored in outbox.waiting(self.state)]
        if numbers:
            change(chance.choice(numbers))
        for number in self._foreign(lambda other: [stored.id for stored in outbox.waiting(other)]):
            change(number)

    def run(self, chance: random.Random, day: date) -> None:
        """Log a run, which may end or not."""
        with runs.only_run(self.state):
            run = runs.begin(self.state, day, at(day, chance.random()))
            for stage in list(runs.Stage)[: chance.randint(0, 5)]:
                run.reach(stage)
            if chance.random() < 0.7:
                run.end(chance.choice([0, 4]), "ended")

    def fail(self, chance: random.Random, day: date) -> None:
        """Log a run that stops by an error."""
        with pytest.raises(StateError), runs.logged_run(self.state, day, at(day, chance.random())):
            raise StateError(f"error {chance.randint(0, 9)}")

    def say(self, chance: random.Random, day: date) -> None:
        """Add a triage entry in the place of others, own ones or not."""
        entry = TriageEntry("mute", "key", f"k{chance.randint(0, 3)}", None, None, "alex", day, None, at(day))
        triage.add_entry(self.state, entry, self._entries(chance))

    def take_back(self, chance: random.Random, day: date) -> None:
        """End triage entries, own ones or not."""
        triage.end_entries(self.state, self._entries(chance), at(day))

    def admit(self, chance: random.Random, day: date) -> None:
        """Add a token that every database of an owner has at most once."""
        name = f"t{chance.randint(0, 2)}"
        known = len(tokens.all_tokens(self.state))
        organization = chance.choice([None, "acme"])
        tokens.add_token(self.state, tokens.ApiToken(name, organization, tokens.hash_of(str(known)), at(day)))

    def revoke(self, chance: random.Random, day: date) -> None:
        """Revoke the tokens of a name, which other owners use too."""
        tokens.revoke_tokens(self.state, f"t{chance.randint(0, 2)}", at(day))

    def note(self, chance: random.Random, day: date) -> None:
        """Note a stored day, or forget it."""
        ledger = StateLedger(self.state)
        if chance.random() < 0.3:
            ledger.forget(day)
        else:
            ledger.note(day, StoredDay(chance.choice("abc"), 3, chance.randint(1, 9)), chance.choice("abc"))

    def prune(self, chance: random.Random, day: date) -> None:
        """Delete what is old."""
        before = day - timedelta(days=chance.randint(5, 20))
        pruning.prune_state(self.state, before, at(before), pretend=chance.random() < 0.3)

    def back_up(self, chance: random.Random, day: date) -> None:
        """Keep a dump for later."""
        with dump.open_dump(self.state) as opened:
            tables = {}
            for name in opened.table_names:
                file = io.BytesIO()
                opened.write(name, file)
                tables[name] = file.getvalue().splitlines()
            self.dumps.append((opened.migrations, tables))

    def restore(self, chance: random.Random, day: date) -> None:
        """Go back to a dump."""
        if self.dumps:
            with dump.replaced(self.state, *chance.choice(self.dumps)):
                pass

    def view(self, day: date) -> dict[str, Any]:
        """All that the owner reads, without numbers that the database assigns."""
        state = self.state
        waiting = outbox.waiting(state)
        success = runs.last_success(state)
        return {
            "judged": sightings.days_judged(state),
            "keys": sightings.keys_judged_before(state, day, 5),
            "sightings": sightings.earlier_sightings(state, day),
            "waiting": [replace(stored, id=0) for stored in waiting],
            "due": [replace(stored, id=0) for stored in outbox.waiting(state, at(day))],
            "payloads": [outbox.payload(state, stored.id) for stored in waiting],
            "failed": [replace(stored, id=0) for stored in outbox.failed(state)],
            "unreported": [replace(stored, id=0) for stored in outbox.failed(state, unreported=True)],
            "counts": [outbox.count(state, status) for status in (WAITING, SENT, FAILED)],
            "last run": runs.last_run(state),
            "run of the day": runs.last_run(state, day),
            "at work": runs.is_at_work(state),
            "success": success and success.date(),
            "entries": [replace(entry, id=0) for entry in triage.triage_log(state)],
            "tokens": tokens.all_tokens(state),
            "ledger": StateLedger(state).noted(),
            "rows": dump.count_rows(state),
            "faults": integrity.faults(state),
        }

    def _outgoing(self, chance: random.Random, day: date) -> Outgoing:
        recipients = chance.sample(["a", "b", "c"], chance.randint(0, 3))
        messages = [
            Message(f"m{name}", day, "mail", name, "s", chance.choice([b"p", None]), chance.choice(["", "digest"]))
            for name in recipients
        ]
        reported = [stored.id for stored in outbox.failed(self.state)][: chance.randint(0, 2)]
        reported += self._foreign(lambda other: [stored.id for stored in outbox.failed(other)])
        return Outgoing(messages, at(day), chance.random() < 0.3, reported)

    def _entries(self, chance: random.Random) -> list[int]:
        own = [entry.id for entry in triage.triage_log(self.state)]
        chosen = chance.sample(own, min(len(own), chance.randint(0, 2)))
        return chosen + self._foreign(lambda other: [entry.id for entry in triage.triage_log(other)])

    def _foreign(self, numbers: Callable[[State], list[int]]) -> list[int]:
        return [number for other in self.others for number in numbers(other)[:2]]


CALLS = (
    Installation.judge,
    Installation.judge,
    Installation.queue,
    Installation.settle,
    Installation.run,
    Installation.fail,
    Installation.say,
    Installation.take_back,
    Installation.admit,
    Installation.revoke,
    Installation.note,
    Installation.note,
    Installation.prune,
    Installation.back_up,
    Installation.restore,
)
CALLED = {
    "dump": {"open_dump", "count_rows", "replaced"},
    "integrity": {"faults"},
    "ledger": {"StateLedger"},
    "outbox": {"queue", "waiting", "failed", "payload", "mark_sent", "mark_failed", "postpone", "count"},
    "pruning": {"prune_state"},
    "runs": {"Run", "only_run", "begin", "logged_run", "is_at_work", "last_run", "last_success"},
    "sightings": {"record_day", "earlier_sightings", "days_judged", "keys_judged_before"},
    "tokens": {"all_tokens", "add_token", "revoke_tokens"},
    "triage": {"triage_log", "add_entry", "end_entries"},
}
"""What works on a state, by module."""


def at(day: date, hours: float = 0) -> datetime:
    """An instant on a day, some hours after three."""
    return datetime.combine(day, time(3), UTC) + timedelta(hours=hours)


@pytest.mark.parametrize("seed", range(2))
def test_owners_on_one_database_are_as_on_their_own(seed: int) -> None:
    """Whatever each of them does on sixty days, with numbers of the others' rows too."""
    shared = one_database()
    together = [Installation(state, [other for other in shared if other is not state]) for state in shared]
    apart = [Installation(State("sqlite://", owner), []) for owner in OWNERS]
    order = random.Random(seed)
    for number in range(DAYS):
        day = FIRST + timedelta(days=number)
        for _ in range(3):
            owner = order.randrange(len(OWNERS))
            call = order.choice(CALLS)
            moment = order.random()
            call(together[owner], random.Random(moment), day)
            call(apart[owner], random.Random(moment), day)
        for one, other in zip(together, apart, strict=True):
            assert one.view(day) == other.view(day), (call.__name__, day)


def test_the_payload_of_another_owner_is_not_read() -> None:
    """Not by its number either."""
    first, second, _ = one_database()
    outbox.queue(first, [FIRST], Outgoing([Message("m", FIRST, "mail", "a", "s", b"secret")], at(FIRST)))
    (stored,) = outbox.waiting(first)
    assert outbox.payload(first, stored.id) == b"secret"
    with pytest.raises(StateError):
        outbox.payload(second, stored.id)


def test_every_function_on_a_state_is_among_the_calls() -> None:
    """A new one is to be called here too."""
    found: dict[str, set[str]] = {}
    for module in pkgutil.iter_modules(detector.state.__path__):
        loaded = importlib.import_module(f"detector.state.{module.name}")
        for name, item in vars(loaded).items():
            is_own = getattr(item, "__module__", "") == loaded.__name__ and not name.startswith("_")
            if is_own and callable(item) and "State" in inspect.signature(item).parameters.values().__repr__():
                found.setdefault(module.name, set()).add(name)
    assert found == CALLED

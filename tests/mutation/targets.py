"""The modules whose tests are tested, the quickest tests that cover them, and the mutants that may survive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.mutation.mutants import Mutant, generated, written


@dataclass(frozen=True)
class Target:
    """The tests of a module as arguments of pytest, faults given as text, and why each survivor may survive."""

    tests: Sequence[str]
    written: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """The text before and after, by the name of the fault. The text before must stand in the module once."""
    survivors: Mapping[str, str] = field(default_factory=dict)
    """The reason by the name of the mutant."""


NO_PAUSES = "tests switch the pauses off, and set the number of attempts"
KNOWN_AGAIN = "the history knows the same of a day that was just stored; to ask it only costs time"
FEW_ENTRIES = "it only saves time where no map has too many entries"
EQUAL_WEIGHTS = "equal weights split alike, whatever they are"

TARGETS: dict[str, Target] = {
    "detector/sources/pull.py": Target(
        tests=["tests/unit/sources/test_pull.py"],
        survivors={
            "pull: day + timedelta(days=1) -> day - timedelta(days=1)": KNOWN_AGAIN,
            "pull: 1 -> 2 in: expected = day + timedelta(days=1)": KNOWN_AGAIN,
            "_known_before: 0 -> 1 in: activity, _ = scope.own(source.activity_before(start).assign(request_count=0))": (
                "only the fault depends on the count, and it is not used"
            ),
            "_known_before: if known is None: -> pass": "pandas leaves out None where it joins frames",
        },
    ),
    "detector/sources/sql/statements.py": Target(
        tests=["tests/unit/sources/test_sql_reader.py", "tests/unit/sources/test_statements.py"],
        survivors={
            "UsageRows.instants: if self.times is None: -> pass": "requests always have instants; it is for the types",
            "latest_use: 1 -> 2 in: return select(rows.day, latest).where(usable).group_by(rows.day).order_by(rows.day.desc()).limit(1)": (
                "the reader takes the first row"
            ),
            "first_and_last: rows.requests > 0 -> rows.requests >= 0 #2": (
                "the reader drops a key without a day and an instant of use"
            ),
        },
    ),
    "detector/sources/sql/reader.py": Target(
        tests=["tests/unit/sources/test_sql_reader.py"],
        written={
            "a connection that cannot be had again is not retried": (
                "error.connection_invalidated or (self._answered and is_failed_connection)",
                "error.connection_invalidated",
            ),
        },
        survivors={
            "_attempts: 5 -> 6 in: return attempts(_is_worth_another_attempt, most=5, first_pause=1, longest_pause=30)": NO_PAUSES,
            "_attempts: 1 -> 2 in: return attempts(_is_worth_another_attempt, most=5, first_pause=1, longest_pause=30)": NO_PAUSES,
            "_attempts: 30 -> 31 in: return attempts(_is_worth_another_attempt, most=5, first_pause=1, longest_pause=30)": NO_PAUSES,
            "SqlReader._clients: if not usage.has_clients: -> pass": (
                "it only saves a statement: a client that is not there is not counted"
            ),
            "SqlReader.activity_before: if self._events: -> pass": "events have no days of a rollup, so both functions agree",
            "_date: 10 -> 11 in: return date.fromisoformat(value[:10]) if isinstance(value, str) else value": (
                "the days of SQLite have ten characters"
            ),
            '_groups: 0 -> 1 in: usable = frame[frame["problem"].isna() & (frame["request_count"].fillna(0) > 0)]': (
                "a row without a count has a problem"
            ),
        },
    ),
    "detector/usage/aggregation.py": Target(
        tests=["tests/unit/usage/test_aggregation.py", "tests/unit/usage/test_strangers.py"],
        survivors={
            "known_after: silence > records['longest_silence'] -> silence >= records['longest_silence']": (
                "of two equal silences either is the longest"
            ),
            "limit_map: if not len(maps) or np.diff(maps.offsets.to_numpy()).max() <= most: -> pass": FEW_ENTRIES,
            "limit_map: np.diff(maps.offsets.to_numpy()).max() <= most -> np.diff(maps.offsets.to_numpy()).max() < most": FEW_ENTRIES,
        },
    ),
    "detector/chargeback/statement.py": Target(
        tests=["tests/unit/chargeback/test_statement.py"],
        survivors={
            "Month.before: 1 -> 2 in: return Month.of(self.first - timedelta(days=1))": (
                "two days before the first of a month lie in the same month as one day"
            ),
            "_split: 1 -> 2 in: member_weights = [1] * len(members)": EQUAL_WEIGHTS,
            "_team_shares: 1 -> 2 in: shares = dict.fromkeys(positions, 1)": EQUAL_WEIGHTS,
            "_team_shares: 1 -> 2 in: return shares or dict.fromkeys(positions, 1) or {NO_TEAM: 1}": EQUAL_WEIGHTS,
            "_team_shares: 1 -> 2 in: return shares or dict.fromkeys(positions, 1) or {NO_TEAM: 1} #2": (
                EQUAL_WEIGHTS
            ),
            "measure: records['request_count'] > 0 -> records['request_count'] >= 0": (
                "a key without requests has no endpoints, so it adds no row"
            ),
        },
    ),
    "detector/chargeback/apportionment.py": Target(
        tests=["tests/unit/chargeback/test_apportionment.py"],
        survivors={
            "nearest: numerator < 0 -> numerator <= 0": "minus zero is zero",
            "nearest: 0 -> 1 in: return -magnitude if numerator < 0 else magnitude": "minus zero is zero",
            "round_in_groups: 0 -> 1 in: parts = [0] * len(numerators)": "every part is overwritten",
        },
    ),
    "detector/state/outbox.py": Target(tests=["tests/unit/state/test_outbox.py"]),
    "detector/delivery/outbox.py": Target(
        tests=["tests/unit/delivery/test_outbox.py"],
        written={
            "three failures in all": (
                "in_a_row[name] = 0 if failure is None else in_a_row[name] + 1",
                "in_a_row[name] += failure is not None",
            ),
            "a channel is never left alone": ("GIVE_UP_AFTER = 3", "GIVE_UP_AFTER = 99"),
            "a message is tried for ever": ("MOST_ATTEMPTS = 14", "MOST_ATTEMPTS = 99"),
        },
        survivors={
            "Outbox._put_off: 0 -> 1 in: pause = timedelta(seconds=error.retry_after or 0)": (
                "every pause of our own is longer than a second"
            ),
        },
    ),
    "detector/state/locks.py": Target(
        tests=["tests/unit/state/test_locks.py"],
        written={
            "a state folder that cannot be written reads as another run": (
                "if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:",
                "if False:",
            ),
        },
        survivors={
            "Lock.confirm: 1 -> 2 in: self.connection.execute(select(1))": "any statement shows whether it is there",
        },
    ),
    "detector/state/ledger.py": Target(tests=["tests/unit/state/test_ledger.py"]),
    "detector/judging/verdict.py": Target(tests=["tests/unit/judging/test_verdict.py"]),
    "detector/judging/shortfalls.py": Target(
        tests=["tests/unit/judging/test_shortfalls.py"],
        survivors={"_fewer: lacking > 0 -> lacking >= 0": "it only saves time where no key is lacking"},
    ),
    "detector/judging/fleet.py": Target(tests=["tests/unit/judging/test_fleet.py"]),
    "detector/judging/key_group.py": Target(tests=["tests/unit/judging/test_key_group.py"]),
    "detector/judging/completeness.py": Target(
        tests=["tests/unit/judging/test_completeness.py", "tests/unit/judging/test_unseen.py"]
    ),
}
"""The targets by the path of their module."""


def mutants_of(name: str, source: str) -> list[Mutant]:
    """Every mutant of a module: the faults given as text, then the generated ones."""
    given = [written(source, fault, old, new) for fault, (old, new) in TARGETS[name].written.items()]
    return given + generated(source)

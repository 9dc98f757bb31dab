"""A state from before rows had an owner belongs to the installation that opens it first."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, MetaData, Table, create_engine, inspect
from sqlalchemy.pool import NullPool

from detector.model.finding import finding_id
from detector.model.owner import Owner
from detector.model.triage import TriageEntry
from detector.state import outbox
from detector.state.database import State
from detector.state.ledger import StateLedger
from detector.state.messages import WAITING, Message, Outgoing
from detector.state.migrations import MIGRATIONS
from detector.state.runs import begin, last_run
from detector.state.sightings import days_judged, earlier_sightings, keys_judged_before, record_day
from detector.state.tables import TABLES, metadata
from detector.state.tokens import all_tokens
from detector.state.triage import add_entry, triage_log
from detector.state.upgrade import prepare
from tests.fakes import WHOLE, finding

ACME = Owner("acme", "main")
GLOBEX = Owner("globex", "main")
NOW = datetime(2026, 3, 13, 2, 30, tzinfo=UTC)
FIRST = date(2026, 3, 10)
SECOND = date(2026, 3, 11)
THIRD = date(2026, 3, 12)


@pytest.fixture
def older(state_url: str) -> Iterator[Connection]:
    """A connection to a database as the version before owners left it."""
    engine = create_engine(state_url, poolclass=NullPool)
    if engine.dialect.name == "sqlite":
        Path(str(engine.url.database)).parent.mkdir()
    with engine.connect() as connection:
        prepare(connection, [name for name in MIGRATIONS if name < "0010"], ACME)
        connection.commit()
        yield connection


def put(connection: Connection, name: str, *rows: dict[str, object]) -> None:
    """Insert rows into a table as it was then."""
    table = Table(f"detector_{name}", MetaData(), autoload_with=connection)
    connection.execute(table.insert(), list(rows))
    connection.commit()


def seen(owner: Owner, day: date, key: str) -> dict[str, object]:
    """A sighting of a usage spike."""
    identity = finding_id("usage_spike", owner.source, key, owner.organization)
    life = {"episode": 1, "first_seen": day, "days": 1, "severity": "high", "score": 9.5}
    return {
        "day": day,
        "finding_id": identity,
        "type": "usage_spike",
        "title": "Usage spike",
        "key_id": key,
        **life,
    }


def fill(connection: Connection) -> None:
    """A row in each table, all of acme or of nobody that can be known."""
    put(connection, "runs", {"run_id": "r1", "day": SECOND, "started_at": NOW, "finished_at": NOW, "exit_code": 0})
    put(connection, "run_stages", {"run_id": "r1", "stage": "recorded", "reached_at": NOW})
    put(connection, "judged_days", *({"day": day, "complete": True, "keys_judged": 5} for day in (FIRST, SECOND)))
    put(connection, "unjudged_types", {"day": SECOND, "type": "error_surge"})
    put(connection, "sightings", seen(ACME, FIRST, "svc-1"), seen(ACME, SECOND, "svc-1"))
    said = {"action": "mute", "target_kind": "key", "target": "svc-1", "by": "alex", "from_day": FIRST}
    put(connection, "triage", said | {"created_at": NOW}, said | {"created_at": NOW, "target": "svc-2"})
    put(connection, "api_tokens", {"hash": "0" * 64, "name": "siem", "organization": "acme", "created_at": NOW})
    put(connection, "stored_days", {"day": SECOND, "checksum": "c", "keys": 5, "requests": 500})
    message = {"message_id": "m1", "day": SECOND, "channel": "mail", "recipient": "a", "part": "", "subject": "s"}
    times = {"created_at": NOW, "next_attempt_at": NOW}
    put(connection, "outbox", message | times | {"payload": b"p", "status": WAITING, "attempts": 0, "told": False})


def test_everything_belongs_to_who_opens_it_first(older: Connection, state_url: str) -> None:
    """Rows of every table, and numbers go on behind the stored ones."""
    fill(older)
    state = State(state_url, ACME)
    assert days_judged(state) == {FIRST: True, SECOND: True}
    assert keys_judged_before(state, THIRD) == [(FIRST, 5), (SECOND, 5)]
    assert [(item.key_id, item.open) for item in earlier_sightings(state, THIRD).values()] == [("svc-1", True)]
    last = last_run(state)
    assert last is not None
    assert (last.day, last.started_at, last.stage) == (SECOND, NOW, "recorded")
    assert [token.organization for token in all_tokens(state)] == ["acme"]
    assert list(StateLedger(state).noted()) == [SECOND]
    (waiting,) = outbox.waiting(state)
    assert outbox.payload(state, waiting.id) == b"p"
    entry = TriageEntry("mute", "key", "svc-3", None, None, "alex", FIRST, None, NOW)
    assert add_entry(state, entry).id == 3
    assert [item.target for item in triage_log(state)] == ["svc-1", "svc-2", "svc-3"]
    outbox.queue(state, [THIRD], Outgoing([Message("m2", THIRD, "mail", "a", "s", b"p")], NOW))
    assert outbox.count(state, WAITING) == 2


def test_whoever_comes_second_finds_nothing_and_begins(older: Connection, state_url: str) -> None:
    """It stores the same days without disturbing the first."""
    fill(older)
    acme = State(state_url, ACME)
    globex = State(state_url, GLOBEX)
    assert (days_judged(globex), earlier_sightings(globex, THIRD), triage_log(globex)) == ({}, {}, [])
    assert (last_run(globex), all_tokens(globex), StateLedger(globex).noted()) == (None, [], {})
    begin(globex, SECOND, NOW)
    record_day(globex, SECOND, WHOLE, [finding(SECOND)])
    assert days_judged(globex) == {SECOND: True}
    assert days_judged(acme) == {FIRST: True, SECOND: True}
    assert [item.key_id for item in earlier_sightings(acme, THIRD).values()] == ["svc-1"]


def test_sightings_of_strangers_do_not_become_own(
    older: Connection, state_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor a day that was judged for them, nor checksums, which may be those of their files; a warning says so."""
    fill(older)
    put(older, "sightings", seen(GLOBEX, SECOND, "gx-1"), seen(GLOBEX, THIRD, "gx-1"))
    put(older, "judged_days", {"day": THIRD, "complete": True})
    put(older, "unjudged_types", {"day": THIRD, "type": "error_surge"})
    with caplog.at_level(logging.WARNING):
        state = State(state_url, ACME)
    assert "2 findings of days belong to others" in caplog.text
    assert [item.key_id for item in earlier_sightings(state, date.max).values()] == ["svc-1"]
    assert days_judged(state) == {FIRST: True, SECOND: True}
    assert StateLedger(state).noted() == {}
    with state.reading() as rows:
        unjudged = rows.execute(rows.query(TABLES["detector_unjudged_types"])).all()
    assert unjudged == [(SECOND, "error_surge")]
    assert earlier_sightings(State(state_url, GLOBEX), date.max) == {}


def test_a_state_of_one_owner_is_upgraded_without_a_word(
    older: Connection, state_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing was lost."""
    fill(older)
    State(state_url, ACME)
    assert caplog.records == []


def test_the_migrated_tables_are_those_that_statements_are_written_for(
    state_url: str,
) -> None:
    """Columns, keys and indexes, and nothing else is left in the database."""
    State(state_url, ACME)
    migrated = create_engine(state_url, poolclass=NullPool)
    found = schema(migrated)
    with migrated.begin() as connection:
        for name in TABLES:
            Table(name, MetaData()).drop(connection)
        metadata.create_all(connection)
    assert found == schema(migrated)


def schema(engine: Engine) -> dict[str, object]:
    """What a database says about each of its tables."""
    looked = inspect(engine)
    return {
        name: {
            "columns": [
                (column["name"], str(column["type"]), column["nullable"]) for column in looked.get_columns(name)
            ],
            "key": looked.get_pk_constraint(name)["constrained_columns"],
            "unique": sorted(str(unique["column_names"]) for unique in looked.get_unique_constraints(name)),
            "indexes": sorted(str(index["column_names"]) for index in looked.get_indexes(name)),
        }
        for name in looked.get_table_names()
    }

"""The state as lines of JSON, and back."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime

import pytest

from detector.model.errors import BackupError
from detector.state.database import State
from detector.state.dump import count_rows, open_dump, replaced
from detector.state.migrations import MIGRATIONS
from detector.state.runs import begin, last_run
from detector.state.sightings import days_judged, record_day
from tests.fakes import OWNER, WHOLE

DAY = date(2026, 3, 17)
NOW = datetime(2026, 3, 18, 2, 30, tzinfo=UTC)


def filled() -> State:
    """A state with a run and an evaluated day."""
    state = State("sqlite://", OWNER)
    begin(state, DAY, NOW)
    record_day(state, DAY, WHOLE, [])
    return state


def dumped(state: State) -> dict[str, list[bytes]]:
    """The lines of every table, by its name."""
    tables = {}
    with open_dump(state) as dump:
        for name in dump.table_names:
            file = io.BytesIO()
            dump.write(name, file)
            tables[name] = file.getvalue().splitlines()
    return tables


def test_a_dump_has_every_table_and_the_migrations_that_made_it() -> None:
    """One line of JSON a row, with instants in UTC."""
    state = filled()
    with open_dump(state) as dump:
        assert dump.migrations == list(MIGRATIONS)
    (line,) = dumped(state)["detector_runs"]
    assert json.loads(line)["started_at"] == "2026-03-18T02:30:00Z"
    assert count_rows(state) == 2


def test_a_dump_takes_the_place_of_what_is_there() -> None:
    """In another state too."""
    tables = dumped(filled())
    other = State("sqlite://", OWNER)
    record_day(other, date(2025, 1, 1), WHOLE, [])
    with replaced(other, list(MIGRATIONS), tables):
        pass
    assert days_judged(other) == {DAY: True}
    last = last_run(other)
    assert last is not None
    assert last.started_at == NOW


def test_where_the_block_fails_everything_is_as_it_was() -> None:
    """The files that belong to the state could not be put in place."""
    other = State("sqlite://", OWNER)
    record_day(other, date(2025, 1, 1), WHOLE, [])
    with pytest.raises(OSError, match="full"), replaced(other, list(MIGRATIONS), dumped(filled())):
        raise OSError("the disk is full")
    assert days_judged(other) == {date(2025, 1, 1): True}


def test_a_line_that_is_no_row_is_named() -> None:
    """With its table and its number."""
    tables = {"detector_judged_days": [b'{"day": "2026-03-17", "complete": true}', b"{"]}
    with (
        pytest.raises(BackupError, match=r"detector_judged_days\.ndjson, line 2"),
        replaced(State("sqlite://", OWNER), list(MIGRATIONS), tables),
    ):
        pass

"""Raw groups of any engine become the groups of a day, and every record of them is accounted for."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from detector.model.day import Day
from detector.model.errors import SourceError
from detector.sources import faults
from detector.sources.faults import sample
from detector.sources.reading import Reading, each, each_text, problems, read_groups, read_register
from detector.sources.values import ValueRules

DAY = Day(date(2026, 1, 2), ZoneInfo("UTC"))
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def reading(rows: list[dict[str, Any]], deployment: str | None = None, **rules: Any) -> Reading:
    """The reading of raw groups of one record each, at noon, unless a row says otherwise."""
    raw = pd.DataFrame([{"lines": 1, "last_used": NOON, **row} for row in rows])
    return read_groups(raw, ValueRules(DAY.timezone, **rules), DAY, deployment, sample)


def usage(found: Reading) -> dict[str, tuple[int, int]]:
    """Requests and errors by key."""
    totals = found.groups.groupby("key_id")[["request_count", "error_count"]].sum()
    return {str(key): (int(row.request_count), int(row.error_count)) for key, row in totals.iterrows()}


def observed(found: Reading) -> dict[str, tuple[str, int]]:
    """Kind and number of records by reason."""
    totals: dict[str, tuple[str, int]] = {}
    for one in found.observations:
        _, before = totals.get(one.reason, (one.kind, 0))
        totals[one.reason] = (one.kind, before + one.count)
    return totals


def test_one_key_is_one_key_however_it_is_written() -> None:
    """Padding and the case of a UUID make no other key; letters of other keys do."""
    uuid = "0B0AC6B1-5E5B-4D5C-8A6F-0123456789AB"
    found = reading([{"key_id": key} for key in ("a", " a ", "A", uuid, uuid.lower())])
    assert usage(found) == {"a": (2, 0), "A": (1, 0), uuid.lower(): (2, 0)}
    assert found.counted == 5


def test_records_without_a_key_are_keyless() -> None:
    """Also those with a word of the house for no key, and whatever else is wrong with them."""
    rows = [{"key_id": key, "status": "odd", "note": "two keys"} for key in (None, "-", "NULL", "anonymous")]
    found = reading(rows, no_key=frozenset({"anonymous"}))
    assert usage(found) == {}
    assert found.counted == 0
    assert observed(found) == {faults.NO_KEY: ("keyless", 4)}


def test_a_status_that_is_not_known_to_be_a_success_is_an_error() -> None:
    """It is a note of the day; a plain code is read by the engine, which says only whether it failed."""
    rows = [
        {"key_id": "plain", "failed": False},
        {"key_id": "failed", "failed": True, "lines": 3},
        {"key_id": "text", "status": "404 "},
        {"key_id": "word", "status": "VALID"},
        {"key_id": "odd", "status": "odd", "lines": 2},
    ]
    found = reading(rows, success=frozenset({"valid"}))
    assert usage(found) == {"plain": (1, 0), "failed": (3, 3), "text": (1, 1), "word": (1, 0), "odd": (2, 2)}
    assert observed(found) == {faults.BAD_STATUS: ("note", 2)}


def test_an_error_text_makes_a_success_an_error() -> None:
    """Empty containers and words of success are no errors."""
    rows = [{"key_id": "a", "failed": False, "error": text} for text in ("timeout", "{}", "OK", None)]
    assert usage(reading(rows)) == {"a": (4, 1)}


def test_repeats_count_neither_as_requests_nor_as_errors() -> None:
    """They are told apart; repeats of records without a key are only keyless."""
    rows = [
        {"key_id": "a", "lines": 5, "repeats": 2, "failed": True},
        {"key_id": None, "lines": 4, "repeats": 3},
    ]
    found = reading(rows)
    assert usage(found) == {"a": (3, 3)}
    assert found.counted == 3
    assert observed(found) == {faults.NO_KEY: ("keyless", 4), faults.REPEATED: ("repeated", 2)}


def test_a_note_tells_of_records_that_count() -> None:
    """Each note is told apart."""
    rows = [{"key_id": "a", "note": "two keys", "lines": 2}, {"key_id": "a", "note": None}]
    found = reading(rows)
    assert found.counted == 3
    assert observed(found) == {"two keys": ("note", 2)}


def test_texts_that_were_not_read_are_problems_with_their_size() -> None:
    """They are in no group."""
    rows = [
        {"key_id": "a"},
        {"key_id": None, "problem": "broken", "detail": "{", "bytes": 900, "lines": 2, "origin": "e.jsonl"},
    ]
    found = reading(rows)
    assert found.counted == 1
    (one,) = found.observations
    assert (one.reason, one.count, one.bytes, one.kind) == ("broken", 2, 900, "unusable")
    assert one.sample == "e.jsonl: {"
    assert one.day == DAY.date


def test_a_problem_without_a_text_shows_where_it_is() -> None:
    """Of a place that is not known either, nothing is shown."""
    raw = pd.DataFrame({"problem": ["file"] * 2, "lines": 1, "detail": None, "origin": ["a.json", None]})
    assert [one.sample for one in problems(raw, None, sample)] == ["a.json", None]
    assert list(problems(raw.head(0), None, sample)) == []


@pytest.mark.parametrize(
    ("row", "requests", "errors", "reason"),
    [
        ({"request_count": "12.0", "error_count": "2"}, 12, 2, None),
        ({"request_count": "1,200", "error_count": None}, 1200, 0, None),
        ({"request_count": "5", "error_count": "many"}, 5, 0, faults.BAD_ERRORS),
        ({"request_count": "5", "error_count": "7"}, 5, 5, faults.TOO_MANY_ERRORS),
        ({"request_count": "5", "last_activity": "soon"}, 5, 0, faults.BAD_ACTIVITY),
        ({"request_count": "-1", "error_count": "many"}, 0, 0, faults.BAD_REQUESTS),
        ({"last_activity": "2026-01-02T10:00:00Z"}, 1, 0, None),
        ({"error_count": "1"}, 1, 1, None),
    ],
)
def test_daily_counts(row: dict[str, str], requests: int, errors: int, reason: str | None) -> None:
    """A row without a column of requests counts as one; a wrong count of requests makes the row unusable."""
    found = reading([{"key_id": "a", "last_used": None, **row}])
    assert usage(found) == ({"a": (requests, errors)} if requests else {})
    kind = "unusable" if reason == faults.BAD_REQUESTS else "note"
    assert observed(found) == ({reason: (kind, 1)} if reason else {})
    assert found.counted == (0 if reason == faults.BAD_REQUESTS else 1)


def test_a_daily_row_of_zero_requests_counts_as_a_record_and_is_no_usage() -> None:
    """Many rollups have a row for every key."""
    found = reading([{"key_id": "a", "request_count": "0", "last_used": None}])
    assert found.counted == 1
    assert found.groups.empty


def test_many_large_daily_counts_do_not_wrap() -> None:
    """Rows that are alike are multiplied; a product beyond 64 bits is an error."""
    row = {"key_id": "a", "request_count": str(10**12)}
    assert usage(reading([{**row, "lines": 9_000_000}])) == {"a": (9 * 10**18, 0)}
    with pytest.raises(SourceError, match="more than 64 bits"):
        reading([{**row, "lines": 9_300_000}])


def test_the_last_use_of_a_daily_row_lies_within_its_day() -> None:
    """A later activity is that of the time when the rollup was written."""
    rows = [{"key_id": "a", "request_count": "1", "last_activity": "2026-01-05T10:00:00Z"}]
    (used,) = reading(rows).groups["last_used"]
    assert used == datetime(2026, 1, 2, 23, 59, 59, 999999, tzinfo=UTC)


def test_a_deployment_is_that_of_the_source_where_a_record_names_none() -> None:
    """Both are compared in the same form."""
    found = reading([{"key_id": "a", "deployment": name} for name in (None, "EU.example.com:443")], "Production")
    assert found.groups["deployment"].tolist() == ["production", "eu.example.com"]


def test_samples_show_the_first_texts_in_order() -> None:
    """At most three, so that a day that is pulled again has the same samples."""
    rows = [{"key_id": "a", "status": f"odd{number}"} for number in (4, 2, 3, 1)]
    shown = [one.sample for one in reading(rows).observations]
    assert shown == [f"2026-01-02: status odd{number}, key a" for number in (1, 2, 3)]


def test_each_text_is_changed_once() -> None:
    """A missing one is changed too."""
    asked: list[str | None] = []

    def change(text: str | None) -> str | None:
        asked.append(text)
        return None if text is None else text.upper()

    values = pd.Series(["a", None, "b", "a"])
    assert each_text(values, change).fillna("-").tolist() == ["A", "-", "B", "A"]
    assert each(values, change).tolist() == ["A", None, "B", "A"]
    assert asked == ["a", "b", None] * 2


def test_a_register_is_read_by_the_same_rules() -> None:
    """An infinite time means that something never happens; a time that cannot be read is left to be counted."""
    raw = pd.DataFrame(
        {
            "key_id": ["  a ", "-"],
            "name": ["shop\0", "null"],
            "created_at": ["1767348000", "-infinity"],
            "revoked_at": ["infinity", "soon"],
        }
    )
    found = read_register(raw, ValueRules(DAY.timezone))
    assert found.astype(object).where(found.notna(), None).to_dict("records") == [
        {"key_id": "a", "name": "shop\ufffd", "created_at": "2026-01-02T10:00:00+00:00", "revoked_at": None},
        {"key_id": None, "name": None, "created_at": None, "revoked_at": "soon"},
    ]

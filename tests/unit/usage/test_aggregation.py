"""The by-key aggregation: its laws, the register, the records of a day, and the answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.model.day import Day
from detector.model.errors import SourceError
from detector.model.usage import GROUP_COLUMNS, KNOWN, MEASURED, RECORD_COLUMNS, REGISTER, TEXT
from detector.usage.aggregation import (
    NO_ENDPOINT,
    OTHER,
    by_key,
    by_key_answer,
    clean_register,
    complete_day,
    conform,
    empty,
    explode,
    known_after,
    limit_map,
    map_of,
    merge,
    period_records,
)

START = datetime(2026, 1, 2, tzinfo=UTC)
DAY = Day(date(2026, 1, 2), ZoneInfo("UTC"))
KNOWN_COLUMNS = {"key_id": TEXT, **KNOWN}

Group = tuple[str, str | None, str | None, int, int, datetime]

quick = settings(max_examples=40, deadline=None, derandomize=True)

group = st.tuples(
    st.sampled_from(["a", "b", "ключ"]),
    st.sampled_from([None, "/users/1", "/users/2?x", "/x", "s3:Get"]),
    st.sampled_from([None, "production", "staging"]),
    st.integers(1, 50),
    st.integers(0, 3),
    st.integers(0, 86_399).map(lambda seconds: START + timedelta(seconds=seconds)),
)
groups = st.lists(group, max_size=15)


def frame_of(rows: Sequence[Group]) -> pd.DataFrame:
    """The groups as a frame, as an engine returns them."""
    return conform(pd.DataFrame(rows, columns=list(GROUP_COLUMNS), dtype="object"), GROUP_COLUMNS)


def records_of(*rows: Group) -> pd.DataFrame:
    """The records of these groups."""
    return by_key(frame_of(rows))


def used(key: str, requests: int, at: datetime = START + timedelta(hours=9), endpoint: str = "/x") -> Group:
    """A group of requests without errors."""
    return (key, endpoint, "production", requests, 0, at)


def register_of(*rows: dict[str, Any]) -> pd.DataFrame:
    """A clean register."""
    return clean_register(pd.DataFrame(rows))[0]


def known_of(*rows: tuple[str, date | None, datetime | None, int]) -> pd.DataFrame:
    """The known facts of keys before a day, which no register held."""
    columns = [name for name in KNOWN_COLUMNS if name != "last_registered"]
    return conform(pd.DataFrame(rows, columns=columns, dtype="object"), KNOWN_COLUMNS)


def plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Records as plain values; a missing value is None."""
    return [{name: _value(value) for name, value in row.items()} for row in frame.to_dict("records")]


def _value(value: Any) -> Any:
    if isinstance(value, list):
        return map_of(value)
    return None if pd.isna(value) else value


@quick
@given(groups, groups)
def test_the_whole_is_the_merge_of_its_parts(left: list[Group], right: list[Group]) -> None:
    """by_key(a + b) == merge(by_key(a), by_key(b)) holds, also for empty parts."""
    whole = by_key(frame_of([*left, *right]))
    assert plain(whole) == plain(merge([by_key(frame_of(left)), by_key(frame_of(right))]))


@quick
@given(groups)
def test_order_of_the_groups_does_not_matter(rows: list[Group]) -> None:
    """Reversed rows give the same records."""
    assert plain(by_key(frame_of(rows))) == plain(by_key(frame_of(rows[::-1])))


@quick
@given(groups)
def test_endpoints_add_up_to_the_requests(rows: list[Group]) -> None:
    """Requests without an endpoint count as unknown; deployments hold only requests with a known deployment."""
    for record in plain(by_key(frame_of(rows))):
        own = [row for row in rows if row[0] == record["key_id"]]
        requests = sum(row[3] for row in own)
        assert sum(record["endpoint_distribution"].values()) == record["request_count"] == requests
        assert sum(record["deployments"].values()) == sum(row[3] for row in own if row[2])
        assert record["last_used"] == max(row[5] for row in own)


def test_records_have_the_types_every_consumer_relies_on() -> None:
    """The types are the same without groups and without deployments."""
    assert by_key(empty(GROUP_COLUMNS)).dtypes.to_dict() == MEASURED
    assert records_of(("a", None, None, 1, 0, START)).dtypes.to_dict() == MEASURED
    assert merge([]).dtypes.to_dict() == MEASURED


def test_clients_join_their_keys() -> None:
    """A key without known clients has no count, and a merge takes the largest count."""
    clients = pd.DataFrame({"key_id": ["b"], "client_count": [7]})
    records = by_key(frame_of([used("a", 1), used("b", 1)]), clients)
    assert [row["client_count"] for row in plain(records)] == [None, 7]
    assert [row["client_count"] for row in plain(merge([records, records]))] == [None, 7]


def test_endpoints_are_folded_and_a_query_alone_is_no_endpoint() -> None:
    """Two users share an endpoint; a request of nothing but a query counts as unknown."""
    records = records_of(
        used("a", 1, endpoint="/u/8731"), used("a", 2, endpoint="/u/9?x=1"), used("a", 4, endpoint="?x")
    )
    (record,) = plain(records)
    assert record["endpoint_distribution"] == {"/u/{id}": 3, NO_ENDPOINT: 4}


@quick
@given(groups, st.integers(1, 3))
def test_limiting_endpoints_keeps_the_largest_and_the_sum(rows: list[Group], most: int) -> None:
    """Requests beyond the limit count as other; all other fields stay."""
    records = by_key(frame_of(rows))
    for before, after in zip(
        plain(records), plain(limit_map(records, "endpoint_distribution", most)), strict=True
    ):
        largest = dict(list(before.pop("endpoint_distribution").items())[:most])
        limited = after.pop("endpoint_distribution")
        other = limited.pop(OTHER, 0)
        assert limited == largest
        assert sum(largest.values()) + other == before["request_count"]
        assert before == after


def test_exploding_a_map_and_collecting_it_is_the_same_map() -> None:
    """This holds for a slice of the records, whose maps start in the middle of the array."""
    records = records_of(used("a", 1), used("b", 2, endpoint="/y"), used("c", 3), used("c", 4, endpoint="/z"))
    rows = explode(records.iloc[1:], "endpoint_distribution")
    assert rows.to_numpy().tolist() == [["b", "/y", 2], ["c", "/x", 3], ["c", "/z", 4]]


def test_a_register_is_cleaned_and_its_faults_are_counted() -> None:
    """Rows without a key and repeated rows are left out; invalid environments and times become unknown."""
    raw = pd.DataFrame(
        {
            "key_id": ["a", "b", "", "a", "c", None],
            "environment": [" LIVE ", "prod", "live", "test", "", None],
            "created_at": ["2026-01-01", "soon", "", None, "2026-01-01T12:00:00+02:00", None],
            "unrelated": 1,
        }
    )
    register, faults = clean_register(raw)
    assert register.dtypes.to_dict() == REGISTER
    assert register["key_id"].tolist() == ["a", "b", "c"]
    assert register["environment"].tolist() == ["live", "unknown", "unknown"]
    assert [row["created_at"] for row in plain(register)] == [
        pd.Timestamp("2026-01-01", tz="UTC"),
        None,
        pd.Timestamp("2026-01-01T10:00", tz="UTC"),
    ]
    assert {fault.reason: fault.count for fault in faults} == {
        "register: created_at is not a time": 1,
        "register: environment is neither live nor test": 1,
        "register: row without a key id": 2,
        "register: key listed twice: the row that is not revoked counts, then the one created last": 1,
    }
    assert not any(fault.dated for fault in faults)


@settings(max_examples=50)
@given(
    rows=st.permutations(
        [
            ("a", "old", "2025-01-01", "2025-06-01"),
            ("a", "new", "2025-06-01", None),
            ("a", "newer, but revoked", "2025-07-01", "2025-08-01"),
            ("b", "second name", "2025-01-01", None),
            ("b", "first name", "2025-01-01", None),
            ("c", "undated", None, None),
            ("c", "dated", "2025-01-01", None),
        ]
    )
)
def test_the_order_of_a_register_decides_nothing(rows: list[tuple[Any, ...]]) -> None:
    """One row of a key counts: not revoked, then created last, then the first by its text."""
    names = ["key_id", "name", "created_at", "revoked_at"]
    register, faults = clean_register(pd.DataFrame(rows, columns=names))
    assert dict(zip(register["key_id"], register["name"], strict=True)) == {
        "a": "new",
        "b": "first name",
        "c": "dated",
    }
    assert [(fault.count, fault.samples) for fault in faults] == [(4, ("a", "a", "b"))]


def test_an_empty_register_is_a_register() -> None:
    """A file with only a header has no keys and no faults."""
    register, faults = clean_register(pd.DataFrame({"key_id": []}))
    assert register.dtypes.to_dict() == REGISTER
    assert (len(register), faults) == (0, ())


def test_a_day_holds_the_keys_that_are_known_or_used() -> None:
    """The day has registered, used and once registered keys by key id; a silent key has zeros and its last use."""
    before = datetime(2025, 12, 30, 8, tzinfo=UTC)
    register = register_of({"key_id": "b", "environment": "live"}, {"key_id": "d"})
    known = known_of(("c", date(2025, 12, 1), before, 4)).assign(last_registered=date(2025, 12, 31))
    day = complete_day(records_of(used("a", 3)), register, known, DAY)
    assert day.dtypes.to_dict() == RECORD_COLUMNS
    assert day["key_id"].tolist() == ["a", "b", "c", "d"]
    assert day["request_count"].tolist() == [3, 0, 0, 0]
    assert day["registered"].tolist() == [False, True, False, True]
    assert day["environment"].tolist() == ["unknown", "live", "unknown", "unknown"]
    assert [row["last_activity"] for row in plain(day)] == [START + timedelta(hours=9), None, before, None]


def test_a_key_created_after_the_day_is_not_there_yet() -> None:
    """A replay of an old day does not know later keys. A key that is created within the day is there."""
    register = register_of(
        {"key_id": "late", "created_at": "2026-01-03T00:00:00Z"},
        {"key_id": "new", "created_at": "2026-01-02T23:59:59Z"},
    )
    day = complete_day(empty(MEASURED), register, empty(KNOWN_COLUMNS), DAY)
    assert day["key_id"].tolist() == ["new"]


def test_active_is_as_of_the_end_of_the_day() -> None:
    """A key that is revoked by then is not active, and neither is a silent key that the register lacks."""
    register = register_of(
        {"key_id": "fine"},
        {"key_id": "revoked", "revoked_at": "2026-01-02T12:00:00Z"},
        {"key_id": "revoked at the end", "revoked_at": "2026-01-03T00:00:00Z"},
        {"key_id": "revoked later", "revoked_at": "2026-01-03T00:00:01Z"},
    )
    known = known_of(("gone", date(2025, 12, 1), datetime(2025, 12, 1, tzinfo=UTC), 0))
    known["last_registered"] = pd.Series([date(2025, 12, 31)], dtype=KNOWN["last_registered"])
    day = complete_day(records_of(used("revoked", 5), used("stray", 1)), register, known, DAY)
    assert day.set_index("key_id")["active"].to_dict() == {
        "fine": True,
        "gone": False,
        "revoked": False,
        "revoked at the end": False,
        "revoked later": True,
        "stray": True,
    }


def test_without_a_register_every_key_ever_seen_is_active() -> None:
    """Without a register, used and silent keys are active."""
    known = known_of(("quiet", date(2025, 12, 1), datetime(2025, 12, 1, tzinfo=UTC), 0))
    day = complete_day(records_of(used("busy", 1)), empty(REGISTER), known, DAY)
    assert day["active"].tolist() == [True, True]


def test_a_period_adds_up_its_days() -> None:
    """Counts and maps are added, the last use is the latest, and the known facts are those at the end."""
    second = Day(date(2026, 1, 3), ZoneInfo("UTC"))
    register = register_of({"key_id": "a"}, {"key_id": "b"})
    one = complete_day(records_of(used("a", 3)), register, empty(KNOWN_COLUMNS), DAY)
    later = START + timedelta(hours=30)
    two = complete_day(
        records_of(used("a", 4, later), used("b", 1, later)), register, known_after(one, DAY), second
    )
    period = period_records([one, two], second.end)
    assert period["request_count"].tolist() == [7, 1]
    assert map_of(period["endpoint_distribution"][0]) == {"/x": 7}
    assert period["last_activity"].tolist() == [later, later]
    assert period.dtypes.to_dict() == RECORD_COLUMNS


def test_known_facts_are_updated_with_every_day() -> None:
    """The first use stays, the last use moves, and a silence counts its whole days when a use ends it."""
    old = datetime(2025, 12, 28, 8, tzinfo=UTC)
    known = known_of(
        ("back", date(2025, 12, 1), old, 2),
        ("quiet", date(2025, 12, 1), old, 9),
        ("often", date(2025, 12, 1), old, 9),
    )
    day = complete_day(records_of(used("back", 1), used("often", 1), used("new", 1)), empty(REGISTER), known, DAY)
    after = {row["key_id"]: row for row in plain(known_after(day, DAY))}
    current = START + timedelta(hours=9)
    assert after["back"] == {
        "key_id": "back",
        "first_seen": date(2025, 12, 1),
        "last_seen": current,
        "longest_silence": 4,
        "last_registered": None,
    }
    assert after["quiet"] == {
        "key_id": "quiet",
        "first_seen": date(2025, 12, 1),
        "last_seen": old,
        "longest_silence": 9,
        "last_registered": None,
    }
    assert after["often"]["longest_silence"] == 9
    assert after["new"] == {
        "key_id": "new",
        "first_seen": DAY.date,
        "last_seen": current,
        "longest_silence": 0,
        "last_registered": None,
    }


def test_silence_is_counted_in_local_days() -> None:
    """A use at 23:30 UTC is on the next day in Berlin, so the silence is one day shorter."""
    berlin = Day(date(2026, 1, 2), ZoneInfo("Europe/Berlin"))
    known = known_of(("a", date(2025, 12, 31), datetime(2025, 12, 30, 23, 30, tzinfo=UTC), 0))
    day = complete_day(records_of(used("a", 1)), empty(REGISTER), known, berlin)
    assert known_after(day, berlin)["longest_silence"].tolist() == [1]


def test_the_answer_has_exactly_the_shape_of_the_contract() -> None:
    """The answer has only active keys, most requests first, ties by id, in plain JSON."""
    register = register_of(
        {"key_id": "b", "name": "shop", "environment": "live"},
        {"key_id": "a", "environment": "test"},
        {"key_id": "idle"},
        {"key_id": "off", "revoked_at": "2026-01-01"},
    )
    measured = records_of(
        used("a", 5), ("b", "/y/7", None, 2, 1, START), ("b", None, None, 3, 1, START), used("off", 9)
    )
    answer = by_key_answer(complete_day(measured, register, empty(KNOWN_COLUMNS), DAY))
    assert json.loads(json.dumps(answer)) == {
        "keys": [
            {
                "key_id": "a",
                "name": "a",
                "environment": "test",
                "request_count": 5,
                "endpoint_distribution": {"/x": 5},
                "error_count": 0,
                "last_activity": "2026-01-02T09:00:00Z",
            },
            {
                "key_id": "b",
                "name": "shop",
                "environment": "live",
                "request_count": 5,
                "endpoint_distribution": {NO_ENDPOINT: 3, "/y/{id}": 2},
                "error_count": 2,
                "last_activity": "2026-01-02T00:00:00Z",
            },
            {
                "key_id": "idle",
                "name": "idle",
                "environment": "unknown",
                "request_count": 0,
                "endpoint_distribution": {},
                "error_count": 0,
                "last_activity": None,
            },
        ],
        "total_keys": 3,
    }
    assert list(answer["keys"][1]["endpoint_distribution"]) == [NO_ENDPOINT, "/y/{id}"]


def test_the_answer_of_nothing_is_empty() -> None:
    """The answer for no keys has an empty list."""
    day = complete_day(empty(MEASURED), empty(REGISTER), empty(KNOWN_COLUMNS), DAY)
    assert by_key_answer(day) == {"keys": [], "total_keys": 0}


def test_an_endpoint_without_requests_is_not_in_the_map() -> None:
    """A database may count rows that have no request."""
    records = records_of(used("a", 0, endpoint="/none"), used("a", 3))
    assert map_of(records["endpoint_distribution"].iloc[0]) == {"/x": 3}


def test_endpoints_with_equal_counts_stand_in_the_order_of_their_names() -> None:
    """The order does not depend on the order of the map."""
    assert list(map_of({"b": 1, "a": 1, "c": 2})) == ["c", "a", "b"]


def test_a_fault_of_the_register_has_at_most_three_short_samples() -> None:
    """A long value is cut, so that one row cannot fill the report."""
    rows = [{"key_id": str(number), "environment": "x" * 81} for number in range(4)]
    _, (fault,) = clean_register(pd.DataFrame(rows))
    assert fault.count == 4
    assert fault.samples == ("x" * 80,) * 3


def test_a_day_without_requests_teaches_nothing_of_a_key() -> None:
    """A silence counts when it ends, and a key that was never used has no first use."""
    register = register_of({"key_id": "new"}, {"key_id": "quiet"})
    known = known_of(("quiet", date(2025, 12, 1), datetime(2025, 12, 20, tzinfo=UTC), 0))
    after = known_after(complete_day(empty(MEASURED), register, known, DAY), DAY).set_index("key_id")
    assert after.loc["quiet", "longest_silence"] == 0
    assert pd.isna(after.loc["new", "first_seen"])


def test_a_period_has_the_register_of_its_last_day() -> None:
    """A key that was renamed within the period has its new name."""
    days = [
        complete_day(
            records_of(used("a", 1)), register_of({"key_id": "a", "name": name}), empty(KNOWN_COLUMNS), DAY
        )
        for name in ("old", "new")
    ]
    assert period_records(days, DAY.end)["name"].tolist() == ["new"]


def test_no_sum_of_counts_wraps() -> None:
    """64 bits hold the one total; the other is an error, and not a negative number."""
    most = 4 * 10**18
    (record,) = plain(records_of(used("a", most), used("a", most)))
    assert record["request_count"] == 2 * most
    with pytest.raises(SourceError, match="more than 64 bits"):
        records_of(used("a", most), used("a", most), used("b", most))
    day = records_of(used("a", most))
    with pytest.raises(SourceError, match="more than 64 bits"):
        merge([day, day, day])

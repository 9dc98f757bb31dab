"""Strangers: the names that stand for themselves, those that count together, and those that leave."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from detector.model.day import Day
from detector.model.usage import KNOWN, MEASURED, REGISTER, TEXT
from detector.usage.aggregation import (
    by_key,
    by_key_answer,
    clean_register,
    complete_day,
    conform,
    empty,
    gather_strangers,
    known_after,
    map_of,
    period_records,
)
from detector.usage.strangers import FEWEST_NEW, KEPT_DAYS, MOST_STRANGERS, NEW_DAYS, OTHER_KEYS
from tests.fakes import groups

DAY = Day(date(2026, 1, 2), ZoneInfo("UTC"))
NEXT = Day(date(2026, 1, 3), ZoneInfo("UTC"))
KNOWN_COLUMNS = {"key_id": TEXT, **KNOWN}
NOBODY = empty(KNOWN_COLUMNS)
NO_REGISTER = empty(REGISTER)
REGISTERED = clean_register(pd.DataFrame({"key_id": ["mine", "silent"]}))[0]


def used(**requests: int) -> pd.DataFrame:
    """The usage of a day."""
    return by_key(groups(**requests).assign(last_used=DAY.start))


def crowd(number: int, requests: int = 1) -> dict[str, int]:
    """Invented names with as many requests each."""
    return {f"junk{index:05d}": requests for index in range(number)}


def known_of(**first_uses: int) -> pd.DataFrame:
    """Keys that no register held, first and last used a number of days before the day."""
    rows = []
    for key, ago in first_uses.items():
        at = DAY.start - timedelta(days=ago)
        rows.append({"key_id": key, "first_seen": at.date(), "last_seen": at, "longest_silence": 0})
    return conform(pd.DataFrame(rows), KNOWN_COLUMNS)


def keys(records: pd.DataFrame) -> list[str]:
    """The key ids of records."""
    return [str(key) for key in records["key_id"]]


def test_the_busiest_strangers_stand_for_themselves() -> None:
    """The key that leaked is seen among any number of invented ones with fewer requests."""
    measured = used(mine=1, leaked=5, zz=1, **crowd(300))
    gathered, number = gather_strangers(measured, REGISTERED, NOBODY, DAY)
    assert number == 302 - MOST_STRANGERS
    assert {"mine", "leaked"} <= set(keys(gathered))
    assert "zz" not in keys(gathered), "ties are by key id"
    assert len(gathered) == MOST_STRANGERS + 2
    assert keys(gathered) == sorted(keys(gathered))
    assert gathered.dtypes.to_dict() == MEASURED


def test_no_request_is_missing_from_the_total() -> None:
    """The record of the others has their requests, errors, endpoints and deployments."""
    measured = used(mine=1, **crowd(150, requests=2)).assign(error_count=1)
    gathered, _ = gather_strangers(measured, REGISTERED, NOBODY, DAY)
    others = gathered.set_index("key_id").loc[OTHER_KEYS]
    assert gathered["request_count"].sum() == measured["request_count"].sum()
    assert others["request_count"] == 100
    assert others["error_count"] == 50
    assert map_of(others["endpoint_distribution"]) == {"GET /v1/things": 100}
    assert map_of(others["deployments"]) == {"production": 100}


@pytest.mark.parametrize("register", [REGISTERED, NO_REGISTER])
def test_a_few_strangers_change_nothing(register: pd.DataFrame) -> None:
    """No record is touched where the names are few."""
    measured = used(mine=1, **crowd(MOST_STRANGERS))
    assert gather_strangers(measured, register, NOBODY, DAY) == (measured, 0)


def test_the_others_are_no_key() -> None:
    """They are in no by-key answer, and nothing is known of them on the next day."""
    gathered, _ = gather_strangers(used(**crowd(150)), REGISTERED, NOBODY, DAY)
    records = complete_day(gathered, REGISTERED, NOBODY, DAY)
    assert OTHER_KEYS in keys(records)
    assert OTHER_KEYS not in {key["key_id"] for key in by_key_answer(records)["keys"]}
    assert OTHER_KEYS not in keys(known_after(records, DAY))


def test_a_stranger_leaves_with_its_last_request() -> None:
    """No row of an invented name is kept. The keys of the register stay."""
    records = complete_day(used(mine=1, **crowd(50)), REGISTERED, NOBODY, DAY)
    later = complete_day(used(junk00007=1), REGISTERED, known_after(records, DAY), NEXT)
    assert keys(later) == ["junk00007", "mine", "silent"]
    assert later["first_seen"].tolist()[0] == DAY.date, (
        "of a stranger that comes back at once, its first use is known"
    )


def test_a_register_that_lost_its_keys_for_a_day_loses_no_memory() -> None:
    """A key that was registered stays and counts with nobody, however many names are busier."""
    before = complete_day(used(mine=1), REGISTERED, known_of(mine=90, silent=60), DAY)
    other = clean_register(pd.DataFrame({"key_id": ["else"]}))[0]
    known = known_after(before, DAY)
    gathered, _ = gather_strangers(used(mine=1, **crowd(300, requests=9)), other, known, NEXT)
    during = complete_day(gathered, other, known, NEXT)
    assert {"mine", "silent"} <= set(keys(during))
    silent = during.set_index("key_id").loc["silent"]
    assert silent["last_seen"] == pd.Timestamp(DAY.start - timedelta(days=60))
    assert silent["last_registered"] == DAY.date


def test_a_key_that_left_the_register_long_ago_is_gone() -> None:
    """It stays for as long as a history is kept."""
    for ago, expected in ((KEPT_DAYS, ["left", "mine", "silent"]), (KEPT_DAYS + 1, ["mine", "silent"])):
        known = known_of(left=500).assign(last_registered=DAY.date - timedelta(days=ago))
        records = complete_day(used(), REGISTERED, conform(known, KNOWN_COLUMNS), DAY)
        assert keys(records) == expected


def test_without_a_register_new_names_have_a_bound() -> None:
    """A day holds at most so many of them. The names that were there before stand for themselves."""
    known = known_of(old=NEW_DAYS)
    measured = used(old=1, busy=3, **crowd(FEWEST_NEW, requests=2))
    gathered, number = gather_strangers(measured, NO_REGISTER, known, DAY)
    assert number == 1
    assert {"old", "busy", OTHER_KEYS} <= set(keys(gathered))


def test_a_fleet_may_double() -> None:
    """A large fleet without a register may have as many new names as old ones."""
    old = {f"old{index:05d}": NEW_DAYS for index in range(FEWEST_NEW + 5)}
    measured = used(**crowd(FEWEST_NEW + 7))
    _, number = gather_strangers(measured, NO_REGISTER, known_of(**old), DAY)
    assert number == 2


def test_a_new_source_has_no_bound() -> None:
    """On its first days all names are new, so none is counted with others."""
    measured = used(**crowd(FEWEST_NEW + 7))
    assert gather_strangers(measured, NO_REGISTER, known_of(yesterday=1), DAY)[1] == 0


def test_without_a_register_silent_new_names_make_room() -> None:
    """New names that are used have their place first, then those that were used last."""
    silent = {f"gone{index:05d}": 3 for index in range(FEWEST_NEW)}
    known = known_of(old=NEW_DAYS, latest=1, **silent)
    records = complete_day(used(here=1), NO_REGISTER, known, DAY)
    assert len(records) == FEWEST_NEW + 1
    assert {"old", "latest", "here"} <= set(keys(records))
    assert "gone09999" not in keys(records)


@pytest.mark.parametrize(("ago", "expected"), [(KEPT_DAYS, ["old", "quiet"]), (KEPT_DAYS + 1, ["old"])])
def test_without_a_register_a_name_leaves_after_a_long_silence(ago: int, expected: list[str]) -> None:
    """Nobody would tell that it is gone."""
    records = complete_day(used(old=1), NO_REGISTER, known_of(old=50, quiet=ago), DAY)
    assert keys(records) == expected


def test_a_period_counts_the_keys_that_are_gone() -> None:
    """A stranger of the first day is in the sum, with what its own day says of it."""
    first = complete_day(used(mine=1, gone=4), REGISTERED, NOBODY, DAY)
    second = complete_day(used(mine=2), REGISTERED, known_after(first, DAY), NEXT)
    period = period_records([first, second], NEXT.end).set_index("key_id")
    assert period["request_count"].to_dict() == {"gone": 4, "mine": 3, "silent": 0}
    assert period.loc["gone", "last_activity"] == pd.Timestamp(datetime(2026, 1, 2, tzinfo=UTC))
    assert bool(period.loc["gone", "active"])

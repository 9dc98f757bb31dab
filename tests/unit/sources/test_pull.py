"""The pull: the days that it asks for, the records that it stores, and the changes that a later pull finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from detector.config.config import Config
from detector.config.load import load
from detector.model.day import Day
from detector.model.errors import ConfigError, SourceError
from detector.model.usage import Amount, Fault, Revision, Strangers
from detector.sources import pull as pulling
from detector.sources.pull import MOST_DEPLOYMENTS
from detector.sources.timeline import Timeline
from detector.usage.aggregation import clean_register
from detector.usage.history import History
from detector.usage.panel import load_panel
from detector.usage.strangers import MOST_STRANGERS, OTHER_KEYS
from tests.fakes import FakeSource, groups

UTC_ZONE = ZoneInfo("UTC")
FIRST = date(2026, 1, 1)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "config.yaml").write_text("source: {kind: files, usage: none.csv}\n")
    return load(tmp_path / "config.yaml")


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history", UTC_ZONE)


def day(number: int) -> date:
    """The n-th day, from zero."""
    return FIRST + timedelta(days=number)


def pull(
    config: Config, source: FakeSource, history: History, first: int, last: int, now: datetime = NOW
) -> list[date]:
    """Pull days by number."""
    return pulling.pull(config, source, history, day(first), day(last), now=now)


def contents(history: History) -> list[pd.DataFrame]:
    """Every stored day, oldest first."""
    return [history.read(day) for day in history.days()]


def known(history: History, number: int, key: str) -> pd.Series:
    """The stored knowledge about a key from the time before a day."""
    frame = history.read(day(number)).set_index("key_id")
    return frame.loc[key, ["first_seen", "last_seen", "longest_silence"]]


def test_only_missing_days_are_pulled(config: Config, history: History) -> None:
    """The source is asked once for each range of consecutive missing days."""
    source = FakeSource({day(number): groups(a=1) for number in range(10)})
    pull(config, source, history, 3, 4)
    source.asked.clear()
    pull(config, source, history, 0, 9)
    assert source.asked == [(day(0), day(2)), (day(5), day(9))]
    assert history.days() == [day(number) for number in range(10)]


def test_an_empty_last_day_is_pulled_again(config: Config, history: History) -> None:
    """Its data may have come since the first pull."""
    source = FakeSource({day(0): groups(a=1)})
    pull(config, source, history, 0, 1)
    source.days[day(1)] = groups(a=9)
    assert pull(config, source, history, 0, 1) == [day(1)]
    assert history.read(day(1))["request_count"].sum() == 9
    assert pull(config, source, history, 0, 1) == []


def test_the_source_is_asked_what_happened_before_the_first_day(config: Config, history: History) -> None:
    """A key that is silent for longer than the history is known as silent."""
    before = pd.DataFrame(
        {"key_id": ["old"], "first_seen": [date(2025, 1, 1)], "last_seen": [datetime(2025, 6, 1, tzinfo=UTC)]}
    )
    pull(config, FakeSource({day(0): groups(a=1)}, before=before), history, 0, 0)
    assert known(history, 0, "old")["last_seen"].date() == date(2025, 6, 1)


def test_a_source_that_fails_leaves_whole_days(config: Config, history: History) -> None:
    """The days before stay, no part of the failing day is stored, and the next pull continues."""
    source = FakeSource({day(number): groups(a=1) for number in range(5)})
    source.broken_from = day(3)
    with pytest.raises(SourceError):
        pull(config, source, history, 0, 4)
    assert history.days() == [day(0), day(1), day(2)]
    source.broken_from = None
    pull(config, source, history, 0, 4)
    assert history.days() == [day(number) for number in range(5)]


def test_only_the_organizations_own_keys_are_visible(tmp_path: Path, history: History) -> None:
    """Keys of other organizations are not stored. The requests of unregistered keys are a fault without ids."""
    (tmp_path / "config.yaml").write_text("organization: acme\nsource: {kind: files, usage: none.csv}\n")
    config = load(tmp_path / "config.yaml")
    register = [{"key_id": "mine", "organization": "acme"}, {"key_id": "theirs", "organization": "other"}]
    pull(config, FakeSource({day(0): groups(mine=1, theirs=5, nobody=7)}, register), history, 0, 0)
    assert history.read(day(0))["key_id"].tolist() == ["mine"]
    (fault,) = history.notes(day(0)).faults
    assert fault.count == 7
    assert "nobody" not in str(fault)


def test_an_organization_needs_a_register_that_names_it(tmp_path: Path, history: History) -> None:
    """Without the error all organizations' keys would be visible."""
    (tmp_path / "config.yaml").write_text("organization: acme\nsource: {kind: files, usage: none.csv}\n")
    with pytest.raises(ConfigError, match="names no organization"):
        pull(load(tmp_path / "config.yaml"), FakeSource({}), history, 0, 0)


def test_late_rows_are_pulled_and_their_revisions_are_noted(config: Config, history: History) -> None:
    """The two days before the last are pulled again; a day before them has settled."""
    source = FakeSource({day(number): groups(a=5) for number in range(6)})
    pull(config, source, history, 0, 4, now=Day(day(5), UTC_ZONE).start)
    for late in (1, 3):
        source.days[day(late)] = groups(a=5, b=2)
    pull(config, source, history, 0, 5, now=Day(day(6), UTC_ZONE).start)
    assert history.read(day(3))["request_count"].tolist() == [5, 2]
    assert history.read(day(1))["request_count"].tolist() == [5]
    assert load_panel(history, day(5), 5).revisions == (Revision(day(3), day(5), 5, 7, 1),)
    assert load_panel(history, day(4), 4).revisions == ()


def test_pulling_unchanged_days_again_writes_nothing(config: Config, history: History) -> None:
    """The file of an unchanged day keeps its time, and no revision is noted."""
    source = FakeSource({day(number): groups(a=5) for number in range(6)})
    pull(config, source, history, 0, 4, now=Day(day(5), UTC_ZONE).start)
    before = {path: path.stat().st_mtime_ns for path in history.root.rglob("*.parquet")}
    pull(config, source, history, 0, 5, now=Day(day(6), UTC_ZONE).start)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert load_panel(history, day(5), 5).revisions == ()


def test_a_repeated_run_reports_the_same_revisions(config: Config, history: History) -> None:
    """So the report of a day has the same bytes again."""
    source = FakeSource({day(number): groups(a=5) for number in range(3)})
    pull(config, source, history, 0, 1, now=Day(day(2), UTC_ZONE).start)
    source.days[day(1)] = groups(a=6)
    for hour in (1, 9):
        pull(config, source, history, 0, 2, now=Day(day(3), UTC_ZONE).start + timedelta(hours=hour))
        assert load_panel(history, day(2), 2).revisions == (Revision(day(1), day(2), 5, 6, 1),)


def test_a_source_without_an_old_day_removes_no_stored_day(config: Config, history: History) -> None:
    """The history keeps days for longer than the source."""
    source = FakeSource({day(number): groups(a=5) for number in range(3)})
    pull(config, source, history, 0, 1, now=Day(day(2), UTC_ZONE).start)
    del source.days[day(1)]
    pull(config, source, history, 0, 2, now=Day(day(3), UTC_ZONE).start)
    assert history.read(day(1))["request_count"].tolist() == [5]


def test_late_rows_change_what_later_days_know(config: Config, history: History) -> None:
    """A key first seen in late rows is known on the days after."""
    source = FakeSource({day(number): groups(a=5) for number in range(4)})
    pull(config, source, history, 0, 2, now=Day(day(3), UTC_ZONE).start)
    source.days[day(1)] = groups(a=5, late=1)
    pull(config, source, history, 0, 3, now=Day(day(4), UTC_ZONE).start)
    assert known(history, 2, "late")["first_seen"] == day(1)


def start_of(number: int) -> datetime:
    """The instant at which the n-th day starts and the day before it ends."""
    return Day(day(number), UTC_ZONE).start


def steady(days: int) -> FakeSource:
    """A source in which one key makes five requests a day."""
    return FakeSource({day(number): groups(a=5) for number in range(days)})


class GappySource(FakeSource):
    """A source that leaves days out, and knows that a key ``between`` was used on each of them."""

    gaps: frozenset[date] = frozenset()

    def usage(self, first: date, last: date) -> Iterator[tuple[date, pd.DataFrame]]:
        return ((day, frame) for day, frame in super().usage(first, last) if day not in self.gaps)

    def activity_before(self, day: date) -> pd.DataFrame:
        gaps = [gap for gap in sorted(self.gaps) if gap < day]
        rows = [("between", gaps[0], Day(gaps[-1], UTC_ZONE).start)] if gaps else []
        return pd.DataFrame(rows, columns=["key_id", "first_seen", "last_seen"])


class DatedSource(FakeSource):
    """A source whose register differs from day to day."""

    registers: Mapping[date, str] = {}

    def usage(self, first: date, last: date) -> Iterator[tuple[date, pd.DataFrame]]:
        for day, frame in super().usage(first, last):
            self.current = day
            yield day, frame

    def keys_of(self, day: date) -> pd.DataFrame:
        assert day == self.current
        return clean_register(pd.DataFrame([{"key_id": self.registers[day], "environment": "live"}]))[0]


def test_progress_is_shown_after_each_stored_day(config: Config, history: History) -> None:
    """It gets the day, the number of days that are done, and the number of all days."""
    shown = []

    def progress(day: date, done: int, total: int) -> None:
        assert day in history.days()
        shown.append((day, done, total))

    source = steady(3)
    pulling.pull(config, source, history, day(0), day(2), now=NOW, progress=progress)
    assert shown == [(day(0), 1, 3), (day(1), 2, 3), (day(2), 3, 3)]


def test_a_day_settles_two_days_after_its_end(config: Config, history: History) -> None:
    """From that instant on the day is not pulled again."""
    source = steady(9)
    pull(config, source, history, 0, 0, now=start_of(3) - INSTANT)
    pull(config, source, history, 1, 1, now=start_of(4))
    assert pulling.days_to_pull(config, history, day(0), day(2), now=start_of(5)) == [day(0), day(2)]


def test_a_clock_that_ran_ahead_settles_no_day(config: Config, history: History) -> None:
    """A pull at a future time proves nothing; a pull at this instant does."""
    pull(config, steady(1), history, 0, 0, now=start_of(5))
    assert pulling.days_to_pull(config, history, day(0), day(0), now=start_of(5)) == []
    assert pulling.days_to_pull(config, history, day(0), day(0), now=start_of(5) - INSTANT) == [day(0)]


def test_only_the_wanted_days_are_pulled_again(config: Config, history: History) -> None:
    """Days before the first stay as they are, and so do days that settled."""
    pull(config, steady(5), history, 0, 4, now=start_of(5))
    assert pulling.days_to_pull(config, history, day(0), day(4), now=start_of(5)) == [day(3), day(4)]
    assert pulling.days_to_pull(config, history, day(4), day(4), now=start_of(5)) == [day(4)]


def test_an_incomplete_day_is_pulled_again_however_old(config: Config, history: History) -> None:
    """It is pulled again only on request."""
    pull(config, steady(2), history, 0, 1)
    assert pulling.days_to_pull(config, history, day(0), day(1), NOW) == []
    assert pulling.days_to_pull(config, history, day(0), day(1), NOW, incomplete=True) == [day(1)]


def test_a_day_that_the_source_leaves_out_stays_missing(config: Config, history: History) -> None:
    """Before the next day is stored, the source is asked for the use of keys on the missing days."""
    source = GappySource({day(number): groups(a=5) for number in range(4)})
    source.gaps = frozenset({day(1), day(2)})
    assert pull(config, source, history, 0, 3) == [day(0), day(3)]
    assert known(history, 3, "between")["first_seen"] == day(1)
    assert known(history, 3, "between")["last_seen"].date() == day(2)
    assert known(history, 3, "a")["first_seen"] == day(0)


def test_a_gap_of_an_earlier_pull_is_asked_of_the_source_too(config: Config, history: History) -> None:
    """The later pull starts after the gap."""
    source = GappySource({day(number): groups(a=5) for number in range(4)})
    source.gaps = frozenset({day(1)})
    pull(config, source, history, 0, 0)
    pull(config, source, history, 2, 2)
    assert known(history, 2, "between")["first_seen"] == day(1)
    pull(config, source, history, 3, 3)
    assert known(history, 3, "between")["last_seen"].date() == day(1)


def test_the_last_day_may_not_be_left_out(config: Config, history: History) -> None:
    """The error gives the source's reasons. A day that is stored may be left out later."""
    source = GappySource({day(0): groups(a=5)})
    pull(config, source, history, 0, 0)
    source.gaps = frozenset({day(1)})
    with pytest.raises(SourceError, match="no data for the day 2026-01-02: it left the day out"):
        pull(config, source, history, 0, 1)
    source.noted = (Fault("no file", 1), Fault("no bucket", 1))
    with pytest.raises(SourceError, match="no data for the day 2026-01-02: no file; no bucket"):
        pull(config, source, history, 0, 1)
    source.gaps = frozenset({day(0)})
    assert pulling.pull(config, source, history, day(0), day(0), now=NOW, incomplete=True) == []


def test_a_day_that_is_pulled_late_changes_what_later_days_know(config: Config, history: History) -> None:
    """A key of that day is known on the days after it."""
    source = steady(3)
    source.days[day(0)] = groups(a=5, once=1)
    pull(config, source, history, 1, 2)
    pull(config, source, history, 0, 0)
    assert known(history, 2, "once")["first_seen"] == day(0)


def invented(number: int) -> pd.DataFrame:
    """The usage of names that nobody issued, one request each."""
    return groups(**{f"junk{index:04d}": 1 for index in range(number)})


def test_invented_names_are_one_record_and_leave(config: Config, history: History) -> None:
    """The leaked key is seen among them, no request is missing, and the next day has no row of theirs."""
    crowded = pd.concat([groups(mine=5, leaked=3), invented(400)])
    source = FakeSource({day(0): crowded, day(1): groups(mine=5)}, register=[{"key_id": "mine"}])
    pull(config, source, history, 0, 1)
    first = history.read(day(0))
    assert first["request_count"].sum() == 408
    assert len(first) == MOST_STRANGERS + 2
    assert {"leaked", OTHER_KEYS} <= set(first["key_id"])
    assert history.notes(day(0)).strangers == 401 - MOST_STRANGERS
    assert history.read(day(1))["key_id"].tolist() == ["mine"]
    panel = load_panel(history, day(0), depth=3)
    assert panel.strangers == Strangers(301, 301)
    assert OTHER_KEYS not in panel.keys
    pull(config, source, history, 0, 1, now=NOW + timedelta(days=1))
    assert history.read(day(0)).equals(first), "a second pull gives the same record"


def test_invented_names_do_not_come_back_when_days_are_frozen_anew(config: Config, history: History) -> None:
    """A day that is pulled later changes what later days know, and brings no name back."""
    days = {day(0): invented(400), day(1): groups(mine=5), day(2): pd.concat([groups(mine=1), invented(400)])}
    source = FakeSource(days, register=[{"key_id": "mine"}])
    pull(config, source, history, 1, 2)
    later = history.read(day(2))
    pull(config, source, history, 0, 2)
    assert history.read(day(1))["key_id"].tolist() == ["mine"]
    assert history.read(day(2))["key_id"].tolist() == later["key_id"].tolist()


def test_an_invented_deployment_hides_none_of_the_policy(config: Config, history: History) -> None:
    """A test key in production is seen, though it names any number of busier deployments."""
    names = [f"host{index:03d}" for index in range(200)]
    rows = pd.concat([groups(a=9).assign(deployment=name) for name in names] + [groups(a=1)])
    pull(config, FakeSource({day(0): rows}), history, 0, 0)
    (deployments,) = history.read(day(0))["deployments"]
    kept = dict(deployments)
    assert kept["production"] == 1
    assert kept["(other)"] == 9 * (200 - MOST_DEPLOYMENTS + 1)
    assert len(kept) == MOST_DEPLOYMENTS + 1


def test_a_register_of_the_day_is_used_where_the_source_has_one(config: Config, history: History) -> None:
    """A key that is revoked today existed on the earlier day."""
    source = DatedSource({day(number): groups(a=5) for number in range(2)})
    source.registers = {day(0): "then", day(1): "now"}
    pull(config, source, history, 0, 1)
    registered = [records.loc[records["registered"], "key_id"].tolist() for records in contents(history)]
    assert registered == [["then"], ["now"]]


def test_endpoints_beyond_the_limit_are_summed_up(tmp_path: Path, history: History) -> None:
    """A key that calls a million paths does not fill the history."""
    (tmp_path / "config.yaml").write_text(
        "source: {kind: files, usage: none.csv}\ndetection: {endpoints_per_key: 1}\n"
    )
    rows = pd.concat([groups(a=5), groups(a=3).assign(endpoint="GET /v1/others")])
    pull(load(tmp_path / "config.yaml"), FakeSource({day(0): rows}), history, 0, 0)
    (distribution,) = history.read(day(0))["endpoint_distribution"]
    assert dict(distribution) == {"GET /v1/things": 5, "(other)": 3}


def test_a_change_of_the_register_alone_is_no_revision(config: Config, history: History) -> None:
    """The day is stored anew, and its earlier revisions stay."""
    source = steady(1)
    pull(config, source, history, 0, 0, now=start_of(1))
    source.days[day(0)] = groups(a=6)
    pull(config, source, history, 0, 0, now=start_of(2))
    source.register = [{"key_id": "a", "team": "payments", "environment": "live"}]
    pull(config, source, history, 0, 0, now=start_of(2) + INSTANT)
    assert history.read(day(0))["team"].tolist() == ["payments"]
    assert history.notes(day(0)).revisions == (Revision(day(0), day(0), 5, 6, 1),)


def test_a_revision_counts_the_keys_whose_usage_changed(config: Config, history: History) -> None:
    """One key gains requests, one is new, and one stays the same."""
    source = FakeSource({day(0): groups(a=1, b=1)})
    pull(config, source, history, 0, 0, now=start_of(1))
    source.days[day(0)] = groups(a=2, b=1, c=1)
    pull(config, source, history, 0, 0, now=start_of(2))
    assert history.notes(day(0)).revisions == (Revision(day(0), day(0), 2, 4, 2),)


def test_the_register_of_an_empty_day_is_updated(config: Config, history: History) -> None:
    """An empty day has no requests that the source could have deleted."""
    source = FakeSource({})
    pull(config, source, history, 0, 0)
    source.register = [{"key_id": "new", "environment": "live"}]
    pull(config, source, history, 0, 0)
    assert history.read(day(0))["key_id"].tolist() == ["new"]


@pytest.mark.parametrize("requests", [1, 5])
def test_a_day_that_the_source_deleted_keeps_every_request(
    requests: int, config: Config, history: History
) -> None:
    """A source that still holds one request has not deleted the day."""
    source = FakeSource({day(0): groups(a=requests)})
    pull(config, source, history, 0, 0, now=start_of(1))
    source.days[day(0)] = groups(a=0)
    pull(config, source, history, 0, 0, now=start_of(2))
    assert history.read(day(0))["request_count"].tolist() == [requests]
    source.days[day(0)] = groups(b=1)
    pull(config, source, history, 0, 0, now=start_of(2))
    assert history.read(day(0))["request_count"].sum() == 1


def test_a_day_that_was_pulled_before_its_end_is_stored_anew(config: Config, history: History) -> None:
    """The history then knows that the pull came after the end of the day. Later pulls write nothing."""
    source = steady(1)
    for now, noted in ((-INSTANT, -INSTANT), (timedelta(0), timedelta(0)), (INSTANT, timedelta(0))):
        pull(config, source, history, 0, 0, now=start_of(1) + now)
        assert history.notes(day(0)).pulled_at == start_of(1) + noted


def test_new_faults_of_a_day_are_noted_and_those_of_the_whole_source_are_not(
    config: Config, history: History
) -> None:
    """Faults of the whole source come with every pull, and belong to the day on which they came first."""
    source = steady(2)
    pull(config, source, history, 0, 1, now=start_of(2))
    source.noted = (Fault("broken line", 1, dated=False),)
    pull(config, source, history, 0, 1, now=start_of(3))
    assert history.notes(day(0)).faults == ()
    assert history.notes(day(1)).faults == source.noted
    source.noted = (Fault("broken line", 1),)
    pull(config, source, history, 0, 0, now=start_of(2))
    assert history.notes(day(0)).faults == source.noted


def test_requests_of_other_organizations_are_no_fault(tmp_path: Path, history: History) -> None:
    """The register names the organization of these keys."""
    (tmp_path / "config.yaml").write_text("organization: acme\nsource: {kind: files, usage: none.csv}\n")
    register = [{"key_id": "mine", "organization": "acme"}, {"key_id": "theirs", "organization": "other"}]
    source = FakeSource({day(0): groups(mine=1, theirs=5)}, register)
    pull(load(tmp_path / "config.yaml"), source, history, 0, 0)
    assert history.notes(day(0)).faults == ()


def test_an_endpoint_must_name_the_organization_itself(tmp_path: Path, history: History) -> None:
    """An endpoint has no column that could be mapped."""
    (tmp_path / "config.yaml").write_text(
        "organization: acme\nsource: {kind: http, url: 'https://api.example.com', token: x}\n"
    )
    with pytest.raises(ConfigError, match="the endpoint must state it with every key"):
        pull(load(tmp_path / "config.yaml"), FakeSource({}), history, 0, 0)


def test_the_source_is_not_asked_for_what_the_history_knows(config: Config, history: History) -> None:
    """Its own data may reach less far back by now."""
    before = pd.DataFrame({"key_id": ["old"], "first_seen": [day(-9)], "last_seen": [start_of(-8)]})
    source = FakeSource({day(number): groups(a=1) for number in range(3)}, before=before)
    pull(config, source, history, 0, 0)
    source.before = before.assign(key_id="unknown")
    pull(config, source, history, 1, 2)
    assert history.read(day(2))["key_id"].tolist() == ["a", "old"]


def test_a_pull_of_nothing_asks_nothing(config: Config, history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run again works where the source is away."""
    source = steady(1)
    pull(config, source, history, 0, 0)
    monkeypatch.delattr(FakeSource, "keys")
    assert pull(config, source, history, 0, 0) == []


def timeline(last: int, records: int, later: int = 0) -> Timeline:
    """So many records at the beginning of every day up to the last one."""
    quarters = {Day(day(number), UTC_ZONE).start: records for number in range(last + 1)}
    return Timeline(quarters, NOW, later, covers_all=True)


def unusable(history: History, number: int) -> dict[str, Amount]:
    """The records of a stored day that could not be used."""
    accounting = history.notes(day(number)).accounting
    assert accounting is not None
    return dict(accounting.unusable)


def test_a_few_records_without_a_time_are_spread_over_the_days_of_a_first_pull(
    config: Config, history: History
) -> None:
    """Nobody knows of which day they are, and as many on the days to come are no jump."""
    usage = {day(number): groups(a=1000) for number in range(11)}
    faults = (Fault("no time", 25, dated=False),)
    pull(config, FakeSource(usage, faults=faults, timeline=timeline(9, 1000)), history, 0, 9)
    assert [unusable(history, number)["no time"].records for number in range(10)] == [2] * 9 + [7]
    faults = (Fault("no time", 28, dated=False),)
    pull(config, FakeSource(usage, faults=faults, timeline=timeline(10, 1000)), history, 0, 10)
    assert unusable(history, 10) == {"no time": Amount(3)}


def test_many_records_without_a_time_are_told_by_the_first_pull(config: Config, history: History) -> None:
    """On the last of its days, which is the one that is judged."""
    usage = {day(number): groups(a=1000) for number in range(10)}
    faults = (Fault("no time", 2_000, dated=False),)
    pull(config, FakeSource(usage, faults=faults, timeline=timeline(9, 1000)), history, 0, 9)
    assert unusable(history, 8) == {}
    assert unusable(history, 9) == {"no time": Amount(2_000)}


def test_records_of_the_future_are_told_once(config: Config, history: History) -> None:
    """With the day on which they came."""
    usage = {day(number): groups(a=1000) for number in range(12)}
    pull(config, FakeSource(usage, timeline=timeline(9, 1000)), history, 0, 9)
    for last in (10, 11):
        pull(config, FakeSource(usage, timeline=timeline(last, 1000, later=50)), history, 0, last)
    assert unusable(history, 10) == {"timestamp in the future": Amount(50)}
    assert unusable(history, 11) == {}


def dirty(last: int, undated: int) -> FakeSource:
    """A source of a thousand records a day up to the last one, and of some without a time."""
    usage = {day(number): groups(a=1000) for number in range(last + 1)}
    return FakeSource(usage, faults=(Fault("no time", undated, dated=False),), timeline=timeline(last, 1000))


def test_records_without_a_time_belong_to_one_day_alone(config: Config, history: History) -> None:
    """A later day neither takes them from the day with which they came nor counts them once more."""
    pull(config, dirty(9, 0), history, 0, 9, now=start_of(10))
    pull(config, dirty(10, 30), history, 0, 10, now=start_of(11))
    pull(config, dirty(11, 30), history, 0, 11, now=start_of(12))
    pull(config, dirty(12, 34), history, 0, 12, now=start_of(13))
    assert [unusable(history, number) for number in (9, 10, 11, 12)] == [
        {},
        {"no time": Amount(30)},
        {},
        {"no time": Amount(4)},
    ]


def test_a_day_that_is_pulled_again_has_the_same_accounting(config: Config, history: History) -> None:
    """Not even the file is written anew. Records that came since then belong to the day while it is the last."""
    pull(config, dirty(9, 0), history, 0, 9, now=start_of(10))
    pull(config, dirty(10, 30), history, 0, 10, now=start_of(11))
    notes = history.notes(day(10))
    version = history.version(day(10))
    pull(config, dirty(10, 30), history, 0, 10, now=start_of(11) + timedelta(hours=1))
    assert history.version(day(10)) == version
    assert history.notes(day(10)) == notes
    pull(config, dirty(10, 32), history, 0, 10, now=start_of(11) + timedelta(hours=2))
    assert unusable(history, 10) == {"no time": Amount(32)}


def test_a_record_that_was_dropped_from_the_source_is_no_negative_number(config: Config, history: History) -> None:
    """The source deletes old files, and with them what could not be read."""
    pull(config, dirty(9, 0), history, 0, 9, now=start_of(10))
    pull(config, dirty(10, 30), history, 0, 10, now=start_of(11))
    pull(config, dirty(11, 5), history, 0, 11, now=start_of(12))
    assert unusable(history, 11) == {}


def test_a_first_pull_that_was_interrupted_ends_as_if_it_had_not_been(
    config: Config, history: History, tmp_path: Path
) -> None:
    """The same days have the same records without a time, so that the history has the same bytes."""
    source = dirty(9, 25)
    source.broken_from = day(6)
    with pytest.raises(SourceError):
        pull(config, source, history, 0, 9, now=start_of(10))
    source.broken_from = None
    pull(config, source, history, 0, 9, now=start_of(10))
    whole = History(tmp_path / "whole", UTC_ZONE)
    pull(config, dirty(9, 25), whole, 0, 9, now=start_of(10))
    assert [history.notes(day(number)) for number in range(10)] == [
        whole.notes(day(number)) for number in range(10)
    ]


def early(records: int) -> dict[datetime, int]:
    """So many records long before the first day."""
    return {start_of(-400): records}


def test_records_before_the_history_are_no_news_when_it_begins(config: Config, history: History) -> None:
    """Any source holds older data. Where these grow later, nobody saw what was added."""
    source = dirty(10, 0)
    source.lies = Timeline({**timeline(9, 1000).quarters, **early(5_000)}, NOW)
    pull(config, source, history, 0, 9, now=start_of(10))
    assert unusable(history, 9) == {}
    source.lies = Timeline({**timeline(10, 1000).quarters, **early(5_060)}, NOW)
    pull(config, source, history, 0, 10, now=start_of(11))
    assert unusable(history, 10) == {"timestamp before the first stored day": Amount(60)}


def test_a_removed_day_does_not_look_like_new_records_before_the_history(config: Config, history: History) -> None:
    """Old days are removed every day, so the records of the source before the first stored day grow."""
    pull(config, dirty(9, 0), history, 0, 9, now=start_of(10))
    history.remove(day(0))
    pull(config, dirty(10, 0), history, 1, 10, now=start_of(11))
    assert unusable(history, 10) == {}
    history.remove(day(1))
    source = dirty(11, 0)
    source.lies = Timeline({**timeline(11, 1000).quarters, **early(60)}, NOW)
    pull(config, source, history, 2, 11, now=start_of(12))
    assert unusable(history, 11) == {"timestamp before the first stored day": Amount(60)}


def test_strays_belong_to_the_day_of_their_file(config: Config, history: History) -> None:
    """Their time lies far away from it, so they are in the usage of no day."""
    source = dirty(9, 0)
    source.lies = Timeline(timeline(9, 1000).quarters, NOW, strays={day(8): 70})
    pull(config, source, history, 0, 9, now=start_of(10))
    assert unusable(history, 8) == {"timestamp more than a day away from the day of its file": Amount(70)}
    assert unusable(history, 9) == {}


@pytest.mark.parametrize(("late", "again"), [(20, False), (21, True)])
def test_a_settled_day_that_has_grown_is_pulled_again(
    late: int, again: bool, config: Config, history: History
) -> None:
    """By more than twenty records and by more than one in a hundred."""
    pull(config, dirty(9, 0), history, 0, 9, now=start_of(10))
    source = dirty(10, 0)
    source.days[day(3)] = groups(a=1000, late=late)
    source.lies = Timeline({**timeline(10, 1000).quarters, start_of(3): 1000 + late}, NOW)
    assert (day(3) in pull(config, source, history, 0, 10, now=start_of(11))) is again
    told = (Revision(day(3), day(10), 1000, 1000 + late, 1),) if again else ()
    assert load_panel(history, day(10), 10).revisions == told


def test_a_share_of_a_busy_day_must_have_come_late(config: Config, history: History) -> None:
    """A hundred of a hundred thousand records change no judgement."""
    busy = {day(number): groups(a=100_000) for number in range(11)}
    pull(config, FakeSource(busy, timeline=timeline(9, 100_000)), history, 0, 9, now=start_of(10))
    quarters = {**timeline(10, 100_000).quarters, start_of(3): 101_000}
    again = pull(config, FakeSource(busy, timeline=Timeline(quarters, NOW)), history, 0, 10, now=start_of(11))
    assert day(3) not in again


def test_a_source_whose_past_is_written_anew_does_not_stop_the_run(config: Config, history: History) -> None:
    """The seven days that have grown most are pulled, and the others with the next runs."""
    pull(config, dirty(19, 0), history, 0, 19, now=start_of(20))
    source = dirty(20, 0)
    grown = {start_of(number): 2_000 + number for number in range(15)}
    source.lies = Timeline({**timeline(20, 1000).quarters, **grown}, NOW)
    pulled = pull(config, source, history, 0, 20, now=start_of(21))
    assert [number for number in range(15) if day(number) in pulled] == list(range(8, 15))


def test_the_days_of_a_first_pull_keep_their_shares(config: Config, history: History) -> None:
    """A second run on the same morning and the runs of the next days pull some of them again."""
    spread = [2] * 9 + [7]
    for last, hour in ((9, 0), (9, 1), (10, 24), (11, 48)):
        pull(config, dirty(last, 25), history, 0, last, now=start_of(10) + timedelta(hours=hour))
        assert [unusable(history, number)["no time"].records for number in range(10)] == spread
    assert unusable(history, 10) == unusable(history, 11) == {}


def test_a_day_with_more_requests_than_a_year_can_hold_is_an_error(config: Config, history: History) -> None:
    """Sums over days never wrap; the largest plausible day is added up as it is."""
    largest = FakeSource({day(0): groups(**{f"k{number}": 10**12 for number in range(10_000)})})
    pull(config, largest, history, 0, 0)
    assert history.read(day(0))["request_count"].sum() == 10**16
    beyond = FakeSource({day(1): groups(**{f"k{number}": 10**12 for number in range(24_000)})})
    with pytest.raises(SourceError, match="the day 2026-01-02 has 24,000,000,000,000,000 requests"):
        pull(config, beyond, history, 1, 1)

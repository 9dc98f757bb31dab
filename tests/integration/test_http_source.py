"""The http source: days from a by-key endpoint, asked for one by one or computed from running totals."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from detector.cli.main import main
from detector.config.load import load
from detector.config.source import HttpSource
from detector.model.day import Day, each_day
from detector.model.errors import ConfigError, SourceError
from detector.sources.http.reader import HttpReader
from detector.sources.pull import pull
from detector.usage.aggregation import map_of
from detector.usage.history import History
from tests.endpoint_server import TOKEN, Request, Response, Served, answer, endpoint, key, page

DAY = date(2026, 3, 17)
NOW = datetime(2026, 3, 18, 2, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def reader(served: Served, zone: str = "UTC", now: datetime = NOW, **options: Any) -> HttpReader:
    """A source over a running endpoint."""
    config = HttpSource.model_validate({"url": served.url, "token": TOKEN, **options})
    return HttpReader(config, ZoneInfo(zone), lambda: now)


def day_asked(request: Request) -> date:
    """The day that a request asks for."""
    return date.fromisoformat(request.query["from"][:10])


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ({}, {"from": "2026-03-28T23:00:00Z", "to": "2026-03-29T22:00:00Z"}),
        ({"range": "dates"}, {"from": "2026-03-29", "to": "2026-03-30"}),
        ({"range": "days"}, {"from": "2026-03-29", "to": "2026-03-29"}),
        (
            {"range": "days", "from_parameter": "start", "to_parameter": "end", "parameters": {"limit": "500"}},
            {"start": "2026-03-29", "end": "2026-03-29", "limit": "500"},
        ),
    ],
)
def test_a_day_is_asked_for_by_its_own_bounds(options: dict[str, Any], query: dict[str, str]) -> None:
    """The day on which the clocks change has 23 hours."""
    with endpoint(lambda request: page(key("a"))) as served:
        list(reader(served, "Europe/Berlin", **options).usage(date(2026, 3, 29), date(2026, 3, 29)))
    assert served.asked[0].query == query
    assert served.asked[0].headers["Authorization"] == f"Bearer {TOKEN}"


def test_every_member_of_the_answer_is_used() -> None:
    """Counts, endpoints with ids folded, deployments, clients, and the register. Unknown members are ignored."""
    full = key(
        "a",
        10,
        error_count=12,
        endpoint_distribution={"GET /users/17": 6, "GET /users/18": 4},
        last_activity="2026-03-17T21:03:04Z",
        team="search",
        created_at="2026-01-01T00:00:00Z",
        deployments={"production": 9, "staging": 1},
        client_count=3,
        surprise=[1],
    )
    with endpoint(lambda request: page(full, key("idle", 0, environment="test"))) as served:
        source = reader(served)
        ((_, frame),) = source.usage(DAY, DAY)
        (record,) = frame.to_dict("records")
        assert map_of(record["endpoint_distribution"]) == {"GET /users/{id}": 10}
        assert map_of(record["deployments"]) == {"production": 9, "staging": 1}
        assert (record["error_count"], record["client_count"]) == (10, 3)
        assert record["last_used"] == datetime(2026, 3, 17, 21, 3, 4, tzinfo=UTC)
        register = source.keys_of(DAY).set_index("key_id")
    assert register.loc["a", ["name", "environment", "team"]].tolist() == ["name of a", "live", "search"]
    assert register.loc["idle", "environment"] == "test"


def test_traffic_without_a_deployment_has_the_configured_deployment() -> None:
    """Without one in the configuration either, the deployment stays unknown."""
    with endpoint(lambda request: page(key("a", 10))) as served:
        ((_, frame),) = reader(served, deployment="production").usage(DAY, DAY)
        ((_, unknown),) = reader(served).usage(DAY, DAY)
    assert map_of(frame["deployments"].iloc[0]) == {"production": 10}
    assert map_of(unknown["deployments"].iloc[0]) == {}


def test_an_environment_that_is_unknown_is_no_fault() -> None:
    """``unknown`` is a word of the contract; other words are a fault."""
    with endpoint(lambda request: page(key("a", environment="unknown"), key("b", environment="prod"))) as served:
        source = reader(served)
        list(source.usage(DAY, DAY))
        (fault,) = source.faults(DAY)
    assert (fault.reason, fault.count) == ("register: environment is neither live nor test", 1)


def test_use_before_a_day_comes_from_the_last_activities() -> None:
    """A key with requests on the day before was used on it, also where its last activity is later."""
    keys = [
        key("asleep", 0, last_activity="2025-12-24T08:00:00Z", created_at="2025-01-01T00:00:00Z"),
        key("never", 0),
        key("steady", 5, last_activity="2026-03-17T09:00:00Z"),
        key("young", 0, last_activity="2026-03-17T09:00:00Z"),
    ]
    with endpoint(lambda request: page(*keys)) as served:
        known = reader(served).activity_before(DAY)
    assert served.asked[0].query["from"] == "2026-03-16T00:00:00Z"
    assert known.to_dict("records") == [
        {
            "key_id": "asleep",
            "first_seen": date(2025, 1, 1),
            "last_seen": pd.Timestamp("2025-12-24T08:00:00Z"),
        },
        {"key_id": "steady", "first_seen": date(2026, 3, 16), "last_seen": pd.Timestamp("2026-03-16T00:00:00Z")},
    ]


def test_use_before_the_first_day_that_is_held_comes_from_the_answer_for_that_day() -> None:
    """The endpoint does not hold the day before, and the latest answer may hide the silence of a key that woke."""

    def behaviour(request: Request) -> Response:
        day = day_asked(request)
        if day < DAY - timedelta(days=1):
            return answer({"detail": "before the retention"}, 404)
        awake = day == DAY
        return page(key("a", 5 * awake, last_activity=f"{DAY}T09:00:00Z" if awake else "2025-12-24T08:00:00Z"))

    with endpoint(behaviour) as served:
        known = reader(served).activity_before(DAY - timedelta(days=1))
    assert known["last_seen"].tolist() == [pd.Timestamp("2025-12-24T08:00:00Z")]


def test_the_watermark_is_the_last_activity_of_any_key() -> None:
    """The watermark is never later than now."""
    with endpoint(lambda request: page(key("a", last_activity="2026-03-17T23:59:00Z"), key("b"))) as served:
        assert reader(served).watermark() == datetime(2026, 3, 17, 23, 59, tzinfo=UTC)
    with endpoint(lambda request: page(key("a", last_activity="2126-01-01T00:00:00Z"))) as served:
        assert reader(served).watermark() == NOW
    with endpoint(lambda request: page(key("a"))) as served:
        assert reader(served).watermark() is None


def test_the_day_that_ended_last_is_asked_for_once_a_run() -> None:
    """The register, the watermark and the usage of the day come from one answer."""
    with endpoint(lambda request: page(key("a"))) as served:
        source = reader(served)
        source.keys()
        source.watermark()
        list(source.usage(DAY, DAY))
    assert len(served.asked) == 1


@pytest.fixture
def history(tmp_path: Path) -> History:
    """An empty history."""
    return History(tmp_path / "history", ZoneInfo("UTC"))


@pytest.fixture
def pulled(tmp_path: Path, history: History):
    """A function that pulls a day, and some days before it, from an endpoint."""

    def _pulled(served: Served, day: date = DAY, before: int = 0, **options: Any) -> list[date]:
        source = {"kind": "http", "url": served.url, "token": TOKEN, **options}
        organization = source.pop("organization", None)
        (tmp_path / "config.yaml").write_text(json.dumps({"source": source, "organization": organization}))
        config = load(tmp_path / "config.yaml")
        now = Day(day + timedelta(days=1), ZoneInfo("UTC")).start + timedelta(hours=2)
        assert isinstance(config.source, HttpSource)
        fresh = HttpReader(config.source, config.zone, lambda: now)
        return pull(config, fresh, history, day - timedelta(days=before), day, now=now)

    return _pulled


def used(history: History, day: date) -> dict[str, int]:
    """Requests of the active keys of a stored day."""
    records = history.read(day)
    return dict(records.loc[records["active"], ["key_id", "request_count"]].itertuples(index=False))


def test_a_key_exists_from_the_first_day_whose_answer_names_it(pulled, history: History) -> None:
    """A key that is revoked or new today was not so on earlier days."""

    def behaviour(request: Request) -> Response:
        late = day_asked(request) >= DAY - timedelta(days=1)
        return page(key("steady"), key("new" if late else "revoked", 3))

    with endpoint(behaviour) as served:
        assert pulled(served, before=3) == list(each_day(DAY - timedelta(days=3), DAY))
    assert used(history, DAY) == {"steady": 10, "new": 3}
    assert used(history, DAY - timedelta(days=3)) == {"steady": 10, "revoked": 3}


def test_days_that_the_endpoint_does_not_hold_stay_missing(pulled, history: History) -> None:
    """These days are not stored as zeros, and the days after them know the last use of silent keys."""
    held = DAY - timedelta(days=1)

    def behaviour(request: Request) -> Response:
        if day_asked(request) < held:
            return answer({"detail": "before the retention"}, 404)
        return page(key("a"), key("asleep", 0, last_activity="2026-01-01T00:00:00Z"))

    with endpoint(behaviour) as served:
        assert pulled(served, before=5) == [held, DAY]
    assert history.days() == [held, DAY]
    known = history.read(DAY).set_index("key_id")
    assert known.loc["asleep", "last_activity"] == pd.Timestamp("2026-01-01T00:00:00Z")


def test_a_judged_day_that_the_endpoint_does_not_hold_is_an_error(pulled, history: History) -> None:
    """The error gives the endpoint's reason."""

    def behaviour(request: Request) -> Response:
        if "from" in request.query and day_asked(request) == DAY:
            return answer({"detail": "not stored yet"}, 409)
        return page(key("a"))

    with endpoint(behaviour) as served, pytest.raises(SourceError, match="has no data for the day 2026-03-17"):
        pulled(served, before=2)
    assert history.days() == [DAY - timedelta(days=2), DAY - timedelta(days=1)]


def test_a_day_is_stored_whole_or_not_at_all(pulled, history: History) -> None:
    """An error on a later page leaves the history as it was."""

    def behaviour(request: Request) -> Response:
        return answer({}, 401) if "cursor" in request.query else page(key("a"), total=2, next_cursor="x")

    with endpoint(behaviour) as served, pytest.raises(SourceError, match="the token is not accepted"):
        pulled(served)
    assert history.days() == []


def test_only_the_organizations_keys_are_stored(pulled, history: History) -> None:
    """An endpoint that does not state the organization of its keys is an error."""
    with endpoint(lambda request: page(key("a", organization="acme"), key("b", organization="other"))) as served:
        pulled(served, organization="acme")
    assert used(history, DAY) == {"a": 10}
    with endpoint(lambda request: page(key("a"))) as served, pytest.raises(ConfigError, match="must state it"):
        pulled(served, DAY + timedelta(days=1), organization="acme")


class Totals:
    """An endpoint of running totals. A test sets the totals before each run."""

    def __init__(self) -> None:
        self.keys: list[Mapping[str, Any]] = []

    def __call__(self, request: Request) -> Response:
        assert set(request.query) <= {"limit"}
        return page(*self.keys)


@pytest.fixture
def totals() -> Iterator[tuple[Totals, Served]]:
    """Running totals, and the endpoint that serves them."""
    behaviour = Totals()
    with endpoint(behaviour) as served:
        yield behaviour, served


Nightly = Callable[..., dict[str, int]]


@pytest.fixture
def nightly(totals: tuple[Totals, Served], pulled, history: History) -> Nightly:
    """A function that runs some days after ``DAY`` and gives the requests of the day that it pulls."""

    def _nightly(after: int, *keys: Mapping[str, Any]) -> dict[str, int]:
        behaviour, served = totals
        behaviour.keys = list(keys)
        day = DAY + timedelta(days=after)
        pulled(served, day, before=10, mode="cumulative")
        return used(history, day)

    return _nightly


def test_the_first_snapshot_gives_no_usage(nightly: Nightly, history: History) -> None:
    """Its day is missing: neither zeros nor all requests since the keys were made."""
    with pytest.raises(SourceError, match="its snapshot is the first snapshot, and usage is known from the next"):
        nightly(0, key("a", 1_000_000))
    assert history.days() == []


def test_usage_is_the_difference_of_two_snapshots(nightly: Nightly, history: History) -> None:
    """Requests, errors, endpoints and deployments are all differences."""
    before = key("a", 100, error_count=5, endpoint_distribution={"GET /a": 90, "GET /b": 10}, deployments={"p": 1})
    after = key("a", 130, error_count=7, endpoint_distribution={"GET /a": 110, "GET /b": 20}, deployments={"p": 4})
    with pytest.raises(SourceError):
        nightly(0, before, key("idle", 9))
    assert nightly(1, after, key("idle", 9)) == {"a": 30, "idle": 0}
    record = history.read(DAY + timedelta(days=1)).set_index("key_id").loc["a"]
    assert map_of(record["endpoint_distribution"]) == {"GET /a": 20, "GET /b": 10}
    assert map_of(record["deployments"]) == {"p": 3}
    assert record["error_count"] == 2


def test_a_counter_that_fell_was_reset(nightly: Nightly, history: History) -> None:
    """Its new value is the day's usage, and a fault says so."""
    with pytest.raises(SourceError):
        nightly(0, key("a", 100))
    assert nightly(1, key("a", 12)) == {"a": 12}
    reasons = [fault.reason for fault in history.notes(DAY + timedelta(days=1)).faults]
    assert reasons == ["running total fell and was reset, the new total counts"]


def test_the_usage_of_several_days_does_not_become_that_of_one_day(nightly: Nightly, history: History) -> None:
    """After a day without a snapshot, usage is known again from the second snapshot on."""
    with pytest.raises(SourceError):
        nightly(0, key("a", 100))
    with pytest.raises(SourceError, match="spans all days since 2026-03-17"):
        nightly(2, key("a", 300))
    assert history.days() == []
    assert nightly(3, key("a", 310)) == {"a": 10}


def test_a_second_run_finds_the_first_ones_snapshot(
    nightly: Nightly, totals: tuple[Totals, Served], tmp_path: Path
) -> None:
    """The usage of the day stays the same although the totals have grown since."""
    with pytest.raises(SourceError):
        nightly(0, key("a", 100))
    nightly(1, key("a", 110))
    totals[0].keys = [key("a", 190)]
    config = HttpSource(
        url=totals[1].url, token=TOKEN, mode="cumulative", snapshots=str(tmp_path / "var" / "snapshots")
    )
    day = DAY + timedelta(days=1)
    late = HttpReader(config, ZoneInfo("UTC"), lambda: Day(day, ZoneInfo("UTC")).end + timedelta(hours=9))
    late.keys()
    ((_, frame),) = late.usage(day, day)
    assert frame["request_count"].tolist() == [10]


def test_snapshots_at_odd_hours_are_a_fault_and_at_very_odd_hours_unusable(tmp_path: Path) -> None:
    """The time between two snapshots must be close to the length of the day."""
    hours = {0: 2, 1: 5, 2: 14}
    with endpoint(lambda request: page(key("a", 100 * request.number))) as served:
        config = HttpSource(url=served.url, token=TOKEN, mode="cumulative", snapshots=str(tmp_path))
        for after, hour in hours.items():
            day = Day(DAY + timedelta(days=after), ZoneInfo("UTC"))
            source = HttpReader(config, ZoneInfo("UTC"), lambda taken=day.end + timedelta(hours=hour): taken)
            counts = [frame["request_count"].tolist() for _, frame in source.usage(day.date, day.date)]
            reasons = [fault.reason for fault in source.faults(day.date)]
            if after == 1:
                assert counts == [[100]]
                assert re.search(
                    r"lie 27\.0 hours apart, the difference counts as the usage of the day", reasons[0]
                )
            if after == 2:
                assert counts == []
                assert re.search(r"lie 33\.0 hours apart, so the difference is not", reasons[0])


def test_a_key_that_was_missing_in_a_snapshot_counts_no_requests(nightly: Nightly, history: History) -> None:
    """A new key counts from zero. A key that existed before has a total of several days, which is a fault."""
    with pytest.raises(SourceError):
        nightly(0, key("a", 100), key("away", 5_000))
    nightly(1, key("a", 110))
    old = key("old", 7_000, created_at="2024-01-01T00:00:00Z")
    assert nightly(2, key("a", 120), key("away", 5_001), key("new", 3), old) == {
        "a": 10,
        "away": 0,
        "new": 3,
        "old": 0,
    }
    (fault,) = history.notes(DAY + timedelta(days=2)).faults
    assert (fault.count, fault.samples) == (2, ("away", "old"))


def test_the_faults_of_a_snapshot_are_faults_of_its_day(nightly: Nightly, history: History) -> None:
    """The snapshot file holds its faults."""
    with pytest.raises(SourceError):
        nightly(0, key("a", 100))
    nightly(1, key("a", 110), key("b", -1))
    (fault,) = history.notes(DAY + timedelta(days=1)).faults
    assert fault.reason == "keys[].request_count: input should be greater than or equal to 0"


def test_a_damaged_snapshot_is_an_error_that_names_the_file(nightly: Nightly, tmp_path: Path) -> None:
    """The error says which days are lost when the file is deleted."""
    with pytest.raises(SourceError):
        nightly(0, key("a", 100))
    (path,) = (tmp_path / "var" / "snapshots").rglob("*.json.gz")
    path.write_bytes(b"not gzip")
    with pytest.raises(SourceError, match=r"day=2026-03-17\.json\.gz.* delete the file; the usage of 2026-03-17"):
        nightly(1, key("a", 110))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"url": "ftp://x/y"}, r"source\.url: must begin with https://"),
        ({"url": "https://user:hush@x/y"}, r"source\.url: must hold no user or password"),
        ({"url": "https://x/y?a=1"}, r"source\.url: must hold no query"),
        ({"url": "https://x:notaport/y"}, r"source\.url: not a URL"),
        ({"token": "two words"}, r"source\.token: must be one line of plain characters"),
        ({"token": ""}, r"source\.token: must be one line of plain characters"),
        ({"shape": "daily"}, r"unknown key source\.shape"),
        ({"tokn": "x"}, r"unknown key source\.tokn, did you mean token\?"),
    ],
)
def test_a_wrong_option_of_the_source_is_refused(tmp_path: Path, options: dict[str, str], problem: str) -> None:
    """The error names the option without its value, which may be a secret."""
    source = {"kind": "http", "url": "https://usage.example", "token": TOKEN, **options}
    (tmp_path / "config.yaml").write_text(json.dumps({"source": source}))
    with pytest.raises(ConfigError, match=problem) as raised:
        load(tmp_path / "config.yaml")
    assert "hush" not in str(raised.value)


def test_a_bare_host_gets_the_usual_path() -> None:
    """A path in the URL stays."""
    assert (
        HttpSource(url="https://usage.example", token=TOKEN).url
        == "https://usage.example/v1/analytics/usage/by-key"
    )
    assert HttpSource(url="https://usage.example/by-key", token=TOKEN).url == "https://usage.example/by-key"


def fleet(request: Request) -> Response:
    """Answer for five steady keys and one that wakes on the day after half a year. 20 days are held."""
    day = day_asked(request)
    if day < DAY - timedelta(days=20):
        return answer({"detail": "retention is 20 days"}, 404)
    noon = f"{day}T12:00:00Z"
    keys = [key(f"k{n}", 40 + (day.toordinal() * 7 + n) % 5, last_activity=noon) for n in range(5)]
    woken = {"last_activity": noon} if day == DAY else {"last_activity": "2025-09-01T08:00:00Z"}
    return page(*keys, key("sleeper", 25 if day == DAY else 0, **woken))


def test_a_run_over_an_endpoint_finds_a_dormant_key_that_wakes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first run finds it, because the endpoint states the last activity."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("USAGE_TOKEN", TOKEN)
    with endpoint(fleet) as served:
        (tmp_path / "config.yaml").write_text(
            f"source: {{kind: http, url: '{served.url}', token: '${{USAGE_TOKEN}}', range: days}}\n"
            "history: {first_pull_days: 30}\n"
        )
        with pytest.raises(SystemExit) as ended:
            main(["run", "--day", str(DAY)])
    output = capsys.readouterr()
    assert ended.value.code == 0, output.err
    report = json.loads((tmp_path / "var" / "reports" / str(DAY) / "report.json").read_text())
    assert [(found["type"], found["key_id"]) for found in report["findings"]] == [("dormant_wake", "sleeper")]
    assert "First use since 1 September 2025." in report["findings"][0]["changes"]
    assert report["sources"][0]["kind"] == "http"
    assert report["usage"]["total_keys"] == 6
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(TOKEN.encode() in text for text in written)
    assert TOKEN not in output.out + output.err


def test_a_run_over_an_endpoint_that_refuses_is_a_wrong_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is 2, the reason stands on stderr, and the report says that nothing was judged."""
    monkeypatch.chdir(tmp_path)
    with endpoint(lambda request: answer({}, 401)) as served:
        (tmp_path / "config.yaml").write_text(f"source: {{kind: http, url: '{served.url}', token: '{TOKEN}'}}\n")
        with pytest.raises(SystemExit) as ended:
            main(["run", "--day", str(DAY)])
    output = capsys.readouterr()
    assert ended.value.code == 2
    assert "the token is not accepted" in output.err
    assert output.out.startswith("The day could not be evaluated")


def test_check_says_what_an_endpoint_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """check counts the keys and gives the watermark. Without any last activity it says what is missing."""
    monkeypatch.chdir(tmp_path)
    keys = [key("a", last_activity="2026-03-17T10:00:00Z"), key("b")]
    with endpoint(lambda request: page(*keys)) as served:
        (tmp_path / "config.yaml").write_text(f"source: {{kind: http, url: '{served.url}', token: '{TOKEN}'}}\n")
        with pytest.raises(SystemExit) as ended:
            main(["check"])
        assert ended.value.code in (None, 0)
        output = capsys.readouterr().out
        assert "main (http, by-key): readable" in output
        assert "2 in the register" in output
        assert "2026-03-17 10:00:00 UTC" in output
        keys[:] = [key("b")]
        with pytest.raises(SystemExit) as ended:
            main(["check"])
    assert ended.value.code == 2
    assert "its keys need last_activity" in capsys.readouterr().err

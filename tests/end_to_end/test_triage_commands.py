"""Triage as people type it, and what the reports then say."""

from __future__ import annotations

import getpass
import json
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from detector.cli.main import cli
from tests.end_to_end.test_command_line import DAY, Console, detector, organization, write

__all__ = ["detector", "organization"]  # the fixtures

BEFORE = DAY - timedelta(days=1)
WEEK = str(DAY + timedelta(days=7))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keeps the judged organization, as pulling sixty days for every test takes long."""
    return tmp_path_factory.mktemp("judged")


@pytest.fixture
def judged(organization: Path, detector: Console, archive: Path) -> Path:
    """The organization with its last day judged: ``hot`` spikes and ``lab`` strays."""
    if any(archive.iterdir()):
        shutil.copytree(archive, organization, dirs_exist_ok=True)
    else:
        detector("run", "--day", str(DAY))
        shutil.copytree(organization, archive, dirs_exist_ok=True)
    return organization


def run(detector: Console, day: date = DAY) -> dict[str, Any]:
    """Judge a day (again); its report."""
    document: dict[str, Any] = json.loads(detector("run", "--day", str(day), "--format", "json"))
    return document


def rendered(detector: Console, day: date = DAY, code: int = 0) -> dict[str, Any]:
    """A past day rendered again, without what names the rendering."""
    document: dict[str, Any] = json.loads(detector("report", str(day), "--format", "json", code=code))
    return {name: value for name, value in document.items() if name not in ("report_id", "generated_at", "run")}


def of(document: dict[str, Any], key: str | None) -> dict[str, Any]:
    """The one finding on a key."""
    (found,) = [finding for finding in document["findings"] if finding["key_id"] == key]
    return dict(found)


def finding_id(detector: Console, key: str = "hot") -> str:
    """The id of the finding on a key."""
    return str(of(rendered(detector), key)["finding_id"])


def entries(detector: Console, *options: str) -> list[dict[str, Any]]:
    """What ``triage list`` lists."""
    listed: list[dict[str, Any]] = json.loads(detector("triage", "list", "--format", "json", *options))
    return listed


def test_a_muted_finding_leaves_the_verdict_and_the_counts_until_it_is_unmuted(
    judged: Path, detector: Console
) -> None:
    """The same day run again says what people want to hear, and nothing is lost."""
    before = run(detector)
    identity = finding_id(detector)
    told = detector("triage", "mute", "--finding", identity[:8], "--until", WEEK, "--reason", "load test")
    assert told.startswith(f"Muted (1): finding {identity[:12]} from {DAY} until {WEEK}, by {getpass.getuser()}")

    quiet = run(detector)
    assert (before["summary"]["verdict"], quiet["summary"]["verdict"]) == (
        "Two keys need a look",
        "One key needs a look",
    )
    assert quiet["summary"]["open"] == before["summary"]["open"] - 1
    assert quiet["summary"]["raised"] == before["summary"]["raised"] - 1
    assert quiet["summary"]["by_status"] == {"muted": 1, "new": 1}
    assert quiet["summary"]["budget"]["raised"] == before["summary"]["budget"]["raised"] - 1
    assert "usage_spike" not in quiet["summary"]["by_type"]
    assert of(quiet, "hot")["status"] == "muted"
    assert of(quiet, "hot")["muted"].endswith("until 24 March 2026 (entry 1): load test")
    assert of(quiet, "lab") == of(before, "lab")
    assert [(mute["id"], mute["findings"]) for mute in quiet["mutes"]] == [(1, 1)]

    detector("triage", "unmute", "--finding", identity[:8])
    again = run(detector)
    for part in ("findings", "summary", "mutes", "coverage", "usage"):
        assert again[part] == before[part]
    assert [entry["state"] for entry in entries(detector, "--all")] == ["ended"]
    assert entries(detector) == []


def test_a_mute_does_not_stop_the_clock_of_a_finding(judged: Path, detector: Console) -> None:
    """A muted day is a sighting: once the mute has ended, the finding is ongoing and not new."""
    rows = [line.split(",") for line in (judged / "usage.csv").read_text().splitlines()[1:]]
    last = DAY + timedelta(days=1)
    rows += [[str(last), *rest] for day, *rest in rows if day == str(DAY)]
    write(judged / "usage.csv", "day key_id endpoint deployment request_count error_count", rows)
    detector("triage", "mute", "--key", "lab", "--until", str(DAY), "--reason", "moving")
    assert of(run(detector), "lab")["status"] == "muted"
    tomorrow = of(run(detector, last), "lab")
    assert (tomorrow["status"], tomorrow["days"], tomorrow["muted"]) == ("ongoing", 2, None)


@pytest.mark.parametrize(
    "target",
    [
        ("--key", "hot"),
        ("--team", "search"),
        ("--pattern", "h?t"),
        ("--pattern", "hot p*"),
        ("--key", "hot", "--type", "usage_spike"),
    ],
)
def test_every_kind_of_target_mutes_what_it_names(
    judged: Path, detector: Console, target: tuple[str, ...]
) -> None:
    """And the other finding stays; `unmute` takes the same target."""
    detector("triage", "mute", *target, "--until", WEEK, "--reason", "load test")
    assert {item["key_id"]: item["status"] for item in rendered(detector)["findings"]} == {
        "hot": "muted",
        "lab": "new",
    }
    detector("triage", "unmute", *target)
    assert of(rendered(detector), "hot")["status"] == "new"


def test_a_mute_of_another_type_mutes_nothing_and_is_listed(judged: Path, detector: Console) -> None:
    """In the report too, so that nobody wonders."""
    mute = ("--key", "hot", "--type", "dormant_wake", "--until", WEEK, "--reason", "x")
    detector("triage", "mute", *mute)
    report = rendered(detector)
    assert of(report, "hot")["status"] == "new"
    assert [(mute["target"], mute["type"], mute["findings"]) for mute in report["mutes"]] == [
        ("hot", "dormant_wake", 0)
    ]


def test_an_expired_mute_applies_to_its_days_and_no_others(judged: Path, detector: Console) -> None:
    """A mute until the day before says nothing about the day; its own days still tell it."""
    until = ("--from", str(DAY - timedelta(days=5)), "--until", str(BEFORE), "--reason", "old test")
    detector("triage", "mute", "--pattern", "*", *until)
    assert {item["status"] for item in rendered(detector)["findings"]} == {"new"}
    assert rendered(detector)["mutes"] == []
    assert [mute["target"] for mute in rendered(detector, BEFORE)["mutes"]] == ["*"]
    assert entries(detector) == []
    assert [entry["state"] for entry in entries(detector, "--all")] == ["over"]


def test_an_old_day_is_rendered_with_what_is_known_of_it_today(judged: Path, detector: Console) -> None:
    """A mute from back then on, entered later."""
    assert of(rendered(detector), "hot")["status"] == "new"
    detector("triage", "mute", "--key", "hot", "--from", str(BEFORE), "--until", WEEK, "--reason", "known")
    assert of(rendered(detector), "hot")["status"] == "muted"


def test_the_same_triage_gives_the_same_bytes(judged: Path, detector: Console) -> None:
    """Outside report_id, generated_at and run."""
    detector("triage", "mute", "--key", "hot", "--until", WEEK, "--reason", "load test")
    detector("triage", "ack", "--key", "lab")
    path = judged / "var" / "reports" / str(DAY) / "report.json"
    texts = []
    for _ in range(2):
        run(detector)
        lines = path.read_text().splitlines()
        document = json.loads("\n".join(lines))
        named = ("run_id", "started_at", "seconds", "report_id", "generated_at")
        texts.append([line for line in lines if not any(f'"{name}"' in line for name in named)])
        assert of(document, "lab")["acknowledged"]
    assert texts[0] == texts[1]


def test_an_acknowledged_finding_stays_in_the_counts(judged: Path, detector: Console) -> None:
    """It is only marked."""
    before = rendered(detector)
    detector("triage", "ack", "--finding", finding_id(detector), "--reason", "on it", "--by", "sam")
    after = rendered(detector)
    assert after["summary"] == before["summary"]
    assert of(after, "hot")["acknowledged"] == "Acknowledged by sam from 17 March 2026 (entry 1): on it"
    assert "Acknowledged by sam" in detector("run", "--day", str(DAY))
    assert "Acknowledged by sam" in (judged / "var" / "reports" / str(DAY) / "report.html").read_text()


def test_verdicts_make_the_precision_of_each_type(judged: Path, detector: Console) -> None:
    """A later one replaces an earlier one; days before the finding do not count it."""
    detector("triage", "verdict", "--finding", finding_id(detector), "false")
    detector("triage", "verdict", "--key", "hot", "true", "--reason", "a leaked key")
    detector("triage", "verdict", "--team", "data", "--day", str(DAY), "planned")
    report = rendered(detector)
    assert report["summary"]["precision"] == {"usage_spike": {"judged": 1, "true": 1}}
    assert (of(report, "hot")["verdict"], of(report, "lab")["verdict"]) == ("true", "planned")
    assert rendered(detector, BEFORE)["summary"]["precision"] == {}
    assert [entry["verdict"] for entry in entries(detector)] == ["true", "planned"]
    assert "Of 1 usage spike with a verdict, 1 was real." in detector("run", "--day", str(DAY))


def test_missing_data_are_not_muted_by_a_pattern(organization: Path, detector: Console) -> None:
    """Only by their own id, and even then the report does not call it an all-clear."""
    empty = DAY + timedelta(days=1)
    detector("run", "--day", str(empty), code=4)
    detector("triage", "mute", "--pattern", "*", "--until", WEEK, "--reason", "all of it")
    (gap,) = [item for item in rendered(detector, empty, 4)["findings"] if item["type"] == "data_quality"]
    assert gap["status"] == "new"
    detector("triage", "mute", "--finding", gap["finding_id"], "--until", WEEK, "--reason", "known outage")
    report = rendered(detector, empty, 4)
    (gap,) = [item for item in report["findings"] if item["type"] == "data_quality"]
    assert gap["status"] == "muted"
    assert report["summary"]["outcome"] == "could_not_judge"


def test_backtest_knows_nothing_of_triage(judged: Path, detector: Console) -> None:
    """It asks what the rules raise, not what people want to hear."""
    detector("triage", "mute", "--pattern", "*", "--until", WEEK, "--reason", "all of it")
    detector("backtest", "--from", str(DAY), "--to", str(DAY), "--out", "bt")
    lines = [json.loads(line) for line in (judged / "bt" / "findings.ndjson").read_text().splitlines()]
    assert {(line["key_id"], line["status"], line["muted"]) for line in lines} == {
        ("hot", "new", None),
        ("lab", "new", None),
    }


def test_the_list_is_a_table_for_people(judged: Path, detector: Console) -> None:
    """One line an entry, with the number that ends it; hostile text is spelled out on one line."""
    assert "no triage entries in force" in detector("triage", "list")
    detector("triage", "mute", "--key", "\x1b[2J\u202eevil", "--until", WEEK, "--reason", "a\nb\x1b[31m")
    detector("triage", "ack", "--team", "search", "--reason", "known")
    table = detector("triage", "list")
    assert not {"\x1b", "\u202e"} & set(table)
    assert len(table.splitlines()) <= 6
    detector("triage", "unmute", "1")
    assert "mute" not in detector("triage", "list")
    assert "ended" in detector("triage", "list", "--all")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mute", "--key", "hot", "--until", WEEK), "needs a --reason"),
        (("mute", "--key", "hot", "--until", WEEK, "--reason", " "), "needs a --reason"),
        (("mute", "--key", "hot", "--reason", "x"), "needs an end: --until YYYY-MM-DD"),
        (
            ("mute", "--key", "hot", "--reason", "x", "--until", str(BEFORE)),
            "lies before the first day, 2026-03-17",
        ),
        (("mute", "--key", "hot", "--reason", "x", "--until", "soon"), "write it as YYYY-MM-DD"),
        (("mute", "--reason", "x", "--until", WEEK), "name a target"),
        (("ack", "--key", "hot", "--team", "search"), "name one target, not 2: --key, --team"),
        (("ack", "--key", " "), "--key is empty"),
        (("ack", "--finding", "abcdef", "--type", "usage_spike"), "a finding has one type already"),
        (("ack", "--key", "hot", "--type", "usage_spik"), "did you mean usage_spike?"),
        (("ack", "--finding", "abc"), "give at least 6 characters"),
        (("ack", "--finding", "zzzzzz"), "no finding has an id that begins with 'zzzzzz'; the latest are"),
        (("unmute",), "say which mute"),
        (("unmute", "7"), "there is no mute in force with the number 7"),
        (("unmute", "--key", "hot"), "there is no mute in force on key 'hot'"),
        (("verdict", "--key", "hot", "maybe"), "'maybe' is not one of"),
        (("verdict", "--key", "key1", "true"), "no finding of key 'key1' was seen on 2026-03-17"),
        (("verdict", "--key", "hot", "--day", str(BEFORE), "true"), "was seen on 2026-03-16"),
        (("verdict", "--key", "hot", "--day", "9999-12-31", "true"), "has not been evaluated yet"),
        (("frobnicate",), "No such command"),
    ],
)
def test_bad_usage_is_one_clear_line_and_exit_2(
    judged: Path, detector: Console, arguments: tuple[str, ...], message: str
) -> None:
    """It says what is missing, and nothing is logged."""
    detector("triage", *arguments, code=2)
    assert message in detector.error
    assert "Traceback" not in detector.error
    assert entries(detector, "--all") == []


def test_a_mistyped_finding_id_names_near_ones(judged: Path, detector: Console) -> None:
    """With their type and key."""
    identity = finding_id(detector)
    wrong = identity[:7] + ("0" if identity[7] != "0" else "1")
    detector("triage", "ack", "--finding", wrong, code=2)
    assert f"did you mean {identity[:12]} (usage_spike on hot)" in detector.error


def test_an_unknown_login_name_has_to_be_given(
    judged: Path, detector: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is made up."""

    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr(getpass, "getuser", nobody)
    detector("triage", "ack", "--key", "hot", code=2)
    assert "say who with --by NAME" in detector.error
    detector("triage", "ack", "--key", "hot", "--by", "sam")


def test_triage_needs_no_source(judged: Path, detector: Console) -> None:
    """People may speak while the source is down, and before any day was judged."""
    (judged / "usage.csv").unlink()
    assert "hot" in detector("triage", "ack", "--key", "hot", "--set", "state.url=sqlite:///fresh.db")


@pytest.mark.parametrize("command", cli.commands["triage"].commands)  # type: ignore[attr-defined]
def test_every_command_of_triage_has_help_with_examples(detector: Console, command: str) -> None:
    """The examples can be copied."""
    output = detector("triage", command, "--help")
    assert "Example" in output
    assert f"python -m detector triage {command}" in output
    assert "--config" in output

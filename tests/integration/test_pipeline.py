"""A day from source to report, through every real part but the source."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from detector import detectors
from detector.config.load import load
from detector.config.plugins import REPORTERS
from detector.detectors.judgement import Judgement
from detector.model.errors import DONE, FAILURE, PARTIAL, DeliveryError
from detector.model.panel import Panel
from detector.pipeline import (
    Job,
    RunResult,
    Sending,
    prepare_messages,
    run_day,
    send_digest,
    send_waiting,
)
from detector.state.database import State
from detector.usage.history import History
from tests.fakes import OWNER, FakeChannel, FakeSource, groups

DAY = date(2026, 3, 17)
NOW = datetime(2026, 3, 18, 2, 30, tzinfo=UTC)
REGISTER = [{"key_id": f"k{number}", "environment": "live", "team": "payments"} for number in range(5)]


def history_of(counts: Mapping[str, Sequence[int]], last: date = DAY) -> dict[date, pd.DataFrame]:
    """Usage of consecutive days up to ``last``; a zero is no row, None a day without any row."""
    length = max(len(values) for values in counts.values())
    usage = {}
    for index in range(length):
        rows = {key: values[index] for key, values in counts.items() if values[index]}
        if rows:
            usage[last - timedelta(days=length - 1 - index)] = groups(**rows)
    return usage


STEADY = {f"k{number}": [40 + number, 42 + number, 38 + number] * 30 + [41 + number] for number in range(5)}


@pytest.fixture
def run(tmp_path: Path):
    """Run a day over a source in a folder of its own; later calls go on in the same folder."""
    (tmp_path / "config.yaml").write_text(
        "source: {kind: files, usage: none.csv}\nhistory: {first_pull_days: 91}\n"
    )
    config = load(tmp_path / "config.yaml")

    def _run(source: FakeSource, day: date = DAY, now: datetime = NOW) -> RunResult:
        with closing(State.of(config)) as state:
            return run_day(Job(config, source, History(Path(config.history.path), config.zone), state, now), day)

    _run.config = config
    return _run


def document(outcome: RunResult) -> dict[str, Any]:
    """The report.json of a run."""
    (path,) = [path for path in outcome.files if path.name == "report.json"]
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def types(outcome: RunResult) -> list[tuple[str, str | None, str]]:
    """Type, key and status of every finding."""
    return [(item["type"], item["key_id"], item["status"]) for item in document(outcome)["findings"]]


def test_an_ordinary_day_is_an_all_clear_that_says_what_it_looked_at(run) -> None:
    """Every key judged, nothing found."""
    outcome = run(FakeSource(history_of(STEADY), REGISTER))
    assert outcome.exit_code == DONE
    assert outcome.report.summary.outcome == "clear"
    assert outcome.report.summary.verdict == "Nothing to look at"
    assert outcome.report.coverage.keys_judged == 5


def test_a_second_run_writes_the_same_bytes(run) -> None:
    """Outside report_id, generated_at and run."""
    counts = STEADY | {"k0": [*STEADY["k0"][:-1], 900]}
    first = run(FakeSource(history_of(counts), REGISTER))
    texts = [path.read_text() for path in first.files]
    second = run(FakeSource(history_of(counts), REGISTER), now=NOW + timedelta(hours=3))
    assert [path.read_text() for path in second.files] != texts
    for before, path in zip(texts, second.files, strict=True):
        assert _timeless(path.read_text(), second) == _timeless(before, first)


def _timeless(text: str, outcome: RunResult) -> str:
    """The text without what names the run."""
    text = text.replace(str(outcome.report.run["run_id"]), "RUN")
    return re.sub(r"18 Mar(ch)? 2026,? \d\d:\d\d|2026-03-18T\d\d:\d\d:\d\dZ|2026-03-18 \d\d:\d\d", "WHEN", text)


def test_a_finding_lives_from_new_to_resolved_to_reopened(run) -> None:
    """Its identity stays, its episode counts."""
    spike, counts = [*STEADY["k0"][:-1], 900], dict(STEADY)
    days = [DAY + timedelta(days=offset) for offset in range(4)]
    counts["k0"] = [*spike, 40, 900, 41]
    for key in ("k1", "k2", "k3", "k4"):
        counts[key] = [*STEADY[key], 41, 41, 41]
    source = FakeSource(history_of(counts, last=days[-1]), REGISTER)
    seen = []
    for offset, day in enumerate(days):
        findings = document(run(source, day, NOW + timedelta(days=offset)))["findings"]
        seen.append([(item["status"], item["episode"]) for item in findings if item["key_id"] == "k0"])
    assert seen == [[("new", 1)], [("resolved", 1)], [("reopened", 2)], [("resolved", 2)]]


def test_an_empty_day_is_an_alarm_and_not_an_all_clear(run) -> None:
    """Nobody was judged, and the report says so."""
    outcome = run(
        FakeSource(
            history_of({key: values[:-1] for key, values in STEADY.items()}, DAY - timedelta(days=1)),
            REGISTER,
        )
    )
    assert outcome.report.summary.verdict == "The day could not be evaluated, because the source holds no request"
    assert outcome.report.summary.outcome == "could_not_judge"
    assert types(outcome) == [("data_quality", None, "new")]
    assert outcome.report.coverage.withheld == ()


def test_a_source_that_fails_still_gives_a_report(run) -> None:
    """The exit code of the source, could not judge, and the source's error in it."""
    source = FakeSource(history_of(STEADY), REGISTER)
    run(source)
    source.broken_from = DAY + timedelta(days=1)
    outcome = run(source, DAY + timedelta(days=1), NOW + timedelta(days=1))
    assert outcome.exit_code == FAILURE
    assert outcome.report.summary.outcome == "could_not_judge"
    assert outcome.report.summary.subline == "source main: the connection was closed"
    assert document(outcome)["sources"][0]["error"] == "source main: the connection was closed"
    assert document(outcome)["usage"]["total_keys"] == 5


class Broken(detectors.Detector):
    """A detector with a fault in it."""

    kind = "broken"
    is_rule = True

    def judge(self, panel: Panel) -> Judgement:
        raise ZeroDivisionError("spread of zero")


class FailingNames(Broken):
    """The detector of names, with a fault in it."""

    kind = "name_mismatch"


def test_a_detector_that_fails_does_not_silence_the_others(run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named in the report, and the run is partial."""
    monkeypatch.setitem(detectors.DETECTORS, "broken", f"{__name__}:Broken")
    outcome = run(FakeSource(history_of(STEADY | {"k0": [*STEADY["k0"][:-1], 900]}), REGISTER))
    assert outcome.exit_code == PARTIAL
    assert ("usage_spike", "k0", "new") in types(outcome)
    assert outcome.report.coverage.failures == ("broken failed: ZeroDivisionError: spread of zero",)


def test_a_detector_that_fails_for_a_day_ends_no_finding_of_its_type(run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The day after goes on in the same episode; a run of the day again finds the same."""
    register = [{**REGISTER[0], "name": "checkout-staging"}, *REGISTER[1:]]
    counts = {key: [*values, 41, 41] for key, values in STEADY.items()}
    days = [DAY + timedelta(days=offset) for offset in range(3)]
    source = FakeSource(history_of(counts, last=days[-1]), register)
    lives = []

    def lived(day: date) -> None:
        outcome = run(source, day, NOW + (day - DAY))
        found = [item for item in document(outcome)["findings"] if item["type"] == "name_mismatch"]
        lives.extend((item["status"], item["episode"], item["days"]) for item in found)

    lived(days[0])
    with monkeypatch.context() as patch:
        patch.setitem(detectors.DETECTORS, "name_mismatch", f"{__name__}:FailingNames")
        outcome = run(source, days[1], NOW + timedelta(days=1))
    assert outcome.report.coverage.complete
    assert outcome.report.coverage.withheld == ("resolution",)
    lived(days[2])
    lived(days[2])
    assert lives == [("new", 1, 1), ("ongoing", 1, 2), ("ongoing", 1, 2)]


class FullDisk:
    """A reporter whose disk is full."""

    def write(self, report: object, directory: Path, *, shared: bool = False) -> Path:
        raise OSError(28, "No space left on device")


def test_a_format_that_fails_does_not_cost_the_others(run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The JSON is there, and the run is partial."""
    monkeypatch.setitem(REPORTERS, "html", f"{__name__}:FullDisk")
    outcome = run(FakeSource(history_of(STEADY), REGISTER))
    assert outcome.exit_code == PARTIAL
    assert [path.name for path in outcome.files] == ["report.json"]


@pytest.mark.parametrize(
    ("usage", "register", "verdict"),
    [
        ({}, [], "The day could not be evaluated, because the source holds no request"),
        ({}, REGISTER, "The day could not be evaluated, because the source holds no request"),
        ({DAY: groups(k0=5)}, [], "The day could not be evaluated, because no key has enough history yet"),
        (history_of({"k0": [20] * 91}), [], "Nothing to look at"),
        (history_of({"k0": [20] * 90 + [300]}), [], "One key needs a look"),
        (history_of({"k0": [20] * 40 + [0] + [20] * 50}), [], "Nothing to look at"),
        (history_of({"k0": [1] * 91}), [{"key_id": "k0"}, {"key_id": "zero"}], "Nothing to look at"),
    ],
    ids=[
        "empty source",
        "empty source with a register",
        "one key, one day",
        "one constant key",
        "one key that spikes",
        "a day missing in the middle",
        "an all-zero history",
    ],
)
def test_a_poor_history_gives_a_true_statement(run, usage, register, verdict: str) -> None:
    """No crash, and no all-clear over nothing."""
    outcome = run(FakeSource(usage, register))
    assert outcome.report.summary.verdict == verdict
    assert {path.name for path in outcome.files} == {"report.html", "report.json"}


def test_a_missing_day_is_named_in_the_report(run) -> None:
    """A gap is shown, not counted as silence."""
    outcome = run(FakeSource(history_of({"k0": [20] * 40 + [0] + [20] * 50}), []))
    assert outcome.report.coverage.missing_days == (DAY - timedelta(days=50),)


def test_a_key_that_nobody_registered_is_a_fact_of_the_report(run) -> None:
    """It is in the answer and in a finding, not dropped."""
    outcome = run(FakeSource(history_of(STEADY | {"ghost": [0] * 90 + [12]}), REGISTER))
    assert outcome.report.coverage.unregistered_keys == ("ghost",)
    assert "ghost" in document(outcome)["findings"][0]["reason"]
    answer = {key["key_id"]: key for key in document(outcome)["usage"]["keys"]}
    assert (answer["ghost"]["request_count"], answer["ghost"]["environment"]) == (12, "unknown")


def test_a_revoked_key_in_use_is_kept_aside_and_reported(run) -> None:
    """It is not in the answer, but nobody can miss it."""
    register = [{**REGISTER[0], "revoked_at": "2026-03-01"}, *REGISTER[1:]]
    outcome = run(FakeSource(history_of(STEADY), register))
    assert outcome.report.coverage.revoked_keys_in_use == ("k0",)
    assert "k0" not in {key["key_id"] for key in document(outcome)["usage"]["keys"]}


# Delivery


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch) -> FakeChannel:
    """The one channel of the run, in memory."""
    fake = FakeChannel()
    monkeypatch.setattr("detector.pipeline.open_channels", lambda config, edition="": [fake])
    return fake


def job_of(run, source: FakeSource, **settings: Any) -> Job:
    """A job over a state in memory."""
    config = run.config
    return Job(
        config, source, History(Path(config.history.path), config.zone), State("sqlite://", OWNER), NOW, **settings
    )


def test_a_day_is_sent_after_it_was_recorded_and_only_once(run, channel: FakeChannel) -> None:
    """A run again sends nothing, unless it is asked to."""
    job = job_of(run, FakeSource(history_of(STEADY), REGISTER))
    for _ in range(2):
        assert run_day(job, DAY).exit_code == DONE
    assert [message.payload for message in channel.sent] == [b"Nothing to look at"]
    run_day(job, DAY, Sending.AGAIN)
    assert len(channel.sent) == 2
    run_day(job, DAY + timedelta(days=1), Sending.NEVER)
    assert len(channel.sent) == 2


def test_what_was_refused_for_good_is_in_the_next_report_and_its_exit_code(run, channel: FakeChannel) -> None:
    """Once, and it does not pass for an error of the source."""
    job = job_of(run, FakeSource(history_of(STEADY), REGISTER))
    channel.answers = {"a@example.com": [DeliveryError("550 no such user", permanent=True)]}
    first = run_day(job, DAY)
    assert first.exit_code == PARTIAL
    assert "550 no such user" in first.failures[0]
    job.failures.clear()
    second = run_day(job, DAY)
    assert second.exit_code == PARTIAL
    assert "550 no such user" in second.report.coverage.failures[0]
    assert second.report.sources[0].error is None
    job.failures.clear()
    assert run_day(job, DAY).exit_code == DONE


def test_a_channel_that_cannot_prepare_its_message_is_recorded_and_others_go_on(
    run, channel: FakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The day is judged and told to the others all the same."""
    broken = FakeChannel("webhook siem")
    monkeypatch.setattr(broken, "messages", lambda reports: reports[7])
    monkeypatch.setattr("detector.pipeline.open_channels", lambda config, edition="": [broken, channel])
    outcome = run_day(job_of(run, FakeSource(history_of(STEADY), REGISTER)), DAY)
    assert outcome.exit_code == PARTIAL
    assert "nothing could be prepared for webhook siem: IndexError" in outcome.failures[0]
    assert len(channel.sent) == 1


def test_days_that_are_caught_up_are_told_together(run, channel: FakeChannel) -> None:
    """Their own messages wait until the digest takes their place."""
    job = job_of(run, FakeSource(history_of(STEADY), REGISTER))
    days = [DAY - timedelta(days=1), DAY]
    outcomes = [run_day(job, day, Sending.LATER) for day in days]
    send_waiting(job)
    assert channel.sent == []
    send_digest(job, outcomes)
    assert [message.day for message in channel.sent] == [DAY]
    assert prepare_messages(job, [outcomes[-1].report], Sending.NEVER) is None

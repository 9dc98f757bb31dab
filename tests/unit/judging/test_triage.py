"""What people say, laid over findings."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.judging.triage import apply, covers, mutes_in_force, precision
from detector.model.finding import Finding, Severity, Status
from detector.model.triage import Precision, TriageEntry, Verdict
from detector.reports import verdicts
from detector.reports.terminal import text
from detector.reports.terminal.triage import state
from tests import report_examples
from tests.report_examples import DAY, example_findings, finding, said

SPIKE, WAKE, *_ = example_findings()
FLEET = finding("f-data", "data_quality", "Data incomplete", None, None, None, severity=Severity.HIGH)
WEEK = DAY + timedelta(days=7)


def mute(kind: str, target: str, **facts: Any) -> TriageEntry:
    """A mute for a week from the day on."""
    return said("mute", kind, target, **{"reason": "load test", "until_day": WEEK, **facts})


ids = st.sampled_from(["f1", "f2", "f3", "f4"])
keys = st.sampled_from(["hot", "lab", None])
names = st.sampled_from(["hot path", "lab", None])
teams = st.sampled_from(["search", "data", None])
types = st.sampled_from(["usage_spike", "data_quality"])
days = st.dates(DAY - timedelta(days=3), DAY + timedelta(days=3))
findings_of_a_day = st.lists(
    st.builds(
        lambda identity, kind, key, name, team, status, episode: finding(
            identity, kind, "Title", key, name, team, status=status, episode=episode
        ),
        ids,
        types,
        keys,
        names,
        teams,
        st.sampled_from([status for status in Status if status is not Status.MUTED]),
        st.integers(1, 2),
    ),
    unique_by=lambda found: found.finding_id,
)


@st.composite
def entries(draw: st.DrawFn) -> list[TriageEntry]:
    """A log of up to six entries of every kind."""
    log = []
    for number in range(1, draw(st.integers(0, 6)) + 1):
        action = draw(st.sampled_from(["ack", "mute", "verdict"]))
        kind, target = draw(
            st.one_of(
                st.tuples(st.just("finding"), ids),
                st.tuples(st.just("key"), st.sampled_from(["hot", "lab"])),
                st.tuples(st.just("team"), st.sampled_from(["search", "data"])),
                st.tuples(st.just("pattern"), st.sampled_from(["h*", "*", "[!h]*", ""])),
            )
        )
        log.append(
            said(
                action,
                kind,
                target,
                type=draw(st.none() | types),
                from_day=draw(days),
                until_day=draw(st.none() | days),
                ended_at=draw(st.sampled_from([None, None, report_examples.LOCAL_DAY.end])),
                verdict=draw(st.sampled_from([str(word) for word in Verdict])) if action == "verdict" else None,
                episode=draw(st.none() | st.integers(1, 2)),
                id=number,
            )
        )
    return log


@given(findings_of_a_day, entries(), days)
def test_applying_twice_is_the_same_as_once(found: list[Finding], log: list[TriageEntry], day: date) -> None:
    """A report may be rendered from what was rendered before."""
    once = apply(found, log, day)
    assert apply(once, log, day) == once


@given(findings_of_a_day, entries(), days)
def test_triage_changes_nothing_but_what_it_says(found: list[Finding], log: list[TriageEntry], day: date) -> None:
    """No finding comes or goes, and but for the muted every status is what it was."""
    told = apply(found, log, day)
    assert Counter(item.finding_id for item in told) == Counter(item.finding_id for item in found)
    before = {item.finding_id: item for item in found}
    for item in told:
        was = before[item.finding_id]
        status = was.status if item.status is Status.MUTED else item.status
        assert replace(item, status=status, acknowledged=None, muted=None, verdict=None) == was
        assert (item.status is Status.MUTED) == (item.muted is not None)


@given(findings_of_a_day, entries(), days)
def test_only_its_own_id_mutes_a_finding_on_the_fleet(
    found: list[Finding], log: list[TriageEntry], day: date
) -> None:
    """That data are missing is not hidden by a pattern."""
    broad = [entry for entry in log if entry.target_kind != "finding"]
    assert all(item.status is not Status.MUTED for item in apply(found, broad, day) if item.key_id is None)


@given(findings_of_a_day, entries(), days)
def test_order_is_open_then_muted_then_resolved(found: list[Finding], log: list[TriageEntry], day: date) -> None:
    """And within each what it was."""
    told = apply(found, log, day)
    places = [{Status.MUTED: 1, Status.RESOLVED: 2}.get(item.status, 0) for item in told]
    assert places == sorted(places)
    held = [item.finding_id for item in told if not item.muted and item.status is not Status.RESOLVED]
    assert held == [item.finding_id for item in found if item.finding_id in held]


@pytest.mark.parametrize(
    ("entry", "covered"),
    [
        (mute("finding", "f-7f3a-spike"), True),
        (mute("finding", "f-7f3a"), False),
        (mute("key", "key_7f3a"), True),
        (mute("key", "key_*"), False),
        (mute("team", "payments"), True),
        (mute("team", "search"), False),
        (mute("pattern", "key_7*"), True),
        (mute("pattern", "billing-*"), True),
        (mute("pattern", "Billing-*"), False),
        (mute("pattern", "billing"), False),
        (mute("key", "key_7f3a", type="usage_spike"), True),
        (mute("key", "key_7f3a", type="error_surge"), False),
    ],
)
def test_a_target_covers_the_findings_that_match(entry: TriageEntry, covered: bool) -> None:
    """Ids, teams and patterns exactly; a pattern on the key's id or its name."""
    assert covers(entry, SPIKE) is covered


def test_a_mute_lasts_through_its_last_day() -> None:
    """And not before its first, nor after."""
    days = {-1: False, 0: True, 7: True, 8: False}
    entry = mute("key", "key_7f3a")
    seen = {day: apply([SPIKE], [entry], DAY + timedelta(days=day))[0].status is Status.MUTED for day in days}
    assert seen == days


def test_an_ended_mute_applies_to_no_day() -> None:
    """Past days included."""
    entry = mute("key", "key_7f3a", ended_at=report_examples.LOCAL_DAY.end)
    assert apply([SPIKE], [entry], DAY) == [SPIKE]


def test_a_muted_finding_says_who_why_and_until_when() -> None:
    """By the mute that lasts longest."""
    short, long = mute("key", "key_7f3a", until_day=DAY, id=8), mute("team", "payments", by="sam", id=9)
    (told,) = apply([SPIKE], [long, short], DAY)
    assert told.muted == "Muted by sam from 22 November 2026 until 29 November 2026 (entry 9): load test"


def test_an_acknowledged_finding_stays_what_it_is() -> None:
    """It only carries the mark, of the last who said so."""
    marks = [said("ack", "key", "key_7f3a", id=1), said("ack", "key", "key_7f3a", by="sam", id=2)]
    (told,) = apply([SPIKE], marks, DAY)
    assert told == replace(SPIKE, acknowledged="Acknowledged by sam from 22 November 2026 (entry 2)")


def test_an_acknowledgement_of_an_episode_ends_with_it() -> None:
    """When the behaviour comes back, somebody has to look again."""
    mark = said("ack", "finding", SPIKE.finding_id, episode=1, id=1)
    assert apply([replace(SPIKE, episode=2)], [mark], DAY)[0].acknowledged is None


def test_only_its_own_id_mutes_missing_data() -> None:
    """Which somebody has to mean."""
    assert apply([FLEET], [mute("pattern", "*"), mute("pattern", "*", type="data_quality")], DAY) == [FLEET]
    assert apply([FLEET], [mute("finding", "f-data")], DAY)[0].status is Status.MUTED


def test_a_resolved_finding_is_not_muted() -> None:
    """That it is over may be told; the verdict on it is."""
    over = replace(SPIKE, status=Status.RESOLVED)
    verdict = said("verdict", "finding", SPIKE.finding_id, type=SPIKE.type, verdict="true", episode=1)
    assert apply([over], [mute("key", "key_7f3a"), verdict], DAY) == [replace(over, verdict="true")]


def verdict(of: str, says: str, kind: str = "usage_spike", **facts: Any) -> TriageEntry:
    """A verdict on an episode of a finding."""
    return said("verdict", "finding", of, **{"type": kind, "verdict": says, "episode": 1, **facts})


def test_precision_counts_verdicts_by_type() -> None:
    """True ones are real, false and benign ones are not, planned ones are left out."""
    log = [
        verdict("a", "true"),
        verdict("b", "false"),
        verdict("c", "benign"),
        verdict("d", "planned"),
        verdict("a", "true", episode=2),
        verdict("e", "planned", "dormant_wake"),
        verdict("f", "false", "error_surge"),
    ]
    assert precision(log, DAY) == {"error_surge": Precision(1, 0), "usage_spike": Precision(4, 2)}


def test_a_later_verdict_replaces_an_earlier_one() -> None:
    """In the finding and in the figures."""
    log = [verdict(SPIKE.finding_id, "true"), verdict(SPIKE.finding_id, "false")]
    assert precision(log, DAY) == {"usage_spike": Precision(1, 0)}
    assert apply([SPIKE], log, DAY)[0].verdict == "false"


def test_a_verdict_on_a_later_episode_does_not_change_an_old_report() -> None:
    """An old report counts what had been found by then."""
    log = [verdict("a", "true", from_day=DAY + timedelta(days=1))]
    assert precision(log, DAY) == {}
    assert precision(log, DAY + timedelta(days=1)) == {"usage_spike": Precision(1, 1)}


def test_mutes_in_force_are_listed_with_and_without_findings() -> None:
    """Nobody is to forget one."""
    log = [mute("key", "key_7f3a", id=1), mute("key", "nobody", id=2), mute("key", "x", until_day=DAY, id=3)]
    day = DAY + timedelta(days=1)
    listed = mutes_in_force(apply([SPIKE, WAKE], log, day), log, day)
    assert [(item.id, item.findings) for item in listed] == [(1, 1), (2, 0)]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "in force"),
        ({"from_day": WEEK}, "not begun"),
        ({"from_day": date(2026, 1, 1), "until_day": date(2026, 1, 2)}, "over"),
        ({"ended_at": report_examples.LOCAL_DAY.end}, "ended"),
    ],
)
def test_an_entry_states_its_status(facts: dict[str, Any], words: str) -> None:
    """For the list."""
    assert state(mute("key", "k", **facts), DAY) == words


def test_reports_have_words_for_every_verdict() -> None:
    """Whatever a person answers can be told."""
    assert list(verdicts.WORDS) == list(Verdict)


@pytest.mark.parametrize(
    ("kind", "counted", "sentence"),
    [
        ("usage_spike", Precision(12, 9), "Of 12 usage spikes with a verdict, 9 were real."),
        ("dormant_wake", Precision(1, 1), "Of 1 dormant key that woke with a verdict, 1 was real."),
        ("geo_jump", Precision(3, 0), "Of 3 geo_jump findings with a verdict, none were real."),
    ],
)
def test_precision_reads_as_a_sentence(kind: str, counted: Precision, sentence: str) -> None:
    """Also for a type of somebody's own detector."""
    summary = replace(report_examples.findings_day().summary, precision={kind: counted})
    assert list(verdicts.lines(summary)) == [sentence]


def test_the_terminal_shows_triage() -> None:
    """The mark below its finding; the muted, the mutes and the verdicts after the receipt."""
    lines = text.render(report_examples.triaged_day()).splitlines()
    assert "         Acknowledged by alex from 22 November 2026 (entry 1): team payments is on it" in lines
    assert "         Verdict: real" in lines
    assert not any(line.startswith("MEDIUM") and "key_b81d" in line for line in lines)
    assert any(line.startswith("Muted       Test key in production: key_b81d") for line in lines)
    assert (
        "Mute 3      keys like loadtest-* (covers nothing on this day), by alex until 24 November 2026: peak tests"
        in lines
    )
    assert "Verdicts    Of 2 usage spikes with a verdict, 1 was real." in lines

"""Records that nobody saw: the shares that jump, and the hours without records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from math import exp
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from detector.judging.completeness import assess, is_complete
from detector.judging.unseen import Jump, holes, is_usual, jumps
from detector.model.finding import Severity
from detector.model.panel import Panel
from detector.model.usage import WHOLE_FILE, Accounting, Amount, Fault, FaultKind
from tests.panels import DAY, panel

DAYS = 30
TWO_KEYS = "two different keys in one request, the first counts"
BERLIN = ZoneInfo("Europe/Berlin")
TUESDAY = DAY
SUNDAY = date(2026, 3, 22)


def day_with(unusable: int = 0, *, keyless: int = 0, repeated: int = 0, size: int = 0) -> Accounting:
    """A day with 1,000 records, of which some were not counted."""
    reasons = {"not JSON": Amount(unusable, size)} if unusable or size else {}
    return Accounting(1_000 - unusable - keyless - repeated, keyless, repeated, reasons)


def judged(past: Sequence[Accounting | None], today: Accounting | None, day: date = TUESDAY) -> Panel:
    """A panel of one steady key whose days have these accountings."""
    accountings = (*past, today)
    return replace(panel({"a": [900] * len(accountings)}, day=day), accountings=accountings)


def shares(past: Sequence[Accounting | None], today: Accounting, day: date = TUESDAY) -> list[str]:
    """What has jumped."""
    return [jump.what for jump in jumps(judged(past, today, day))]


# Jumps


@pytest.mark.parametrize(
    ("usual", "today"),
    [
        (day_with(), day_with()),
        (day_with(keyless=300), day_with(keyless=440)),
        (day_with(repeated=100), day_with(repeated=140)),
        (day_with(50), day_with(70)),
    ],
)
def test_a_share_within_its_own_past_is_silent(usual: Accounting, today: Accounting) -> None:
    """Every source has its own share of records that are not counted."""
    assert shares([usual] * 28, today) == []


@pytest.mark.parametrize(
    ("today", "what"),
    [
        (day_with(keyless=460), "keyless"),
        (day_with(repeated=160), "repeated"),
        (day_with(80), "unusable"),
    ],
)
def test_a_jump_is_told(today: Accounting, what: str) -> None:
    """A share beyond one and a half times its usual hides requests."""
    usual = day_with(50, keyless=300, repeated=100)
    assert shares([usual] * 28, today) == [what]


def test_the_share_counts_and_not_the_number() -> None:
    """A day with ten times the traffic has ten times the requests without a key."""
    assert shares([Accounting(900, keyless=100)] * 28, Accounting(9_000, keyless=1_000)) == []


def test_a_handful_of_records_hides_nothing() -> None:
    """Nineteen broken lines after a month without one are no jump; twenty are."""
    assert shares([day_with()] * 28, day_with(19)) == []
    assert shares([day_with()] * 28, day_with(20)) == ["unusable"]


def test_an_incident_of_three_days_is_still_a_jump_on_the_fourth() -> None:
    """An attacker who waits does not make his trick usual."""
    past = [day_with()] * 25 + [day_with(keyless=700)] * 3
    assert shares(past, day_with(keyless=700)) == ["keyless"]


def test_a_new_level_is_usual_after_eight_days() -> None:
    """A team that takes keys off its health checks is not told of it for ever."""
    new = day_with(keyless=400)
    assert shares([day_with()] * 22 + [new] * 6, new) == ["keyless"]
    assert shares([day_with()] * 20 + [new] * 8, new) == []


def test_a_weekly_job_is_usual_on_its_weekday_alone() -> None:
    """The job repeats many records every Tuesday. The same share is a jump on a Wednesday."""
    week = [day_with()] * 6 + [day_with(repeated=400)]
    # 28 days that end on the day before: the days of the job lie seven, fourteen, ... days back.
    assert shares(week[6:] + week[:6] + (week[6:] + week[:6]) * 3, day_with(repeated=400)) == []
    assert shares(week * 4, day_with(repeated=400)) == ["repeated"]


def test_a_job_of_two_weeks_is_not_yet_usual() -> None:
    """Two Tuesdays are no rhythm."""
    past = [day_with()] * 14 + ([day_with(repeated=400)] + [day_with()] * 6) * 2
    assert shares(past, day_with(repeated=400)) == ["repeated"]


@pytest.mark.parametrize(
    ("today", "found"),
    [
        (day_with(keyless=200), []),
        (day_with(keyless=201), ["keyless"]),
        (day_with(repeated=50), []),
        (day_with(repeated=51), ["repeated"]),
        (Accounting(1_980, unusable={"not JSON": Amount(20)}), []),
        (Accounting(1_979, unusable={"not JSON": Amount(21)}), ["unusable"]),
    ],
)
@pytest.mark.parametrize("known", [0, 6])
def test_a_young_source_has_stated_limits(today: Accounting, found: list[str], known: int) -> None:
    """With fewer than seven known days nobody knows what is usual, even where all of them had the same share."""
    assert shares([None] * (28 - known) + [today] * known, today) == found


def test_seven_known_days_are_a_past() -> None:
    """A source that has always had half of its requests without a key is not partly unseen."""
    usual = day_with(keyless=500)
    assert shares([None] * 21 + [usual] * 7, usual) == []
    (jump,) = jumps(judged([None] * 22 + [usual] * 6, usual))
    assert jump.text == (
        "500 records (50.0%) came without a key. The source has too little history to call this usual."
    )


def test_days_of_an_older_version_tell_nothing() -> None:
    """Their accounting is not known. The judged day may be such a day too."""
    assert jumps(judged([None] * 28, None)) == []
    assert holes(judged([None] * 28, None)) == []
    assert jumps(panel({"a": [1] * 30})) == []
    assert holes(panel({"a": [1] * 30})) == []


def test_bytes_count_as_records() -> None:
    """One damaged document of 300 kB may hold a thousand records, and is one record in name."""
    assert shares([day_with()] * 28, day_with(1, size=300_000)) == ["unusable"]
    assert shares([day_with()] * 28, day_with(1, size=300 * 19)) == []


def test_many_small_records_count_by_their_number() -> None:
    """The larger of the two amounts counts."""
    (jump,) = jumps(judged([day_with()] * 28, day_with(100, size=600)))
    assert jump.records == 100


def test_a_day_without_any_record_has_no_share() -> None:
    """It is empty, which is another problem."""
    assert shares([day_with(keyless=100)] * 28, Accounting(0)) == []


def test_days_without_any_record_are_no_past() -> None:
    """The first pull of a young source has many days before its first use. They do not say what is usual."""
    before = Accounting(0)
    today = day_with(keyless=100)
    assert shares([before] * 28, today) == []
    assert shares([before] * 22 + [day_with(keyless=90)] * 6, today) == []
    assert shares([before] * 21 + [day_with(keyless=90)] * 7, today) == []
    assert shares([before] * 21 + [day_with()] * 7, today) == ["keyless"]


def test_a_jump_is_a_sentence() -> None:
    """It has the number, the share and what is usual."""
    (jump,) = jumps(judged([day_with(10)] * 28, day_with(250)))
    assert jump == Jump("unusable", 250, 0.25, 0.01)
    assert jump.text == "250 records (25.0%) could not be used; at most 1.0% are usual."


def test_a_jump_makes_the_day_partly_unseen() -> None:
    """No key is called silent on such a day, and the day is never all clear."""
    problems = assess(judged([day_with()] * 28, day_with(keyless=700)), settle_days=3)
    assert [problem.text for problem in problems] == [
        "Partly unseen: 700 records (70.0%) came without a key; at most 0.0% are usual."
    ]
    assert not is_complete(problems)


# Holes


def hours(**changes: int) -> tuple[int, ...]:
    """A hundred records in every hour, with changes such as ``h09=3``."""
    return tuple(changes.get(f"h{hour:02d}", 100) for hour in range(24))


def day_of(counts: tuple[int, ...]) -> Accounting:
    """The accounting of a day with these records by hour."""
    return Accounting(sum(counts), hours=counts)


def found(
    past: Sequence[Accounting | None], today: tuple[int, ...], day: date = TUESDAY, zone: ZoneInfo | None = None
) -> list[tuple[int, int]]:
    """The first and last hour of each hole."""
    subject = judged(past, day_of(today), day)
    if zone is not None:
        subject = replace(subject, timezone=zone)
    return [(hole.first, hole.last) for hole in holes(subject)]


ORDINARY = [day_of(hours())] * 28


def test_an_ordinary_day_has_no_hole() -> None:
    """Nor has one with a third of its usual records in every hour."""
    assert found(ORDINARY, hours()) == []
    assert found(ORDINARY, (34,) * 24) == []


def test_a_hole_at_noon_is_told() -> None:
    """The rest of the day is there, so no other check sees it."""
    assert found(ORDINARY, hours(h12=0, h13=0)) == [(12, 13)]


def test_a_hole_with_one_record_is_a_sentence() -> None:
    """One record does not fill a hole."""
    (hole,) = holes(judged(ORDINARY, day_of(hours(h12=0, h13=1))))
    assert hole.text == "From 12:00 to 14:00 there is 1 record; the lowest comparable day has 200."


def test_each_hole_is_told_by_itself() -> None:
    """A collector that fails at night and at noon leaves two."""
    assert found(ORDINARY, hours(h03=0, h12=0)) == [(3, 3), (12, 12)]


def test_a_hole_before_midnight_is_told_although_the_next_day_has_records() -> None:
    """The watermark lies beyond the end of the day, so the day does not seem late."""
    subject = judged(ORDINARY, day_of(hours(h22=0, h23=0)))
    assert subject.watermark == datetime(2026, 3, 18, 1, tzinfo=UTC)
    (problem,) = assess(subject, settle_days=3)
    assert problem.text == ("From 22:00 to 24:00 there are 0 records; the lowest comparable day has 200.")
    assert problem.withholding


def test_a_few_records_do_not_fill_a_hole() -> None:
    """A tenth of the lowest comparable day does."""
    assert found(ORDINARY, hours(h12=9, h13=9)) == [(12, 13)]
    assert found(ORDINARY, hours(h12=11, h13=11)) == []


def test_hours_with_few_records_are_no_hole() -> None:
    """At 29 records in the lowest comparable day, none may be an accident."""
    assert found([day_of(hours(h12=29))] * 28, hours(h12=0)) == []
    assert found([day_of(hours(h12=30))] * 28, hours(h12=0)) == [(12, 12)]


def test_an_hour_that_was_empty_on_one_comparable_day_is_no_hole() -> None:
    """A batch job that skips an hour once in a while is ordinary."""
    past = list(ORDINARY)
    past[-7] = day_of(hours(h12=0))
    assert found(past, hours(h12=0)) == []


def test_a_fleet_that_rests_on_sundays_has_no_hole_on_a_sunday() -> None:
    """Sundays are compared with Sundays. On a Monday the same hours are a hole."""
    closed = day_of((0,) * 24)
    week = [closed] + [day_of(hours())] * 6
    assert found(week * 4, (0,) * 24, SUNDAY) == []
    assert found((week[1:] + week[:1]) * 4, hours(h12=0), date(2026, 3, 23)) == [(12, 12)]


def test_without_three_days_of_the_weekday_all_days_are_compared() -> None:
    """In the third week of an installation, two Tuesdays say too little. Two days say nothing."""
    assert found([day_of(hours())] * 14, hours(h12=0)) == [(12, 12)]
    assert found([day_of(hours())] * 3, hours(h12=0)) == [(12, 12)]
    assert found([day_of(hours())] * 2, hours(h12=0)) == []


def test_days_without_known_hours_are_not_compared() -> None:
    """An older version pulled them, or the source told only their date."""
    assert found([None] * 25 + [day_of(hours())] * 3, hours(h12=0)) == [(12, 12)]
    assert found([Accounting(2_400)] * 28, hours(h12=0)) == []
    assert holes(judged(ORDINARY, Accounting(2_400))) == []


def test_missing_days_are_not_compared() -> None:
    """Their zeros mean nothing, and would hide every hole."""
    past = list(ORDINARY)
    past[-7] = day_of((0,) * 24)
    subject = judged(past, day_of(hours(h12=0)))
    missing = subject.missing.copy()
    missing[-8] = True
    assert [hole.first for hole in holes(replace(subject, missing=missing))] == [12]


def test_an_hour_that_the_clocks_skip_is_no_hole() -> None:
    """On 29 March 2026, 02:00 does not exist in Berlin. 03:00 does."""
    spring = date(2026, 3, 29)
    assert found(ORDINARY, hours(h02=0), spring, BERLIN) == []
    assert found(ORDINARY, hours(h03=0), spring, BERLIN) == [(3, 3)]
    assert found(ORDINARY, hours(h02=0), spring, ZoneInfo("UTC")) == [(2, 2)]


def test_an_hour_that_comes_twice_is_no_hole_on_the_days_after() -> None:
    """On 25 October 2026, 02:00 to 03:00 comes twice in Berlin and has twice the records."""
    autumn = date(2026, 10, 25)
    assert found(ORDINARY, hours(h02=200), autumn, BERLIN) == []
    assert found(ORDINARY, hours(h02=0), autumn, BERLIN) == [(2, 2)]
    past = [*ORDINARY[:-1], day_of(hours(h02=200))]
    assert found(past, hours(), date(2026, 10, 26), BERLIN) == []


def test_the_end_of_a_late_day_is_not_told_twice() -> None:
    """That the data end early says the same as a hole to the end of the day. A hole at noon is told beside it."""
    subject = judged(ORDINARY, day_of(hours(h12=0, h20=0, h21=0, h22=0, h23=0)))
    last_uses = subject.last_uses.copy()
    last_uses[-1] = np.datetime64("2026-03-17T19:00")
    late = replace(subject, watermark=datetime(2026, 3, 17, 19, tzinfo=UTC), last_uses=last_uses)
    texts = [problem.text for problem in assess(late, settle_days=3)]
    assert len(texts) == 2
    assert any(text.startswith("The data end") for text in texts)
    assert any(text.startswith("From 12:00 to 13:00") for text in texts)


# Faults that a source always has


def with_faults(
    past: int, today: int, *, kind: FaultKind = "note", reason: str = TWO_KEYS, days: int = DAYS
) -> Panel:
    """A panel with so many records with a fault on each past day and on the evaluated one."""
    found = panel({"a": [20] * days}, faults=(Fault(reason, today, kind=kind),))
    earlier = (Fault(reason, past, kind=kind),) if past else ()
    return replace(found, earlier_faults=(earlier,) * (days - 1))


@pytest.mark.parametrize(
    ("past", "today", "usual"), [(100, 140, True), (100, 160, False), (0, 19, True), (0, 20, False)]
)
def test_a_defect_that_a_source_always_has_is_usual(past: int, today: int, usual: bool) -> None:
    """Up to half as many again as on most days, and a few records are never news."""
    found = with_faults(past, today)
    assert is_usual(found, found.faults[0]) is usual


def test_one_file_more_without_a_record_is_news() -> None:
    """A file may hold any number of requests."""
    reason = f"{WHOLE_FILE}without a record"
    found = with_faults(0, 1, reason=reason)
    assert not is_usual(found, found.faults[0])
    found = with_faults(5, 5, reason=reason)
    assert is_usual(found, found.faults[0])


def test_nothing_is_usual_for_a_source_without_a_past() -> None:
    """Seven days are a past."""
    found = with_faults(100, 100, days=7)
    assert not is_usual(found, found.faults[0])
    found = with_faults(100, 100, days=8)
    assert is_usual(found, found.faults[0])


def test_the_usual_dirt_of_a_source_leaves_a_day_clear() -> None:
    """A few broken lines a day are of info, and what jumps is told by its share."""
    found = with_faults(50, 55, kind="unusable", reason="not a JSON object")
    (problem,) = assess(found, settle_days=2)
    assert (problem.severity, is_complete([problem])) == (Severity.INFO, True)


def after_varying_days(deviation: float, today: int) -> list[str]:
    """What has jumped after days with about 100 keyless records of 10,000."""
    steps = (-1.2, 0.9, -0.3, 0.2, 1.3, -0.8, 0.5)
    past = [Accounting(10_000, keyless=round(100 * exp(deviation * step))) for step in steps]
    return shares(past * 4, Accounting(10_000, keyless=today))


def test_shares_that_vary_much_need_a_larger_jump() -> None:
    """So that an ordinary day is not called partly unseen, and what is far beyond the usual share always is."""
    assert after_varying_days(0.1, 150) == []
    assert after_varying_days(0.1, 230) == ["keyless"]
    assert after_varying_days(0.5, 230) == []
    assert after_varying_days(0.5, 700) == ["keyless"]
    assert after_varying_days(2.0, 2_500) == ["keyless"]


def test_a_source_most_of_whose_records_have_no_key_has_jumps_too() -> None:
    """More than three times as many records without a key are a jump, however many they are on most days."""
    usual = Accounting(1_000, keyless=4_000)
    assert shares([usual] * 28, Accounting(1_000, keyless=5_500)) == []
    assert shares([usual] * 28, Accounting(1_000, keyless=13_000)) == ["keyless"]


def test_one_record_of_a_rollup_may_be_the_whole_day_of_a_key() -> None:
    """Where records are sums of requests, three of them that could not be used are no handful."""
    subject = judged([day_with()] * 28, replace(day_with(unusable=3), counted=117))
    requests = subject.requests.copy()
    requests[0, -1] = 2 * 117 - 1
    assert jumps(replace(subject, requests=requests)) == []
    requests[0, -1] = 2 * 117
    (jump,) = jumps(replace(subject, requests=requests))
    assert (jump.what, jump.records) == ("unusable", 3)

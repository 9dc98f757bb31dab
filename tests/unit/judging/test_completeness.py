"""What the judged day's faults mean for its data."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from detector.judging.completeness import NOT_PULLED, DataProblem, assess, is_complete, is_unusable
from detector.model.finding import Severity
from detector.model.panel import LostKeys, Panel
from detector.model.usage import MISSING_FILE, Accounting, Amount, Fault, Revision, Strangers
from tests.panels import DAY, panel

COUNTS = {"a": [20] * 30}


def assess_day(judged: Panel) -> list[DataProblem]:
    """The problems of a day, with late rows usual for three days."""
    return assess(judged, settle_days=3)


def test_the_busiest_unregistered_key_is_named_first() -> None:
    """The key that leaked comes before names that somebody invented, and those that count together are counted."""
    counts = {
        "mine": [20] * 30,
        "zz-leaked": [0] * 29 + [9],
        **{f"junk{index}": [0] * 29 + [1] for index in range(7)},
    }
    crowded = replace(panel(counts, registered=["mine"]), strangers=Strangers(keys=1000, requests=1200))
    (problem,) = assess_day(crowded)
    assert problem.text == (
        "1,216 requests came from 1,008 keys that are not in the key register: "
        "zz-leaked, junk0, junk1, junk2, junk3 and 1,003 more."
    )
    assert is_complete([problem])


def test_new_keys_that_count_together_are_told_without_a_register() -> None:
    """Nobody is told that all keys were judged where some have no record of their own."""
    crowded = replace(panel(COUNTS, registered=[]), strangers=Strangers(keys=3, requests=4))
    (problem,) = assess_day(crowded)
    assert problem.text.startswith("3 new keys with 4 requests count together: ")
    assert assess_day(panel(COUNTS, registered=[])) == []


def test_an_empty_register_is_never_all_clear() -> None:
    """Nobody knows any key's environment, and revoked keys look like others."""
    emptied = replace(panel(COUNTS, registered=[]), lost_keys=LostKeys(3, 3))
    (problem,) = assess_day(emptied)
    assert problem.text == "The key register is empty. It held 3 keys lately."
    assert problem.shortfall == "the key register is empty"
    assert not is_complete([problem])


@pytest.mark.parametrize(("keys", "of", "told"), [(3, 29, True), (3, 30, False), (2, 10, False), (4, 30, True)])
def test_a_register_that_lost_many_keys_is_told(keys: int, of: int, told: bool) -> None:
    """A few deleted keys are ordinary."""
    problems = assess_day(replace(panel(COUNTS), lost_keys=LostKeys(keys, of)))
    assert bool(problems) is told
    assert all(problem.shortfall == "" for problem in problems)


def test_a_missing_file_makes_the_data_incomplete() -> None:
    """What it would hold is not known to be nothing; the problem names it."""
    (problem,) = assess_day(panel(COUNTS, faults=(Fault(MISSING_FILE, 1, ("logs/2026/03/17/*.gz",)),)))
    assert problem.text == "1 of the day's files not found: logs/2026/03/17/*.gz."
    assert not is_complete([problem])


def test_unusable_rows_leave_the_data_complete() -> None:
    """The rest of the day is known."""
    (problem,) = assess_day(panel(COUNTS, faults=(Fault("not a JSON object", 2),)))
    assert problem.text == "2 records left out: not a JSON object."
    assert is_complete([problem])


def test_files_that_hold_no_records_are_not_called_rows() -> None:
    """A file is one file, whatever the number of lines in it."""
    (problem,) = assess_day(panel(COUNTS, faults=(Fault("file is not valid JSON", 2),)))
    assert problem.text == "2 files left out: file is not valid JSON."
    assert problem.action == "Look at the sampled files below and mend their source."


def test_a_source_without_any_request_names_the_days_that_were_looked_at() -> None:
    """The panel has 29 days before the last one. The days that were not read are not among those it speaks of."""
    empty = panel({"a": [0] * 30}, missing=range(30))
    read = replace(empty, accountings=(None,) * 20 + (Accounting(0),) * 10)
    (problem,) = assess_day(read)
    assert problem.text == "The source holds no request for this day, nor for the 9 days before it that were read."
    (alone,) = assess_day(replace(empty, accountings=(None,) * 29 + (Accounting(0),)))
    assert alone.text == "The source holds no request for this day."
    assert not is_complete([problem])


def unread(accounting: Accounting, *faults: Fault) -> Panel:
    """A panel whose last day has no request, with its accounting."""
    return replace(
        panel({"a": [20] * 29 + [0]}, missing=(29,), faults=faults), accountings=(None,) * 29 + (accounting,)
    )


BROKEN = Fault("not a JSON object", 4_990, ("app.log: <xml>",))
KEYLESS = Fault("no key id, not attributable to a key", 10, ("app.log: GET /health",), kind="keyless")


@pytest.mark.parametrize(
    ("accounting", "faults", "text"),
    [
        (
            Accounting(0, unusable={"not a JSON object": Amount(5_000)}),
            (BROKEN,),
            "None of the 5,000 records could be used: not a JSON object. A record looks like: app.log: <xml>",
        ),
        (
            Accounting(0, keyless=10, unusable={"not a JSON object": Amount(4_990)}),
            (KEYLESS, BROKEN),
            "None of the 5,000 records could be used: 4,990 not a JSON object, 10 no key id. "
            "A record looks like: app.log: <xml>",
        ),
        (Accounting(0, keyless=1), (), "The only record could not be used: no key id."),
    ],
)
def test_records_without_a_usable_one_are_not_called_no_request(
    accounting: Accounting, faults: tuple[Fault, ...], text: str
) -> None:
    """The reader learns why, and what a record looks like. The most frequent reason comes first."""
    worst = assess_day(unread(accounting, *faults))[0]
    assert worst.text == text
    assert worst.severity is Severity.HIGH
    assert worst.withholding


def test_a_day_without_any_record_is_empty() -> None:
    """Here the source really holds no request."""
    (problem,) = assess_day(unread(Accounting(0)))
    assert problem.text == "The source holds no request for this day, though it usually has some."


def test_a_day_that_was_not_read_is_not_called_empty() -> None:
    """The source may hold any number of requests."""
    (problem,) = assess_day(replace(panel({"a": [20] * 29 + [0]}, missing=(29,)), pulled_at=None))
    assert problem.text == NOT_PULLED


@pytest.mark.parametrize(("counted", "keyless", "unusable"), [(0, 19, False), (0, 20, True), (1, 500, False)])
def test_stray_lines_do_not_say_that_the_data_have_come(counted: int, keyless: int, unusable: bool) -> None:
    """An export that is late may leave some lines of no use before it comes."""
    assert is_unusable(unread(Accounting(counted, keyless=keyless))) is unusable


@pytest.mark.parametrize(("errors", "texts"), [(101, ["All 101 requests count as errors."]), (100, [])])
def test_a_day_of_errors_alone_is_told(errors: int, texts: list[str]) -> None:
    """Most likely the status is read wrongly. The rest of the day is known."""
    problems = assess_day(panel({"a": [101] * 30}, errors={"a": [0] * 29 + [errors]}))
    assert [problem.text for problem in problems] == texts
    assert is_complete(problems)


def test_a_hundred_errors_are_no_wrong_setting() -> None:
    """A small fleet may have a bad day."""
    assert assess_day(panel({"a": [100] * 30}, errors={"a": [100] * 30})) == []


def test_strangers_do_not_fill_the_gap_of_a_partial_day() -> None:
    """Half of the keys of the register are missing, and as many invented ones made their requests."""
    counts = {f"key-{row}": [40] * 30 + [0 if row < 12 else 40] for row in range(20)}
    strangers = {f"stranger-{row}": [0] * 30 + [40] for row in range(20)}
    partial = panel(counts | strangers, registered=list(counts))
    texts = [problem.text for problem in assess_day(partial)]
    assert any(text.startswith("Only 320 requests from 8 keys;") for text in texts)


HOUR = np.timedelta64(1, "h")


def ending(hours: float, past: float = 1.0, days: int = 30, **changes: Any) -> Panel:
    """A panel whose last uses lie ``past`` hours before the end of each day, on the evaluated one ``hours``."""
    subject = panel({"a": [20] * days})
    ends = subject.days + np.timedelta64(1, "D")
    gaps = np.full(days, past)
    gaps[-1] = hours
    last_uses = (ends - (gaps * 3600).astype("timedelta64[s]")).astype("datetime64[us]")
    return replace(
        subject, **({"last_uses": last_uses, "watermark": datetime(2026, 3, 17, 12, tzinfo=UTC)} | changes)
    )


def texts(subject: Panel) -> list[str]:
    """The problems of a day in words."""
    return [problem.text for problem in assess_day(subject)]


def test_data_that_end_earlier_than_on_any_recent_day_are_late() -> None:
    """An hour of slack, by the days that have data."""
    assert texts(ending(2.0)) == []
    assert texts(ending(2.5)) == [
        "The data end 2.5 hours before the day does, earlier than on any of the last 28 days."
    ]
    used = ending(2.5).last_uses.copy()
    used[5] -= 2 * HOUR
    assert texts(ending(2.5, last_uses=used)) == []
    missing = np.zeros(30, dtype=bool)
    missing[5] = True
    assert len(texts(ending(2.5, last_uses=used, missing=missing))) == 1


def test_too_few_days_do_not_say_when_data_usually_end() -> None:
    """A week does."""
    assert texts(ending(9.0, days=7)) == []
    assert texts(ending(9.0, days=8)) == [
        "The data end 9.0 hours before the day does, earlier than on any of the last 7 days."
    ]


def test_a_source_with_later_data_is_not_late() -> None:
    """A fleet may have a quiet evening."""
    at_the_end = datetime(2026, 3, 18, tzinfo=UTC)
    assert texts(ending(9.0, watermark=at_the_end)) == []
    assert len(texts(ending(9.0, watermark=at_the_end - timedelta(seconds=1)))) == 1
    assert len(texts(ending(9.0, watermark=None))) == 1


def test_data_pulled_before_the_day_was_over_are_not_complete() -> None:
    """Even where a record of the future makes the source look as if it went on."""
    end = datetime(2026, 3, 18, tzinfo=UTC)
    early = ending(1.0, pulled_at=end - timedelta(seconds=1), watermark=end + timedelta(days=9))
    assert texts(early) == ["The data were pulled before the day was over."]
    assert texts(replace(early, pulled_at=end)) == []
    assert texts(replace(early, pulled_at=None)) == []


def revised(ago: int, before: int, after: int) -> Panel:
    """A panel whose pull changed an earlier day."""
    revision = Revision(DAY - timedelta(days=ago), DAY, before, after, keys=1)
    return replace(panel(COUNTS), revisions=(revision,))


def test_requests_that_come_after_a_day_has_settled_are_told() -> None:
    """That day was judged without them. Late rows within the days for which they are usual are none."""
    (told,) = texts(revised(4, 20, 27))
    assert told == "7 requests came for 2026-03-13, which was judged without them."
    assert texts(revised(4, 20, 21)) == ["1 request came for 2026-03-13, which was judged without them."]
    assert texts(revised(3, 20, 27)) == []
    assert texts(revised(4, 20, 20)) == []
    assert texts(revised(4, 20, 5)) == []


def halved(keys: int, requests: int, weeks: int = 5, **last_week: int) -> list[str]:
    """The problems of a day with so many of ten keys, and so many requests of each."""
    days = 7 * weeks + 1
    counts = {f"k{number}": [20] * (days - 1) + [requests if number < keys else 0] for number in range(10)}
    for key, count in last_week.items():
        counts[key][-8] = count
    return [text for text in texts(panel(counts)) if text.endswith("The data may be partial.")]


def test_a_day_with_less_than_half_of_keys_and_requests_may_be_partial() -> None:
    """Half of either is enough. The lowest comparable day decides."""
    assert halved(4, 20) == [
        "Only 80 requests from 4 keys; the lowest of 5 comparable days had 200 from 10. The data may be partial."
    ]
    assert halved(5, 10) == []
    assert halved(4, 25) == []
    assert len(halved(4, 24)) == 1
    assert halved(4, 20, k0=0, k1=0, k2=0) == []


def test_comparable_days_are_those_of_the_same_weekday_where_there_are_three() -> None:
    """Before that, all recent days are."""
    assert "of 3 comparable days" in halved(4, 20, weeks=3)[0]
    assert "of 14 comparable days" in halved(4, 20, weeks=2)[0]
    assert "of 8 comparable days" in halved(4, 20, weeks=10)[0]


def repeated(keys: int, *same: int, constant: bool = False) -> list[str]:
    """The problems of a day whose counts are those of the days so many days before it."""
    random = np.random.default_rng(3)
    counts = random.poisson(30, (keys, 30))
    if constant:
        counts[:] = 30
    for ago in same:
        counts[:, -1 - ago] = counts[:, -1]
    subject = panel({f"k{number:02d}": row.tolist() for number, row in enumerate(counts)})
    return [text for text in texts(subject) if "copy" in text]


def test_a_day_with_the_counts_of_another_may_be_its_copy() -> None:
    """A file that came twice under two dates. A fleet that always makes the same requests repeats itself."""
    assert repeated(10, 1) == [
        "Every key has as many requests as on 2026-03-16: the day may be a copy of that one."
    ]
    assert len(repeated(10, 1, 7)) == 1
    assert repeated(10, 1, 7, 14) == []
    assert repeated(9, 1) == []
    assert repeated(10) == []
    assert repeated(10, constant=True) == []

"""The accounting of a day in words."""

from __future__ import annotations

import pytest

from detector.model.usage import MISSING_FILE, Accounting, Amount, Fault
from detector.reports.accounts import became, rows, sentence
from detector.reports.terminal.text import render
from tests.report_examples import clear_day, findings_day

WHOLE = Accounting(12_000, keyless=300, repeated=40, unusable={"not JSON": Amount(3, 900), "no time": Amount(2)})


@pytest.mark.parametrize(
    ("accounting", "words"),
    [
        (WHOLE, "12,345 records read: 12,000 counted, 300 without a key, 40 repeated, 5 unusable"),
        (Accounting(7), "7 records read, all counted"),
        (Accounting(0), "no record read"),
        (Accounting(0, keyless=1), "1 record read: 0 counted, 1 without a key"),
    ],
)
def test_one_line_holds_the_whole_accounting(accounting: Accounting, words: str) -> None:
    """Kinds without a record are not in the line, and the amounts add up to what was read."""
    assert sentence(accounting) == words


def test_the_table_tells_every_reason_with_its_size() -> None:
    """The reason with the most records comes first. A size is shown only for text."""
    assert list(rows(WHOLE)) == [
        ("counted", "12,000"),
        ("without a key", "300"),
        ("repeated", "40"),
        ("unusable: not JSON, 900 bytes", "3"),
        ("unusable: no time", "2"),
    ]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("no time", 2, dated=False), "Left out"),
        (Fault("no key id", 2, kind="keyless"), "Left out, without a key"),
        (Fault("event id repeated", 2, kind="repeated"), "Left out, counted already"),
        (Fault("error_count is not a count, taken as 0", 2, kind="note"), "With a defect"),
        (Fault(MISSING_FILE, 1, kind="note"), "Not found"),
    ],
)
def test_a_fault_tells_what_became_of_its_records(fault: Fault, words: str) -> None:
    """Records of a note count, so they are never called left out."""
    assert became(fault) == words


def test_the_terminal_shows_the_line() -> None:
    """It is there on a day without findings too."""
    assert "Records     12,000 records read, all counted" in render(clear_day())
    assert "3 without a key, 40 repeated, 43 unusable" in render(findings_day())

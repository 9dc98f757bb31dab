"""Findings as records for machines."""

from __future__ import annotations

import json

import pytest

from detector.delivery import Origin
from detector.delivery.records import compact, day_of, portions, record_of
from tests.report_examples import findings_day

REPORT = findings_day()
ORIGIN = Origin("main", "Acme", "https://reports.example.com/{day}/report.html")


def test_a_record_is_one_line_of_ascii() -> None:
    """Whatever a customer named a key; half a character has no form in JSON."""
    line = compact({"name\u2028": "a\n\ud800\u202e"})
    assert line.isascii()
    assert b"\n" not in line
    assert json.loads(line) == {"name\u2028": "a\n\ufffd\u202e"}


def test_a_number_that_json_does_not_have_is_an_error() -> None:
    """Rather than a document that no receiver can read."""
    with pytest.raises(ValueError, match="JSON compliant"):
        compact({"score": float("nan")})


def test_a_day_says_where_its_report_lies() -> None:
    """Where that is configured."""
    day = REPORT.day.date.isoformat()
    assert day_of(REPORT, ORIGIN)["report_url"] == f"https://reports.example.com/{day}/report.html"
    assert day_of(REPORT, Origin("main", None))["report_url"] is None


def test_a_record_has_the_same_id_whenever_it_is_sent() -> None:
    """And another one for another source, organization or finding."""
    first, second = REPORT.findings[:2]
    ids = {
        record_of(REPORT, finding, origin)["record_id"]
        for finding in (first, second)
        for origin in (ORIGIN, Origin("other", "Acme"), Origin("main", None))
    }
    assert len(ids) == 6
    again = record_of(REPORT, first, Origin("main", "Acme", edition="again"))
    assert again["record_id"] == record_of(REPORT, first, ORIGIN)["record_id"]


def test_portions_have_about_so_many_bytes() -> None:
    """A record that is larger stands alone, and none is lost."""
    records = [b"a" * 40, b"b" * 40, b"c" * 300, b"d" * 40]
    assert list(portions(records, 100)) == [[records[0], records[1]], [records[2]], [records[3]]]
    assert list(portions([])) == []

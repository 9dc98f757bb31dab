"""The tables of the page."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from detector.model.finding import Status
from detector.reports.page import tables
from tests import report_examples


def test_tags_link_to_the_open_findings_of_a_key() -> None:
    """The row of a key has one tag per open finding and the most severe severity."""
    report = report_examples.findings_day()
    finding = report.findings[0]
    rows = {row.key_id: row for row in tables.usage_table(report)["first"]}
    row = rows[finding.key_id]
    assert finding.finding_id in {tag.finding_id for tag in row.tags}
    assert row.severity == finding.severity


def test_resolved_findings_have_no_tag() -> None:
    """A resolved finding leaves the row of its key without a tag."""
    report = report_examples.findings_day()
    resolved = tuple(replace(finding, status=Status.RESOLVED) for finding in report.findings)
    table = tables.usage_table(replace(report, findings=resolved))
    assert not any(row.tags for row in table["first"] + table["more"])


def test_rows_for_the_script_share_their_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Teams and environments are positions in one list of words."""
    monkeypatch.setattr(tables, "TABLE_ROWS", 0)
    report = replace(report_examples.findings_day(), findings=())
    table = tables.usage_table(report)
    data = json.loads(table["rest"])
    assert table["rest_rows"] == len(data["rows"]) == len(report.usage)
    assert len(set(data["words"])) == len(data["words"])
    teams = {data["words"][row[2]] for row in data["rows"]}
    assert teams == set(report.usage["team"].fillna(""))


def test_unused_keys_begin_with_those_without_known_use() -> None:
    """Then the keys follow by the length of their silence."""
    report = report_examples.findings_day()
    unused = tables.unused_keys(report)
    words = [row["silent"] for row in unused["rows"]]
    assert words[: unused["never"]] == ["no known use"] * unused["never"]
    assert unused["total"] == unused["never"] + sum(count for _, count in unused["ages"])
    days = [int(text.split()[2]) for text in words[unused["never"] :]]
    assert days == sorted(days, reverse=True)


def test_a_day_without_data_is_not_silent() -> None:
    """Zero requests mean silence only if the day has data."""
    assert tables.has_data(report_examples.clear_day())
    assert not tables.has_data(report_examples.not_judged_day())


def test_deployments_add_up_to_the_requests_with_a_deployment() -> None:
    """Each deployment has the requests of live, test and other keys, the largest first."""
    rows = tables.deployments(report_examples.findings_day())
    totals = [sum(counts) for _, counts in rows]
    assert rows
    assert all(len(counts) == 3 for _, counts in rows)
    assert totals == sorted(totals, reverse=True)

"""The cards of the page, the facets to filter by, and the records to copy."""

from __future__ import annotations

import json
from dataclasses import replace

from detector.boundary.text import LONGEST_TEXT
from detector.model.finding import Severity
from detector.reports.page import cards
from tests import report_examples
from tests.report_examples import findings_day


def test_facets_count_every_finding_once() -> None:
    """The counts of each facet add up to the number of findings."""
    findings = findings_day().findings
    facets = cards.facets(findings)
    assert [facet.name for facet in facets] == ["Severity", "Status", "Kind", "Team", "Environment"]
    assert {sum(count for _, _, count in facet.values) for facet in facets} == {len(findings)}
    marks = [mark for facet in facets for mark, _, _ in facet.values]
    assert len(marks) == len(set(marks))


def test_later_cards_are_folded_and_have_a_compact_chart() -> None:
    """The first cards are open; all keys have one card each."""
    report = findings_day()
    key_ids = report.trends.key_ids[:20]
    findings = [
        replace(report.findings[0], key_id=key_id, finding_id=f"f-{number}")
        for number, key_id in enumerate(key_ids)
    ]
    result = cards.cards(report, findings, cards.facets(findings))
    assert [card.folded for card in result] == [number >= cards.OPEN_CARDS for number in range(20)]
    assert ["sketch" in card.chart for card in result] == [card.folded for card in result]


def test_the_range_is_only_drawn_for_findings_about_requests() -> None:
    """The expected range of an error rate does not belong behind bars of requests."""
    report = findings_day()
    spike = next(finding for finding in report.findings if finding.type == "usage_spike")
    for kind, has_range in (("usage_spike", True), ("error_surge", False)):
        finding = replace(spike, type=kind)
        [card] = cards.cards(report, [finding], cards.facets([finding]))
        assert card.has_range == has_range


def test_a_finding_of_the_fleet_has_no_chart_of_its_own() -> None:
    """The page shows the chart of the fleet further down."""
    report = findings_day()
    finding = replace(report.findings[0], key_id=None)
    [card] = cards.cards(report, [finding], cards.facets([finding]))
    assert card.chart == ""


def test_few_keys_have_no_heat_map() -> None:
    """The heat map begins with three keys and has one row per key."""
    report = findings_day()
    key_ids = report.trends.key_ids
    findings = [replace(report.findings[0], key_id=key_id, finding_id=key_id) for key_id in key_ids[:3]]
    assert cards.heat_map(report, findings[:2]) == []
    assert [row.finding_id for row in cards.heat_map(report, findings)] == list(key_ids[:3])


def test_records_have_names_once_and_short_texts() -> None:
    """A long text is cut to the length that the page shows."""
    finding = replace(findings_day().findings[0], reason="x" * 5_000, severity=Severity.HIGH)
    data = json.loads(cards.records([finding]))
    record = dict(zip(data["names"], data["rows"][0], strict=True))
    assert len(record["reason"]) == LONGEST_TEXT
    assert record["severity"] == "high"
    assert not cards.NOT_COPIED & record.keys()


def test_no_text_ends_the_script_element() -> None:
    """Angle brackets and ampersands are escaped, and the value stays the same."""
    block = cards.data_block(["</script><b>&", *report_examples.HOSTILE])
    assert not set("<>&") & set(block)
    assert json.loads(block)[0] == "</script><b>&"

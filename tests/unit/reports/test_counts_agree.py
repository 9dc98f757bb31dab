"""All formats of a report have the same counts."""

import csv
import io
import json
import re
from collections import Counter

from hypothesis import HealthCheck, given, settings

from detector.model.report import RunReport
from detector.reports import reporter
from detector.reports.terminal import text
from tests.generated_reports import reports
from tests.unit.reports.test_report_html import Page

OCSF_SEVERITIES = {1: "info", 2: "low", 3: "medium", 4: "high", 5: "critical"}
Counts = tuple[Counter[str], int, int]
"""The open findings by severity, the number of muted and the number of resolved findings."""


def counted(rows: list[tuple[str, str]]) -> Counts:
    """The counts of (severity, status) pairs."""
    opened = Counter(severity for severity, status in rows if status not in ("muted", "resolved"))
    states = Counter(status for _, status in rows)
    return opened, states["muted"], states["resolved"]


def parsed(sentence: str) -> Counts:
    """The counts in a sentence such as ``3 open on 2 keys: 2 high, 1 low. 1 muted, 1 resolved.``"""
    sentence = re.sub(r" on [\d,]+ keys?:", ":", sentence)
    found = Counter(
        {word: int(number.replace(",", "")) for number, word in re.findall(r"([\d,]+) ([a-z]+)", sentence)}
    )
    assert found.pop("open", 0) == sum(n for word, n in found.items() if word not in ("muted", "resolved"))
    return found, found.pop("muted", 0), found.pop("resolved", 0)


def by_json(report: RunReport) -> Counts:
    document = json.loads(reporter("json").render(report))
    rows = counted([(f["severity"], f["status"]) for f in document["findings"]])
    summary = document["summary"]
    assert (summary["open"], summary["resolved"]) == (sum(rows[0].values()), rows[2])
    assert summary["by_severity"] == dict(rows[0])
    return rows


def by_lines(report: RunReport) -> Counts:
    lines = reporter("ndjson").render(report).splitlines()
    return counted([(f["severity"], f["status"]) for f in map(json.loads, lines)])


def by_csv(report: RunReport) -> Counts:
    rows = csv.DictReader(io.StringIO(reporter("csv").render(report)))
    return counted([(row["severity"], row["status"]) for row in rows])


def by_ocsf(report: RunReport, format_name: str) -> Counts:
    events = [json.loads(line) for line in reporter(format_name).render(report).splitlines()]
    return counted([(OCSF_SEVERITIES[event["severity_id"]], event["status_detail"]) for event in events])


def by_terminal(report: RunReport) -> Counts:
    [line] = re.findall(r"^Findings +(.*)$", text.render(report), re.MULTILINE)
    return parsed(line)


def by_page(report: RunReport) -> Counts:
    page = Page(reporter("html").render(report))
    ids = Counter(value for _, name, value in page.attributes if name == "id")
    assert all(ids[finding.finding_id] == 1 for finding in report.findings)
    [sentence] = re.findall(r"Findings ((?:None open|[\d,]+ open)[^.]*\.(?: [^.]*\.)?) Day 2026", page.text)
    return parsed(sentence)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(reports())
def test_all_formats_count_the_same(report):
    """Page, JSON, NDJSON, CSV, OCSF of both versions and the terminal agree on 200 generated days."""
    expected = by_json(report)
    assert by_lines(report) == expected
    assert by_csv(report) == expected
    assert by_ocsf(report, "ocsf") == expected
    assert by_ocsf(report, "ocsf-1.4") == expected
    assert by_terminal(report) == expected
    assert by_page(report) == expected

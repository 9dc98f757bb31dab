"""report.ndjson, report.csv and the OCSF files: the formats for programs, on ordinary and on hostile days."""

import csv
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import jsonschema
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from detector.model.finding import Finding, Severity, Status
from detector.model.report import RunReport
from detector.reports import reporter
from detector.reports.exports.csv import COLUMNS, CUT_AT, LONGEST_CELL, cell, text_of
from detector.reports.exports.json import SCHEMA_PATH, document
from detector.reports.exports.ocsf import MAPPED, event
from tests import report_examples

DAYS = {
    "findings": report_examples.findings_day,
    "triaged": report_examples.triaged_day,
    "clear": report_examples.clear_day,
    "not judged": report_examples.not_judged_day,
    "hostile": report_examples.hostile_day,
}
TEXTS = {"finding_id", "type", "title", "key_id", "name", "environment", "team", "reason", "muted", "prevalence"}
LISTS = {"changes", "actions", "severity_reasons", "endpoints_usual", "endpoints_observed", "terms", "techniques"}
every_day = pytest.mark.parametrize("build", DAYS.values(), ids=DAYS.keys())


def records(report: RunReport) -> list[dict]:
    """The findings of report.json."""
    return json.loads(reporter("json").render(report))["findings"]


def by_pandas(report: RunReport) -> list[dict]:
    """The rows of report.csv, read with pandas as docs/reports.md describes."""
    text = reporter("csv").render(report)
    frame = pd.read_csv(io.StringIO(text), dtype=dict.fromkeys(TEXTS, str), keep_default_na=False, na_values=[""])
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


@every_day
def test_ndjson_lines_are_the_findings_of_the_json_report(build):
    """Each line is the record of one finding, in the same order."""
    lines = reporter("ndjson").render(build()).splitlines()
    assert [json.loads(line) for line in lines] == records(build())


def test_columns_of_the_csv_are_the_fields_of_the_schema():
    """The CSV has every field of a finding, in the order in which the schema names them."""
    schema = json.loads(SCHEMA_PATH.read_text())
    assert list(COLUMNS) == schema["$defs"]["finding"]["required"]


@every_day
def test_csv_read_with_pandas_gives_the_values_of_the_json_report(build):
    """Texts follow the documented rules, lists and maps are JSON, and numbers stay numbers."""
    for row, record in zip(by_pandas(build()), records(build()), strict=True):
        for name in COLUMNS:
            value = row[name]
            if name in LISTS:
                value = json.loads(value)
            elif isinstance(value, str):
                value = text_of(value)
            assert value == record[name], name


@every_day
@pytest.mark.parametrize("format_name", ["ndjson", "csv", "ocsf", "ocsf-1.4"])
def test_lines_are_as_many_as_findings(build, format_name):
    """No name adds a line, whatever characters a reader takes for line ends."""
    report = build()
    text = reporter(format_name).render(report)
    expected = len(report.findings) + (format_name == "csv")
    assert len(text.splitlines()) == text.count("\n") == expected
    assert len(re.split("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]", text)) == expected + 1


FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "|calc", "%0", "＝1", "'=1", " =1", "''+1")


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_begins_like_a_formula_and_each_is_reversible(formula):
    """The cell begins with an apostrophe or an escape, and text_of gives the original text."""
    written = cell(formula)
    assert written[0] in "'\\"
    assert text_of(written) == formula


def test_a_semicolon_opens_no_formula():
    """A formula after a semicolon stays text in spreadsheets that split fields at semicolons."""
    assert cell("a;=1+1") == "a\\u003b=1+1"
    assert cell(["b; =1+1"]) == '["b\\u003b =1+1"]'
    assert cell("a; b") == "a; b"


def test_negative_numbers_stay_numbers():
    """Only texts are protected, because a number cannot be a formula."""
    assert cell(-3.5) == -3.5


def test_long_cells_are_cut_before_a_spreadsheet_splits_them():
    """A long text ends in an ellipsis, and the cell of a long list says that it is too long."""
    assert cell("x" * 1_000_000) == "x" * CUT_AT + "…"
    assert len(cell("\U000e0041" * 40_000)) <= LONGEST_CELL
    assert json.loads(cell(["x" * 1_000_000])) == "1000004 characters, too long for a cell; report.json has them"


@given(st.text(st.characters() | st.sampled_from("'=+-@\"\\;,\t\r\n\u202e\ud800 ")))
def test_any_text_can_be_read_back_from_its_cell(text):
    """Only halves of surrogate pairs are lost, which no file can hold."""
    [[read]] = csv.reader(io.StringIO(_row(text)))
    assert text_of(read) == re.sub("[\ud800-\udfff]", "\ufffd", text)


def _row(text: str) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow([cell(text)])
    assert len(buffer.getvalue().splitlines()) == 1
    return buffer.getvalue()


@cache
def ocsf(version: str) -> jsonschema.Draft202012Validator:
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version)).get_class_schema("detection_finding", profiles=[])
    return jsonschema.Draft202012Validator(schema)


def events(report: RunReport, format_name: str = "ocsf") -> list[dict]:
    return [json.loads(line) for line in reporter(format_name).render(report).splitlines()]


@every_day
@pytest.mark.parametrize(("format_name", "version"), [("ocsf", "1.8.0"), ("ocsf-1.4", "1.4.0")])
def test_ocsf_events_follow_the_schema_of_their_version(build, format_name, version):
    """Every event is a valid Detection Finding without profiles, whose schema refuses unknown attributes."""
    for ocsf_event in events(build(), format_name):
        ocsf(version).validate(ocsf_event)
        assert ocsf_event["metadata"]["version"] == version


def test_ocsf_names_the_key_and_the_times_of_a_finding():
    """The event has the identity, severity, status, key and times (milliseconds) of the finding."""
    spike = events(report_examples.findings_day())[0]
    assert spike["finding_info"]["uid"] == "f-7f3a-spike"
    assert (spike["class_uid"], spike["type_uid"], spike["severity_id"], spike["status_id"]) == (
        2004,
        200401,
        4,
        1,
    )
    assert spike["resources"] == [
        {"uid": "key_7f3a", "type": "API key", "name": "billing-prod-07", "group": {"name": "payments"}}
    ]
    assert [seen["value"] for seen in spike["observables"]] == ["key_7f3a", "billing-prod-07"]
    assert datetime.fromtimestamp(spike["start_time"] / 1000, UTC) == report_examples.LOCAL_DAY.start
    assert spike["time"] == spike["end_time"] == spike["start_time"] + 24 * 3600 * 1000
    assert spike["evidences"][0]["data"]["observed"] == 18_240


@pytest.mark.parametrize(
    ("change", "activity", "status"),
    [
        ({"status": Status.NEW}, 1, 1),
        ({"status": Status.REOPENED}, 2, 1),
        ({"status": Status.ONGOING}, 2, 1),
        ({"status": Status.ONGOING, "acknowledged": "Acknowledged by alex"}, 2, 2),
        ({"status": Status.MUTED}, 2, 3),
        ({"status": Status.RESOLVED}, 3, 4),
    ],
)
def test_ocsf_status_says_how_far_people_have_handled_the_finding(change, activity, status):
    """An acknowledged finding is in progress, a muted one is suppressed, and a resolved one is closed."""
    report = report_examples.findings_day()
    ocsf_event = event(report, replace(report.findings[0], **change), "1.8.0")
    assert (ocsf_event["activity_id"], ocsf_event["status_id"]) == (activity, status)


def test_ocsf_names_techniques_with_their_version():
    """A technique and its sub-technique are separate, each with its page."""
    [attack] = events(report_examples.findings_day())[1]["finding_info"]["attacks"]
    assert attack["technique"]["uid"] == "T1595"
    assert attack["sub_technique"]["uid"] == "T1595.003"
    assert attack["sub_technique"]["src_url"] == "https://attack.mitre.org/techniques/T1595/003/"
    assert attack["version"]


def test_ocsf_keeps_fields_without_an_attribute():
    """No field of a finding is lost: a field without an attribute is in unmapped, under its own name."""
    report = report_examples.triaged_day()
    for ocsf_event, record in zip(events(report), records(report), strict=True):
        assert ocsf_event["unmapped"] == {name: value for name, value in record.items() if name not in MAPPED}
        assert ocsf_event["finding_info"]["title"] == record["title"]
        assert ocsf_event["message"] == record["reason"]
        assert ocsf_event.get("remediation", {"desc": ""})["desc"] == " ".join(record["actions"])


def test_the_fleet_has_no_resource():
    """A finding about all keys names no key."""
    report = report_examples.findings_day()
    fleet: Finding = replace(report.findings[0], key_id=None, name=None, team=None, severity=Severity.INFO)
    ocsf_event = event(report, fleet, "1.8.0")
    assert not {"resources", "observables"} & ocsf_event.keys()
    assert ocsf_event["is_alert"] is False
    ocsf("1.8.0").validate(ocsf_event)


def test_one_megabyte_of_name_is_one_line_everywhere():
    """A huge name does not break a file, and JSON keeps the whole name."""
    report = report_examples.renamed(report_examples.findings_day(), lambda text: text + "\r\n=" + "x" * 1_000_000)
    assert len(document(report)["findings"][0]["name"]) > 1_000_000
    for format_name in ("ndjson", "csv", "ocsf"):
        assert len(reporter(format_name).render(report).splitlines()) == len(report.findings) + (
            format_name == "csv"
        )
    assert all(len(str(value)) <= LONGEST_CELL for row in by_pandas(report) for value in row.values())

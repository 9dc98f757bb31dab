"""report.json: strict JSON that is stable and agrees with the run."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest

from detector.boundary.disk import write_atomically
from detector.config.plugins import REPORTERS
from detector.model.report import RunReport
from detector.reports import reporter
from detector.reports.exports.json import SCHEMA_ID, SCHEMA_PATH, JsonReporter, document, finding_record
from detector.usage.aggregation import by_key_answer
from tests import report_examples

DAYS = {
    "findings": report_examples.findings_day,
    "triaged": report_examples.triaged_day,
    "clear": report_examples.clear_day,
    "not judged": report_examples.not_judged_day,
    "hostile": report_examples.hostile_day,
}


def parsed(report: RunReport) -> dict:
    return json.loads(JsonReporter().render(report), parse_constant=pytest.fail)


@pytest.mark.parametrize("build", DAYS.values(), ids=DAYS.keys())
def test_document_follows_the_shipped_schema(build):
    """Every kind of day is valid by the schema of the package, including its formats."""
    schema = json.loads(SCHEMA_PATH.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(schema, format_checker=checker).validate(parsed(build()))


@pytest.mark.parametrize("path", [(), ("window",), ("coverage",), ("summary",), ("findings", 0), ("usage",)])
def test_schema_refuses_a_field_it_does_not_name(path):
    """The schema refuses a misspelt field at every level."""
    report = parsed(report_examples.findings_day())
    target = report
    for step in path:
        target = target[step]
    target["surprise"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(report, json.loads(SCHEMA_PATH.read_text()))


def test_schema_and_document_name_the_same_version():
    """The document names the id of the schema."""
    assert json.loads(SCHEMA_PATH.read_text())["$id"] == SCHEMA_ID
    assert parsed(report_examples.clear_day())["$schema"] == SCHEMA_ID


def test_usage_is_the_by_key_answer():
    """The document holds the unchanged by-key answer, including keys without requests."""
    report = report_examples.findings_day()
    usage = parsed(report)["usage"]
    assert usage == by_key_answer(report.usage)
    assert usage["total_keys"] == len(usage["keys"]) == 65
    assert sum(key["request_count"] == 0 for key in usage["keys"]) == 6


def test_same_data_gives_the_same_bytes_outside_the_run():
    """A second run differs only in report_id, generated_at and run."""
    first = report_examples.findings_day()
    again = replace(
        report_examples.findings_day(),
        run={"run_id": "another", "seconds": 1.0},
        generated_at=first.generated_at + timedelta(hours=5),
    )
    assert JsonReporter().render(first) != JsonReporter().render(again)
    same = replace(again, run=first.run, generated_at=first.generated_at)
    assert JsonReporter().render(first) == JsonReporter().render(same)
    left = document(first)
    right = document(again)
    assert {name for name in left if left[name] != right[name]} == {"report_id", "generated_at", "run"}


def test_order_of_mappings_does_not_reach_the_document():
    """Counts in another order give the same bytes."""
    report = report_examples.findings_day()
    turned = dict(reversed(list(report.summary.by_type.items())))
    other = replace(report, summary=replace(report.summary, by_type=turned))
    assert JsonReporter().render(report) == JsonReporter().render(other)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_number_that_is_not_finite_becomes_null(number):
    """Strict JSON has no NaN and no infinity."""
    finding = replace(report_examples.example_findings()[0], score=number)
    assert finding_record(finding)["score"] is None


def test_instants_end_in_z_in_any_timezone():
    """Instants are RFC 3339 in UTC, also if they are given in local time."""
    local = datetime.fromisoformat("2026-11-23T03:31:07+01:00")
    report = replace(report_examples.clear_day(), generated_at=local)
    assert parsed(report)["generated_at"] == "2026-11-23T02:31:07Z"
    naive = replace(report, generated_at=datetime(2026, 11, 23, 2, 31, 7, tzinfo=UTC).replace(tzinfo=None))
    assert parsed(naive)["generated_at"] == "2026-11-23T02:31:07Z"


def test_hostile_text_keeps_its_value_but_not_its_effect():
    """Terminal and bidi controls are escaped and not lost; half a surrogate pair becomes U+FFFD."""
    text = JsonReporter().render(report_examples.hostile_day())
    text.encode("utf-8")
    assert not {"\u202e", "\x9b", "\x1b", "\x07"} & set(text)
    parsed_text = json.dumps(json.loads(text), ensure_ascii=False)
    assert "\u202e" in parsed_text
    assert "lone\ufffdhalf" in parsed_text


def test_finding_is_flat_and_its_lists_are_never_null():
    """A SIEM can map the fields of a finding directly and loop over its lists."""
    for finding in parsed(report_examples.findings_day())["findings"]:
        assert all(isinstance(finding[name], list) for name in ("changes", "actions", "severity_reasons"))
        assert isinstance(finding["endpoints_usual"], dict)


def test_unknown_type_is_an_error_and_not_a_guess():
    """A value without a JSON form stops the report and does not become text."""
    report = replace(report_examples.clear_day(), run={"run_id": "r", "what": object()})
    with pytest.raises(TypeError, match="a report cannot hold the type object"):
        document(report)


@pytest.mark.parametrize("name", REPORTERS)
def test_every_registered_reporter_writes_its_file(name, tmp_path):
    """Every registered reporter writes its file into the day's folder."""
    path = reporter(name).write(report_examples.clear_day(), tmp_path / "2026-11-22")
    assert path == tmp_path / "2026-11-22" / reporter(name).filename
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_failed_write_leaves_the_old_file_and_no_temporary_file(tmp_path: Path):
    """A failed write keeps the old file and leaves no other file."""
    write_atomically(tmp_path / "report.json", b"old")
    with pytest.raises(TypeError):
        write_atomically(tmp_path / "report.json", "text")  # type: ignore[arg-type]
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("report.json", b"old")]

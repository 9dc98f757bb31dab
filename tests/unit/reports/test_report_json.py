"""report.json: strict, stable, and true to the run."""

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
    """Every kind of day validates against the schema in the package, formats included."""
    schema = json.loads(SCHEMA_PATH.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(schema, format_checker=checker).validate(parsed(build()))


@pytest.mark.parametrize("path", [(), ("window",), ("coverage",), ("summary",), ("findings", 0), ("usage",)])
def test_schema_refuses_a_field_it_does_not_name(path):
    """A misspelt field is found where it was written."""
    report = parsed(report_examples.findings_day())
    place = report
    for step in path:
        place = place[step]
    place["surprise"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(report, json.loads(SCHEMA_PATH.read_text()))


def test_schema_and_document_name_the_same_version():
    """The document points to the schema by its id."""
    assert json.loads(SCHEMA_PATH.read_text())["$id"] == SCHEMA_ID
    assert parsed(report_examples.clear_day())["$schema"] == SCHEMA_ID


def test_usage_is_the_by_key_answer():
    """The contract's answer is passed on untouched, zero-request keys included."""
    report = report_examples.findings_day()
    usage = parsed(report)["usage"]
    assert usage == by_key_answer(report.usage)
    assert usage["total_keys"] == len(usage["keys"]) == 65
    assert sum(key["request_count"] == 0 for key in usage["keys"]) == 6


def test_same_data_gives_the_same_bytes_outside_the_run():
    """A second run differs in report_id, generated_at and run, and in nothing else."""
    first = report_examples.findings_day()
    again = replace(
        report_examples.findings_day(),
        run={"run_id": "another", "seconds": 1.0},
        generated_at=first.generated_at + timedelta(hours=5),
    )
    assert JsonReporter().render(first) != JsonReporter().render(again)
    same = replace(again, run=first.run, generated_at=first.generated_at)
    assert JsonReporter().render(first) == JsonReporter().render(same)
    left, right = document(first), document(again)
    assert {name for name in left if left[name] != right[name]} == {"report_id", "generated_at", "run"}


def test_order_of_mappings_does_not_reach_the_document():
    """Counts gathered in another order give the same bytes."""
    report = report_examples.findings_day()
    turned = dict(reversed(list(report.summary.by_type.items())))
    other = replace(report, summary=replace(report.summary, by_type=turned))
    assert JsonReporter().render(report) == JsonReporter().render(other)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_number_that_is_not_finite_becomes_null(number):
    """Strict JSON has no NaN, so a reader must not meet one."""
    finding = replace(report_examples.example_findings()[0], score=number)
    assert finding_record(finding)["score"] is None


def test_instants_end_in_z_whatever_zone_they_came_in():
    """RFC 3339 in UTC, also for an instant given in local time."""
    local = datetime.fromisoformat("2026-11-23T03:31:07+01:00")
    report = replace(report_examples.clear_day(), generated_at=local)
    assert parsed(report)["generated_at"] == "2026-11-23T02:31:07Z"
    naive = replace(report, generated_at=datetime(2026, 11, 23, 2, 31, 7, tzinfo=UTC).replace(tzinfo=None))
    assert parsed(naive)["generated_at"] == "2026-11-23T02:31:07Z"


def test_hostile_text_keeps_its_value_but_not_its_effect():
    """Terminal and bidi controls are escaped, not lost; half a surrogate pair becomes U+FFFD."""
    text = JsonReporter().render(report_examples.hostile_day())
    text.encode("utf-8")
    assert not {"\u202e", "\x9b", "\x1b", "\x07"} & set(text)
    told = json.dumps(json.loads(text), ensure_ascii=False)
    assert "\u202e" in told
    assert "lone\ufffdhalf" in told


def test_finding_is_flat_and_its_lists_are_never_null():
    """A SIEM can map every field of a finding without digging, and loop over every list."""
    for finding in parsed(report_examples.findings_day())["findings"]:
        assert all(isinstance(finding[name], list) for name in ("changes", "actions", "severity_reasons"))
        assert isinstance(finding["endpoints_usual"], dict)


def test_unknown_type_is_an_error_and_not_a_guess():
    """Something that has no JSON form stops the report instead of appearing as text."""
    report = replace(report_examples.clear_day(), run={"run_id": "r", "what": object()})
    with pytest.raises(TypeError, match="a report cannot hold the type object"):
        document(report)


@pytest.mark.parametrize("name", REPORTERS)
def test_every_registered_reporter_writes_its_file(name, tmp_path):
    """The registry's names lead to reporters that write into the day's folder."""
    path = reporter(name).write(report_examples.clear_day(), tmp_path / "2026-11-22")
    assert path == tmp_path / "2026-11-22" / reporter(name).filename
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_failed_write_leaves_the_old_file_and_no_scraps(tmp_path: Path):
    """A write that cannot end takes nothing away and leaves nothing behind."""
    write_atomically(tmp_path / "report.json", b"old")
    with pytest.raises(TypeError):
        write_atomically(tmp_path / "report.json", "text")  # type: ignore[arg-type]
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("report.json", b"old")]

"""What the judged day's faults mean for its data."""

from __future__ import annotations

from detector.judging.completeness import DataProblem, assess, is_complete
from detector.model.panel import Panel
from detector.model.usage import MISSING_FILE, Fault
from tests.panels import panel

COUNTS = {"a": [20] * 30}


def assess_day(judged: Panel) -> list[DataProblem]:
    """The problems of a day, with late rows usual for three days."""
    return assess(judged, settle_days=3)


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
    """The source may hold requests of still earlier days, which are not part of the panel."""
    (problem,) = assess_day(panel({"a": [0] * 30}, missing=range(30)))
    assert problem.text == "The source holds no request for this day, nor for the 29 days before it."
    assert not is_complete([problem])

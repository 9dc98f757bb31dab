"""The chart of open findings over many days."""

from __future__ import annotations

from datetime import date, timedelta
from xml.etree import ElementTree

from detector.model.report import Outcome
from detector.reports.page import trend

LAST = date(2026, 11, 22)


def drawings(days: list[trend.Day]) -> list[ElementTree.Element]:
    """The wide and the narrow drawing as parsed elements."""
    return list(ElementTree.fromstring(f"<p>{trend.chart(days)}</p>"))


def test_no_days_give_no_chart() -> None:
    """The chart of an empty folder is empty."""
    assert trend.chart([]) == ""


def test_the_most_severe_findings_are_at_the_bottom() -> None:
    """The bar of a day stacks the severities upwards, and its heights follow the counts."""
    wide, _ = drawings([(LAST, Outcome.FINDINGS, {"high": 1, "low": 3})])
    high, low = [element for element in wide.iter() if "judged" in (element.get("class") or "")]
    assert high.get("class") == "judged high"
    assert float(high.get("y", 0)) > float(low.get("y", 0))
    assert float(low.get("height", 0)) == 3 * float(high.get("height", 0))


def test_days_without_evaluation_or_report_are_gaps() -> None:
    """A gap names its reason."""
    days: list[trend.Day] = [(LAST - timedelta(days=2), Outcome.COULD_NOT_JUDGE, {}), (LAST, Outcome.CLEAR, {})]
    wide, _ = drawings(days)
    gaps = [element[0].text for element in wide.iter() if element.get("class") == "gap"]
    assert gaps == ["20 Nov: could not judge", "21 Nov: no report"]


def test_the_narrow_drawing_has_fewer_days() -> None:
    """Both drawings end with the last day; the narrow one begins later."""
    days: list[trend.Day] = [
        (LAST - timedelta(days=ago), Outcome.FINDINGS, {"low": 1}) for ago in range(199, -1, -1)
    ]
    bars = [
        [element for element in drawing.iter() if element.get("class") == "judged low"]
        for drawing in drawings(days)
    ]
    assert [len(each) for each in bars] == [120, 42]

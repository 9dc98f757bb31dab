"""The page in a real browser: quiet on the network and the console, and its controls work."""

import pytest

from tests import report_examples
from tests.end_to_end.conftest import Visit


@pytest.mark.parametrize("width", [1160, 400])
@pytest.mark.parametrize(
    "build",
    [
        report_examples.findings_day,
        report_examples.clear_day,
        report_examples.not_judged_day,
        report_examples.hostile_day,
    ],
)
def test_page_loads_itself_alone_and_without_complaint(visit, build, width):
    """One request, no console message, no page wider than the screen, on any day and width."""
    seen = visit(build(), width=width)
    assert [url.split("/")[-1] for url in seen.requests] == ["report.html"]
    assert seen.complaints == []
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width


def test_filters_narrow_the_findings_together(visit):
    """Chips of different kinds are combined, a second click lifts one, and the reset lifts all."""
    seen = visit(report_examples.findings_day())
    assert seen.visible(".card") == 5
    seen.page.click("button[data-facet=Severity]:has-text('Medium')")
    assert seen.visible(".card") == 2
    seen.page.click("button[data-facet=Team]:has-text('search')")
    assert seen.visible(".card") == 1
    assert seen.page.inner_text("#showing") == "2 of 6 findings match"
    seen.page.click("button[data-facet=Severity]:has-text('Medium')")
    seen.page.click("#reset")
    assert seen.visible(".card") == 5
    assert seen.page.inner_text("#showing") == "All 6 findings"


def test_link_to_a_filtered_finding_brings_it_back(visit):
    """A deep link never leads to something hidden."""
    seen = visit(report_examples.findings_day())
    seen.page.click("button[data-facet=Severity]:has-text('Low')")
    seen.page.evaluate("location.hash = '#f-7f3a-spike'")
    seen.page.wait_for_selector("#f-7f3a-spike", state="visible", timeout=5000)


def first_keys(seen: Visit, column: int = 1) -> list[str]:
    cells = seen.page.query_selector_all(f"#usage-table tbody tr:not([hidden]) > :nth-child({column})")
    return [cell.inner_text().split("\n")[0] for cell in cells[:3]]


def test_columns_sort_both_ways_over_all_rows(visit):
    """Sorting covers the rows that are not shown yet and tells assistive technology the order."""
    seen = visit(report_examples.findings_day())
    assert first_keys(seen, 4) == ["30,656", "18,240", "12,250"]
    seen.page.click("#usage-table th button:has-text('Requests')")
    assert first_keys(seen, 4) == ["0", "0", "0"]
    assert seen.page.get_attribute("#usage-table thead th:nth-child(4)", "aria-sort") == "ascending"
    seen.page.click("#usage-table th button:has-text('Errors')")
    assert first_keys(seen, 5) == ["92.7%", "31.0%", "1.2%"]
    seen.page.click("#usage-table th button:has-text('Key')")
    assert first_keys(seen)[0] == "billing-asia-1"


def test_table_shows_25_rows_then_all_and_finds_any(visit):
    """Long tables open on demand; the search looks through every row."""
    seen = visit(report_examples.findings_day())
    assert seen.visible("#usage-table tbody tr") == 25
    seen.page.fill("#search input", "qa-nightly")
    assert seen.visible("#usage-table tbody tr") == 6
    seen.page.fill("#search input", "")
    seen.page.click("#usage-note button:has-text('Show all 65 rows')")
    assert seen.visible("#usage-table tbody tr") == 65


def test_without_script_everything_can_be_read(visit):
    """No control that would do nothing, all cards visible, further rows behind a native disclosure."""
    seen = visit(report_examples.findings_day(), script=False)
    assert seen.visible("button") == 0
    assert seen.visible("#search") == 0
    assert seen.visible(".card") == 5
    assert seen.visible("#usage-table tbody tr") == 25
    seen.page.click("#usage-more > summary")
    assert seen.visible("#usage-more tbody tr") == 40


@pytest.mark.parametrize(("width", "kind"), [(1160, "wide"), (400, "narrow")])
def test_one_drawing_fits_the_screen_and_its_letters_are_not_scaled(visit, width, kind):
    """Each chart shows one of its two drawings, with letters of about the size of the text."""
    seen = visit(report_examples.findings_day(), width=width)
    assert seen.visible("#findings svg.days") == seen.visible(f"#findings svg.days.{kind}") == 5
    label = seen.page.query_selector(f"#findings svg.days.{kind} text.last")
    assert 11 <= label.bounding_box()["height"] <= 18


def test_hostile_names_run_nothing(visit):
    """No dialog opens and no script of theirs leaves a trace."""
    dialogs = []
    seen = visit(report_examples.hostile_day())
    seen.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    seen.page.mouse.move(300, 600)
    assert dialogs == []
    assert seen.page.query_selector("img") is None

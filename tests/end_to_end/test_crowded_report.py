"""The page of a 500-finding day over 10,000 keys, in a real browser: small, quiet, accessible, usable."""

import io
import json
from functools import cache
from pathlib import Path

import pypdfium2
import pytest
from axe_playwright_python.sync_playwright import Axe

from detector.model.report import RunReport
from detector.reports.page import index
from detector.reports.page.html import HtmlReporter
from tests import report_examples
from tests.crowded_day import crowded_day

WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
MOST_BYTES = 3_000_000


@cache
def day() -> RunReport:
    return crowded_day()


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return HtmlReporter().write(day(), tmp_path_factory.mktemp("crowded"))


def test_page_is_under_three_megabytes(crowded):
    """It goes through a mail gateway and opens at once."""
    assert crowded.stat().st_size < MOST_BYTES


def test_page_opens_offline_without_request_or_complaint(visit, crowded):
    """One request, for itself, and nothing on the console."""
    seen = visit(crowded)
    assert [url.split("/")[-1] for url in seen.requests] == ["report.html"]
    assert seen.complaints == []
    assert seen.page.inner_text("#showing") == "All 500 findings"
    assert seen.visible(".card") == 450


def test_filters_search_and_order_work_together(visit, crowded):
    """Narrowing combines, and the order can be changed under it."""
    seen = visit(crowded)
    seen.page.click("button[data-facet=Severity]:has-text('Critical')")
    seen.page.click("button[data-facet=Environment]:has-text('test')")
    count = int(seen.page.inner_text("#showing").split()[0])
    wanted = [f for f in day().findings if f.severity == "critical" and f.environment == "test"]
    assert count == len(wanted) > 0
    seen.page.fill("#find", wanted[0].name)
    assert seen.visible(".card") == 1
    seen.page.click("#reset")
    seen.page.select_option("#order", "name")
    names = [seen.page.locator(".card h2 > bdi").nth(i).inner_text() for i in range(3)]
    assert names == sorted({f.name for f in day().findings})[:3]


def test_deep_link_opens_a_folded_card(visit, crowded):
    """Whoever follows a link sees the whole finding."""
    last = day().findings[-1].finding_id
    seen = visit(crowded, anchor=f"#{last}")
    assert seen.page.locator(f"[id='{last}'] .details").first.is_visible()


def test_every_key_can_be_found(visit, crowded):
    """Keys beyond the first rows are shown when asked for, and sort with the others."""
    seen = visit(crowded)
    seen.page.fill("#search input", "key_0000270f")
    assert seen.visible("#usage-table tbody tr") == 1
    assert seen.page.inner_text("#found") == "1 key found"
    seen.page.fill("#search input", "")
    seen.page.click("#usage-note button:has-text('Show all 10,000 rows')")
    assert seen.page.locator("#usage-table tbody tr").count() == 10_000
    seen.page.click("#usage-table th button:has-text('Requests')")
    assert seen.page.inner_text("#usage-table tbody tr:first-child td:nth-child(4)") == "0"


def test_keyboard_reaches_and_works_the_controls(visit, crowded):
    """The skip link is first; a filter is chosen and lifted, and a card opened, with keys alone."""
    seen = visit(crowded)
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("document.activeElement.className") == "skip"
    seen.page.focus("button[data-mark]")
    seen.page.keyboard.press("Space")
    assert "match" in seen.page.inner_text("#showing")
    seen.page.keyboard.press("Space")
    assert seen.page.inner_text("#showing") == "All 500 findings"
    seen.page.focus(".rest > summary")
    seen.page.keyboard.press("Enter")
    assert seen.page.evaluate("document.activeElement.parentElement.open")


def test_a_finding_is_copied_as_text_and_as_json(visit):
    """What is pasted is the record of report.json, or lines for a ticket with a link."""
    seen = visit(report_examples.hostile_day())
    seen.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    seen.page.click("#f-02c9-woke button:has-text('Copy JSON')")
    seen.page.locator("#copied", has_text="Copied JSON").wait_for(state="attached")
    text = seen.page.evaluate("navigator.clipboard.readText()")
    assert json.loads(text)["finding_id"] == "f-02c9-woke"
    assert text.isprintable() or set(text) - {"\n"} == {sign for sign in text if sign.isprintable()}
    seen.page.click("#f-02c9-woke button:has-text('Copy text')")
    seen.page.locator("#copied", has_text="Copied text").wait_for(state="attached")
    text = seen.page.evaluate("navigator.clipboard.readText()")
    assert text.startswith("HIGH Dormant key woke")
    assert text.endswith("#f-02c9-woke")


def test_without_script_all_findings_can_be_read(visit, crowded):
    """Nothing that would do nothing is shown, and the folded parts open by themselves."""
    seen = visit(crowded, script=False)
    assert seen.visible("button, input, select") == 0
    assert seen.visible(".card") == 450
    seen.page.locator(".rest > summary").last.click()
    assert seen.page.locator(".rest .details").last.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1160, 400])
@pytest.mark.parametrize(
    "build",
    [
        report_examples.triaged_day, report_examples.clear_day, report_examples.not_judged_day,
        lambda: crowded_day(40, 400),
    ],
    ids=["triaged", "clear", "not judged", "crowded"],
)  # fmt: skip
def test_axe_finds_no_violation(visit, build, width, scheme):
    """WCAG 2.2 AA, as far as a machine can tell, in both schemes and on both widths."""
    found = Axe().run(visit(build(), width=width, scheme=scheme).page, options=WCAG)
    assert [(v["id"], [n["html"][:120] for n in v["nodes"][:3]]) for v in found.response["violations"]] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation_on_the_index(visit, tmp_path, scheme):
    """The page over the days is held to the same."""
    report = report_examples.triaged_day()
    HtmlReporter().write(report, tmp_path / str(report.day.date))
    seen = visit(index.update(tmp_path, report), scheme=scheme)
    assert Axe().run(seen.page, options=WCAG).response["violations"] == []
    assert seen.complaints == []


def test_print_is_in_pages_that_hold_something(visit):
    """Findings begin on the first page, no controls are printed, links are spelled out."""
    seen = visit(report_examples.findings_day())
    pages = pypdfium2.PdfDocument(io.BytesIO(seen.page.pdf(format="A4")))
    texts = [page.get_textpage().get_text_bounded() for page in pages]
    assert len(texts) <= 9
    assert "billing-prod-07" in texts[0]
    assert "#f-7f3a-spike" in "".join(texts)
    assert not any(word in "".join(texts) for word in ("Copy JSON", "Search the findings", "Show all"))

"""report.html: the page shows all facts, and no text of a customer becomes markup or script."""

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from detector.boundary.text import UNSEEN, visible
from detector.model.finding import Severity, Status
from detector.model.report import Outcome, RunReport
from detector.reports.page import html, tables
from detector.reports.page.assets import assets
from detector.reports.page.html import HtmlReporter
from tests import report_examples

DAYS = {
    "findings": report_examples.findings_day,
    "triaged": report_examples.triaged_day,
    "clear": report_examples.clear_day,
    "not judged": report_examples.not_judged_day,
    "hostile": report_examples.hostile_day,
}
FREE = {"aria-label", "content", "data-value"}
"""Attributes with text from outside. The structure holds the values of all other attributes."""


class Page(HTMLParser):
    """The page as a browser without scripts reads it: its elements, text and attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.structure: list[tuple] = []
        self.words: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self._silent = 0
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        structure = [(name, None if name in FREE else value) for name, value in attrs]
        self.structure.append((tag, tuple(structure)))
        self.attributes += [(tag, name, value) for name, value in attrs]
        self._silent += tag in ("script", "style")

    def handle_endtag(self, tag):
        self.structure.append(("/" + tag,))
        self._silent -= tag in ("script", "style")

    def handle_comment(self, data):
        self.structure.append(("comment",))

    def handle_data(self, data):
        if not self._silent:
            self.words.append(data)


def rendered(report: RunReport) -> Page:
    return Page(HtmlReporter().render(report))


@pytest.mark.parametrize("prefix", report_examples.HOSTILE)
def test_hostile_names_build_the_same_page_as_harmless_ones(prefix):
    """Names, teams, endpoints and faults change the text, but no element and no attribute."""
    report = report_examples.triaged_day()
    harmless = rendered(report_examples.renamed(report, lambda text: "calm " + text))
    hostile = rendered(report_examples.renamed(report, lambda text: prefix + text))
    assert hostile.structure == harmless.structure


def test_a_name_of_a_megabyte_changes_no_element_and_does_not_fill_the_page():
    """Long text is cut, and the cut leaves no half of an escape."""
    report = report_examples.triaged_day()
    huge = "<b>&amp;" * 131_072
    findings = tuple(replace(finding, name=huge, team=huge) for finding in report.findings)
    short = tuple(replace(finding, name="calm", team="calm") for finding in report.findings)
    page = rendered(replace(report, findings=findings))
    usual = rendered(replace(report, findings=short))
    assert page.structure == usual.structure
    assert len(page.text) < len(usual.text) + 2_000 * 2 * len(findings)


def test_invisible_characters_are_spelled_out_everywhere():
    """No control or bidi character reaches the page, in text or in an attribute."""
    text = HtmlReporter().render(report_examples.hostile_day())
    text.encode("utf-8")
    assert not UNSEEN.search(text)
    assert "invoice[U+202E]fdp.exe" in text
    assert "lone[U+D800]half" in text


def test_overlong_name_is_cut():
    """A long name is cut to 1,000 characters."""
    assert len(visible("x" * 100_000)) == 1000


@pytest.mark.parametrize("build", DAYS.values(), ids=DAYS.keys())
def test_page_makes_no_network_request(build):
    """No element loads a resource, and the policy forbids it."""
    page = rendered(build())
    loading = {"src", "srcset", "action", "poster", "data", "background", "style"}
    assert not [a for a in page.attributes if a[1] in loading or a[1].startswith("on")]
    assert all(value.startswith("#") for _, name, value in page.attributes if name == "href")
    [policy] = [v for tag, name, v in page.attributes if tag == "meta" and v and v.startswith("default-src")]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


@pytest.mark.parametrize("build", DAYS.values(), ids=DAYS.keys())
def test_every_finding_is_shown_without_script(build: Callable[[], RunReport]):
    """The reason, changes, actions, team and techniques of every finding are text on the page."""
    report = build()
    page = rendered(report)
    for finding in report.findings:
        texts = [finding.name, finding.title, finding.reason, finding.acknowledged, finding.muted]
        if finding.status not in (Status.RESOLVED, Status.MUTED):
            texts += [finding.team, finding.prevalence, finding.confidence, *finding.severity_reasons]
            texts += [*finding.changes, *finding.actions]
            texts += [text for technique in finding.techniques for text in (technique.id, technique.condition)]
        for text in filter(None, texts):
            assert " ".join(visible(text).split()) in page.text
        assert ("id", finding.finding_id) in {(name, value) for _, name, value in page.attributes}


def test_run_details_name_late_data():
    """The details of the run name the day that changed and by how much."""
    text = rendered(report_examples.findings_day()).text
    assert "2026-11-21 was pulled again: 1,204 more requests, 17 keys changed." in text


def test_triage_is_shown_where_a_reader_looks_for_it():
    """The page shows acknowledgements on cards, muted findings, all mutes, and how many findings were real."""
    text = rendered(report_examples.triaged_day()).text
    assert "Acknowledged by alex from 22 November 2026 (entry 1): team payments is on it" in text
    assert "Verdict: real" in text
    muted = text.index("Muted by alex from 22 November 2026 until 30 November 2026 (entry 2)")
    assert muted > text.index("Young key among the heaviest")
    assert "Of 2 usage spikes with a verdict, 1 was real." in text
    receipt = text[text.index("Details of the run") :]
    assert "team checkout (covers 1 finding on this day), by alex until 30 November 2026" in receipt
    assert "keys like loadtest-* (covers nothing on this day)" in receipt


def test_a_muted_finding_has_no_card_and_no_tag():
    """A muted finding is only in the list of muted findings."""
    page = html.page(report_examples.triaged_day())
    assert "key_b81d" not in {card.lead.finding.key_id for card in page["cards"]}
    assert [finding.key_id for finding in page["muted"]] == ["key_b81d"]
    rows = {row.key_id: row for row in page["table"]["first"] + page["table"]["more"]}
    assert rows["key_b81d"].tags == []


def test_an_all_clear_over_muted_findings_says_so():
    """The page says that findings exist and are muted."""
    report = report_examples.triaged_day()
    muted = tuple(finding for finding in report.findings if finding.status is Status.MUTED)
    text = rendered(replace(report, findings=muted, summary=replace(report.summary, outcome=Outcome.CLEAR))).text
    assert "All findings are muted" in text
    assert "No key deviates" not in text


def test_findings_on_one_key_share_a_card_and_the_worst_leads():
    """Two findings of one key are on one card, in order of severity."""
    report = report_examples.findings_day()
    first, second = (f for f in report.findings if f.key_id == "key_55e0")
    turned = replace(second, severity=Severity.HIGH)
    findings = tuple(turned if f is second else f for f in report.findings)
    cards = html.page(replace(report, findings=findings))["cards"]
    [card] = [card for card in cards if card.lead.finding.key_id == "key_55e0"]
    assert card.lead.finding.finding_id == second.finding_id
    assert [entry.finding for entry in card.others] == [first]
    assert len(cards) == 5


def test_ids_are_unique():
    """No two elements share an id."""
    ids = [value for _, name, value in rendered(report_examples.findings_day()).attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_internal_links_lead_somewhere():
    """Every link on the page points to an id on the page."""
    page = rendered(report_examples.findings_day())
    ids = {value for _, name, value in page.attributes if name == "id"}
    assert {value[1:] for _, name, value in page.attributes if name == "href"} <= ids


def test_all_clear_and_could_not_judge_cannot_be_confused():
    """A clear day and a day that was not evaluated differ in text and style."""
    clear = rendered(report_examples.clear_day())
    unknown = rendered(report_examples.not_judged_day())
    assert "This is not an all-clear" in unknown.text
    assert "This is not an all-clear" not in clear.text
    assert "The data are incomplete" in unknown.text
    assert "The data are incomplete" not in clear.text
    assert ("body", "class", "could_not_judge") in unknown.attributes
    assert ("body", "class", "clear") in clear.attributes


def test_day_without_data_calls_no_key_silent():
    """Without data, the page lists no key as unused and says why."""
    page = rendered(report_examples.not_judged_day())
    assert "no data for this day that show which keys were silent" in page.text
    assert "silent for" not in page.text


def test_failure_alone_raises_the_banner():
    """The page names a failed part of the run before the verdict, even if the data are complete."""
    report = report_examples.clear_day()
    failed = replace(report, coverage=replace(report.coverage, failures=("detector error_surge: out of range",)))
    text = rendered(failed).text
    assert text.index("Failed: detector error_surge") < text.rindex(report.summary.verdict)


def test_long_table_is_cut_but_keeps_every_key_with_a_finding(monkeypatch):
    """Keys beyond the limit are only counted, unless they have a finding."""
    monkeypatch.setattr(tables, "TABLE_ROWS", 10)
    monkeypatch.setattr(tables, "LISTED_ROWS", 20)
    table = html.page(report_examples.findings_day())["table"]
    shown_ids = {row.key_id for row in table["first"] + table["more"]}
    assert {"key_b81d", "key_02c9", "key_c410"} <= shown_ids
    assert table["left_out"] == 65 - len(shown_ids) - table["rest_rows"] == 45


def test_zero_request_keys_are_in_the_table():
    """The by-key table has every active key, used or unused."""
    table = html.page(report_examples.findings_day())["table"]
    rows = {row.key_id: row for row in table["first"] + table["more"]}
    assert len(rows) == 65
    assert rows["key_9000"].silent == "no known use"
    assert rows["key_9002"].silent == "silent for 53 days"


def test_what_was_not_judged_is_on_the_page():
    """The page names keys, days and rows that were not evaluated, with the reason."""
    text = rendered(report_examples.findings_day()).text
    for words in (
        "fewer than 8 days of history",
        "2 November 2026",
        "key_0021",
        "key_dead",
        "no key id, not attributable to a key",
        "12,086 records read: 12,000 counted, 3 without a key, 40 repeated, 43 unusable.",
        "unusable: line is not valid JSON, 4,096 bytes",
        "Left out, in source main; their day is unknown.",
    ):
        assert words in text


def test_finding_of_an_unknown_type_is_shown_by_the_name_of_the_type():
    """The page shows a finding of a type that it does not know."""
    report = report_examples.findings_day()
    own = replace(report.findings[0], type="geo_jump", key_id="key_elsewhere", finding_id="f-geo")
    text = rendered(replace(report, findings=(own, *report.findings))).text
    assert "Geo jump" in text


def test_same_data_gives_the_same_page():
    """Equal reports give equal pages, byte for byte."""
    render = HtmlReporter().render
    assert render(report_examples.findings_day()) == render(report_examples.findings_day())


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_can_be_read_in_both_schemes(scheme):
    """Every pair of text and background on the page has a contrast of at least 4.5 to 1."""
    style = assets("report.js")["style"]
    blocks = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[scheme]))
    severities = ("critical", "high", "medium", "low", "info")
    pairs = [(text, ground) for text in ("ink", "soft", "link") for ground in ("page", "surface", "raised")]
    pairs += [("on", name) for name in severities] + [(name, "surface") for name in severities]
    pairs += [("page", "ink")]
    assert {
        pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in pairs if not readable(colours, pair)
    } == {}


def readable(colours: dict[str, str], pair: tuple[str, str]) -> bool:
    return contrast(colours[pair[0]], colours[pair[1]]) >= 4.5

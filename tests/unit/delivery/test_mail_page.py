"""The mail itself: what it says, that its two halves agree, and what mail programs make of it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

import pytest

from detector.config.channels import MailDelivery
from detector.delivery import Origin
from detector.delivery.mail.channel import MailChannel
from detector.delivery.mail.rendering import LARGEST_BODY
from detector.model.day import Day
from detector.model.finding import Severity
from detector.model.report import RunReport
from detector.state.messages import DIGEST, Message
from tests.report_examples import (
    clear_day,
    findings_day,
    hostile_day,
    not_judged_day,
    triaged_day,
)

DAYS = {
    "findings": findings_day,
    "triaged": triaged_day,
    "clear": clear_day,
    "not judged": not_judged_day,
    "hostile": hostile_day,
}

DROPPED_TAGS = {
    "script", "svg", "form", "input", "button", "select", "textarea", "video", "audio", "object", "iframe",
    "embed", "base", "link", "picture", "canvas", "dialog", "template",
}  # fmt: skip
"""Tags that Gmail or Outlook for Windows remove or ignore, by https://www.caniemail.com (data of 2026)."""

KEPT_PROPERTIES = {
    "background-color", "border", "border-top", "color", "display", "font-family", "font-size", "font-weight",
    "height", "line-height", "margin", "margin-top", "max-width", "padding", "text-align", "width", "word-break",
}  # fmt: skip
"""Properties that Gmail and Outlook for Windows apply, at least in part, by the same source. max-width is
ignored by Outlook, where the width attributes beside it serve; word-break
only spares a scroll bar. @media rules, for dark mode and phones, go beyond what Outlook knows."""


class Parsed(HTMLParser):
    """Elements with their attributes, and the texts a reader meets, alternative texts of pictures included."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self._inside: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.elements.append((tag, found))
        if tag in ("style", "title"):
            self._inside.append(tag)
        self.texts += [found["alt"]] if "alt" in found else []

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside and data.strip():
            self.texts.append(" ".join(data.split()))


def channel(**changes: Any) -> MailChannel:
    usual = {"host": "localhost", "from": "Detector <detector@example.com>", "to": ["security@example.com"]}
    url = "https://reports.example.com/{day}/report.html"
    return MailChannel(MailDelivery.model_validate(usual | changes), Origin("main", "Acme", url))


def mails(*reports: RunReport, **changes: Any) -> dict[str, EmailMessage]:
    """The mails about days by recipient, parsed back from their bytes."""
    stored = channel(**changes).messages(reports)
    return {each.recipient: parsed(each) for each in stored if each.payload is not None}


def parsed(message: Message) -> EmailMessage:
    assert message.payload is not None
    return message_from_bytes(message.payload, policy=policy.default)


def halves(mail: EmailMessage) -> tuple[str, str]:
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    return text.get_content().replace("\r\n", "\n"), html.get_content().replace("\r\n", "\n")


def crowded(count: int) -> RunReport:
    """A day with many findings."""
    report = findings_day()
    first = report.findings[0]
    many = [replace(first, finding_id=f"f-{number}", key_id=f"key_x{number}") for number in range(count)]
    return replace(report, findings=(*many, *report.findings))


def with_names(text: str) -> RunReport:
    """The findings day of an organization whose every name and sentence is ``text``."""
    report = findings_day()
    renamed = [
        replace(
            finding,
            name=text,
            key_id=text,
            team="payments",
            application=text,
            reason=text,
            title=text,
            changes=(text,) * 9,
            actions=(text,) * 9,
            prevalence=text,
            severity_reasons=(text,) * 9,
            acknowledged=text,
        )
        for finding in report.findings
    ]
    coverage = replace(report.coverage, failures=(text,) * 9, problems=(text,) * 9, complete=False)
    return replace(report, findings=tuple(renamed), coverage=coverage, organization=text)


@pytest.mark.parametrize("build", DAYS.values(), ids=DAYS.keys())
def test_text_says_everything_that_the_html_says(build) -> None:
    """Word for word, and what the pictures show too."""
    for mail in mails(build(), teams={"payments": ["p@example.com"], "checkout": ["c@example.com"]}).values():
        text, html = halves(mail)
        said = " ".join(text.split())
        missing = [each for each in Parsed(html).texts if each.rstrip(":").strip() not in said]
        assert [each for each in missing if each != "\xa0"] == []


def test_three_outcomes_look_different_at_first_sight() -> None:
    """In the list of mails, in the first line, and by the colour of the bar."""
    seen = {}
    for name in ("findings", "clear", "not judged"):
        mail = mails(DAYS[name]())["security@example.com"]
        text, html = halves(mail)
        bar = next(attrs["bgcolor"] for tag, attrs in Parsed(html).elements if "bgcolor" in attrs)
        seen[name] = (mail["Subject"].partition("]")[0], text.partition("]")[0], bar)
    assert len({subject for subject, _, _ in seen.values()}) == 3
    assert len({colour for _, _, colour in seen.values()}) == 3
    assert seen["findings"][:2] == ("[Findings: high", "[Findings: high")
    assert seen["clear"][:2] == ("[All clear", "[All clear")
    assert seen["not judged"][:2] == ("[Could not judge", "[Could not judge")


@pytest.mark.parametrize("build", DAYS.values(), ids=DAYS.keys())
def test_html_uses_nothing_that_mail_programs_drop(build) -> None:
    """Known tags, inlined properties that Gmail and Outlook apply, pictures by content id, no variables."""
    _, html = halves(mails(build())["security@example.com"])
    page = Parsed(html)
    assert {tag for tag, _ in page.elements} & DROPPED_TAGS == set()
    inlined = [attrs["style"] for _, attrs in page.elements if "style" in attrs]
    used = {part.partition(":")[0].strip() for style in inlined for part in style.split(";") if part.strip()}
    assert used <= KEPT_PROPERTIES
    assert all(not name.startswith("on") for _, attrs in page.elements for name in attrs)
    assert all(attrs["src"].startswith("cid:") for _, attrs in page.elements if "src" in attrs)
    assert "var(" not in html
    assert not re.search(r"""["'(]data:""", html)
    assert [tag for tag, attrs in page.elements if tag == "td" and "style" not in attrs] == []


def test_every_picture_is_there_and_none_besides() -> None:
    """At most six, each a PNG that the HTML names."""
    mail = mails(findings_day())["security@example.com"]
    _, html = halves(mail)
    shown = set(re.findall(r'src="cid:([^"]+)"', html))
    pictures = {
        part["Content-ID"].strip("<>"): part for part in mail.walk() if part.get_content_type() == "image/png"
    }
    assert set(pictures) == shown
    assert 1 <= len(shown) <= 6
    for part in pictures.values():
        assert part.get_content().startswith(b"\x89PNG")
        assert len(part.get_content()) < 20_000


@pytest.mark.parametrize("report", [crowded(500), with_names("x" * 1_000_000)], ids=["500 findings", "1 MB names"])
def test_body_stays_under_80_kb_and_counts_the_rest(report: RunReport) -> None:
    """Gmail would clip it; what does not fit is counted, never dropped in silence."""
    text, html = halves(mails(report)["security@example.com"])
    assert len(html.encode()) <= LARGEST_BODY
    assert len(text.encode()) <= LARGEST_BODY
    cards = html.count("Confidence")
    opened = sum(finding.status.value not in ("resolved", "muted") for finding in report.findings)
    if cards < opened:
        assert f"{opened - cards:,} more findings are in the report." in text


def test_a_team_is_told_of_its_own_keys_alone() -> None:
    """No other key, team or failure is named in its mail."""
    mail = mails(findings_day(), teams={"payments": ["p@example.com"]})["p@example.com"]
    text, _ = halves(mail)
    assert mail["Subject"] == "[Findings: high] 1 key of team payments needs a look (Acme, 22 Nov)"
    named = set(re.findall(r"key_[0-9a-f]{4}", mail.as_string()))
    assert named == {"key_7f3a"}
    assert "billing-prod-07" in text
    assert all(other not in text for other in ("search", "checkout", "growth", "legacy-export"))


def test_a_team_without_findings_gets_no_mail_and_a_member_of_the_security_list_one() -> None:
    """Nobody gets two mails about one day."""
    teams = {"payments": ["security@example.com", "p@example.com"], "data": ["d@example.com"]}
    assert set(mails(findings_day(), teams=teams)) == {"security@example.com", "p@example.com"}


def test_somebody_in_two_teams_gets_one_mail_about_both() -> None:
    """With the severity of each team."""
    teams = {"payments": ["p@example.com"], "search": {"to": ["p@example.com"], "minimum_severity": "high"}}
    found = mails(findings_day(), teams=teams)
    assert found["p@example.com"]["Subject"].startswith("[Findings: high] 1 key of team payments and search")


def test_findings_below_the_minimum_are_counted() -> None:
    """The security list may ask for the severe ones alone."""
    text, _ = halves(mails(findings_day(), minimum_severity="high")["security@example.com"])
    assert text.count("Confidence:") == 2
    assert "4 less severe findings are not shown here." in text


def test_a_digest_tells_several_days_in_one_mail() -> None:
    """Each day has its line, each finding its latest state, and no day is mailed again."""
    report = findings_day()
    day = report.day.date - timedelta(days=1)
    earlier = replace(clear_day(), day=Day(day, report.day.timezone))
    stored = channel().messages([earlier, report])
    digest = [message for message in stored if message.payload is not None]
    assert [(message.day, message.part.split()[0]) for message in digest] == [(report.day.date, DIGEST)]
    assert [message.day for message in stored if message.payload is None] == [day, report.day.date]
    text, _ = halves(parsed(digest[0]))
    assert text.startswith("[Findings: high] 2 days caught up: 1 with findings, 1 clear")
    assert "Sat 21 Nov: Nothing to look at" in text
    assert text.count("Confidence:") == 6


def test_headers_identify_thread_and_do_not_ask_for_answers() -> None:
    """The same mail has the same id; the next day is another mail of the same thread."""
    report = findings_day()
    tomorrow = replace(report, day=Day(report.day.date + timedelta(days=1), report.day.timezone))
    first, again, second = (mails(each)["security@example.com"] for each in (report, findings_day(), tomorrow))
    assert first["Message-ID"] == again["Message-ID"]
    assert first["Message-ID"] != second["Message-ID"]
    assert first["References"] == second["References"] == first["In-Reply-To"]
    assert re.fullmatch(r"<[0-9a-f]{32}@example\.com>", first["Message-ID"])
    assert first["List-Id"] == "API key findings <main.detector.example.com>"
    assert first["Auto-Submitted"] == "auto-generated"


def test_a_long_domain_does_not_make_a_message_id_too_long() -> None:
    """The standard library folds ids of more than 77 characters wrongly."""
    sender = f"detector@{'a' * 60}.{'b' * 60}.example.com"
    assert len(mails(clear_day(), **{"from": sender})["security@example.com"]["Message-ID"]) <= 77


HOSTILE = {
    "script": "<script>alert(1)</script>",
    "break out": "\"'><img src=x onerror=alert(1)>",
    "template": "{{ 7*7 }}{% for x in y %}${7*7}#{7*7}",
    "header": "a\r\nBcc: victim@example.com\r\n\r\nbody",
    "formula": "=cmd|'/c calc'!A0",
    "terminal": "\x1b]0;owned\x07\x1b[2J",
    "bidi": "abc\u202egnp.exe\u2066x",
    "nothing": "\x00\x00",
    "half": "\ud800x\udfff",
    "mention": "<!channel> @here @everyone",
    "lines": "one\ntwo\u2028three\u0085four\x0bfive\x0csix",
    "boundary": "\n--===============2777394008401468171==\n.\n",
    "link": "https://evil.example/login",
    "long": "A" * 1_000_000,
}


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_names_change_nothing_but_the_words(name: str) -> None:
    """Headers, parts, elements, attributes and lines are those of a benign run."""
    teams = {"payments": ["p@example.com"]}
    benign, hostile = (mails(with_names(each), teams=teams) for each in ("benign", name))
    assert set(benign) == set(hostile)
    for recipient, mail in hostile.items():
        usual = benign[recipient]
        assert mail.keys() == usual.keys()
        assert [part.get_content_type() for part in mail.walk()] == [
            part.get_content_type() for part in usual.walk()
        ]
        assert mail["To"] == recipient
        assert mail.defects == []
        (text, html), (usual_text, usual_html) = halves(mail), halves(usual)
        if len(name) < 1000:
            assert _shape(html) == _shape(usual_html)
            assert len(text.splitlines()) == len(usual_text.splitlines())
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text + html)
        assert "https://evil" not in text + html


def _shape(html: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(tag, tuple(sorted(attrs))) for tag, attrs in Parsed(html).elements]


def test_the_worst_severity_is_in_the_subject() -> None:
    """A phone shows little more than that."""
    report = findings_day()
    worst = replace(report.findings[0], severity=Severity.CRITICAL)
    mail = mails(replace(report, findings=(worst, *report.findings[1:])))["security@example.com"]
    assert mail["Subject"].startswith("[Findings: critical]")

"""A mail as text and HTML from one page, and as the bytes that are sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache

import css_inline
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from detector.boundary.text import header_text, unlinked
from detector.delivery.mail.charts import days_png
from detector.delivery.mail.page import MailPage
from detector.reports.templates import template_folder

LARGEST_BODY = 80_000
"""Bytes of HTML; Gmail clips what is beyond about 102,000."""
STEPS = (25, 15, 10, 6, 3, 1, 0)
"""Findings that are tried to fit into a body, the most first."""
UNFOLDED = SMTP.clone(max_line_length=998)
"""Headers stay in one line, as the standard library folds some of them wrongly; bodies were wrapped before."""
LONGEST_LINE = 400


@dataclass(frozen=True)
class Bodies:
    """The two alternatives of a mail, and the page they were rendered from."""

    page: MailPage
    text: str
    html: str


@dataclass(frozen=True)
class Envelope:
    """The headers of a mail beside those that follow from its body."""

    sender: str
    recipient: str
    subject: str
    message_id: str
    thread: str
    list_id: str
    date: datetime


def bodies(build: Callable[[int], MailPage], domain: str) -> Bodies:
    """Text and HTML of a page with as many findings as fit; ``build(most)`` gives the page."""
    for most in STEPS:
        made = render(build(most), domain)
        if max(len(made.html.encode()), len(made.text.encode())) <= LARGEST_BODY:
            break
    return made


def render(page: MailPage, domain: str) -> Bodies:
    """Both alternatives of a page. ``domain`` makes the content ids of the pictures unique."""
    text = _environment(html=False).get_template("mail.txt.j2").render(page=page, domain=domain)
    source = _environment(html=True).get_template("mail.html.j2").render(page=page, domain=domain)
    return Bodies(page, text, _inliner().inline(source))


def compose(envelope: Envelope, made: Bodies, domain: str, attachment: bytes | None = None) -> bytes:
    """The mail, with the pictures its HTML shows and, where given, report.json."""
    mail = _headed(envelope)
    mail.set_content(made.text, cte="quoted-printable")
    mail.add_alternative(made.html, subtype="html", cte="quoted-printable")
    html = list(mail.iter_parts())[1]
    for cid, png in _pictures(made.page).items():
        html.add_related(png, "image", "png", cid=f"<{cid}@{domain}>", disposition="inline", filename=f"{cid}.png")
    if attachment is not None:
        mail.add_attachment(attachment, "application", "json", filename="report.json")
    return mail.as_bytes(policy=UNFOLDED)


def plain(envelope: Envelope, text: str) -> bytes:
    """A mail of text alone."""
    mail = _headed(envelope)
    mail.set_content(text, cte="quoted-printable")
    return mail.as_bytes(policy=UNFOLDED)


def _headed(envelope: Envelope) -> EmailMessage:
    mail = EmailMessage(policy=SMTP)
    headers: Mapping[str, str] = {
        "From": envelope.sender,
        "To": envelope.recipient,
        "Subject": header_text(envelope.subject),
        "Date": format_datetime(envelope.date),
        "Message-ID": envelope.message_id,
        "In-Reply-To": envelope.thread,
        "References": envelope.thread,
        "List-Id": envelope.list_id,
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
    }
    for name, value in headers.items():
        mail[name] = value
    return mail


def _pictures(page: MailPage) -> dict[str, bytes]:
    charts = [card.chart for card in page.cards if card.chart is not None]
    return {chart.cid: days_png(chart.series, chart.colour) for chart in charts}


@cache
def _environment(*, html: bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(template_folder()),
        autoescape=html,  # noqa: S701  the other is plain text
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["own"] = Markup.escape if html else Markup
    return environment


def _shown(value: object) -> object:
    """The one door for text; what is our own and marked so goes around it."""
    return unlinked(value, LONGEST_LINE) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _inliner() -> css_inline.CSSInliner:
    return css_inline.CSSInliner(keep_style_tags=False, keep_at_rules=True, load_remote_stylesheets=False)

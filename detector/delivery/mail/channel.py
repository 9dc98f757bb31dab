"""Mail over SMTP: the whole day to the security list, and to each team the findings on its own keys."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from email.utils import parseaddr
from functools import partial

from detector.boundary.deadlines import within
from detector.boundary.masking import mask_secrets
from detector.boundary.text import header_text
from detector.config.channels import MailDelivery
from detector.delivery import Origin
from detector.delivery.mail.page import Audience, MailPage, latest, page
from detector.delivery.mail.rendering import Bodies, Envelope, bodies, compose, plain
from detector.model.errors import DeliveryError
from detector.model.finding import Severity
from detector.model.report import RunReport
from detector.reports.exports.json import JsonReporter
from detector.reports.page import charts
from detector.state.messages import DIGEST, Message, identity

PORTS = {"starttls": 587, "tls": 465, "none": 25}
LONGEST_DOMAIN = 40
"""Message ids longer than 77 characters are folded wrongly by the standard library."""
LARGEST_ATTACHMENT = 5_000_000


class MailChannel:
    """The one mail channel. Every recipient has a message of their own, so one refusal concerns nobody else."""

    name = "mail"

    def __init__(self, settings: MailDelivery, origin: Origin) -> None:
        self._settings = settings
        self._origin = origin
        self._sender = parseaddr(settings.sender)[1]
        domain = self._sender.rpartition("@")[2].lower()
        self._domain = domain if len(domain) <= LONGEST_DOMAIN else "detector.invalid"

    def describe(self) -> str:
        """Server, encryption and the number of recipients."""
        settings = self._settings
        login = ", with login" if settings.username else ""
        lists = [f"{len(settings.to)} on the security list"] if settings.to else []
        lists += [f"team {team} ({len(mail.to)})" for team, mail in settings.teams.items()]
        return f"{settings.host}:{self._port} ({settings.security}{login}) to {', '.join(lists)}"

    def messages(self, reports: Sequence[RunReport]) -> list[Message]:
        """A mail to each recipient who is to be told something; about several days, one digest."""
        messages: list[Message] = []
        for audience, recipients in self._audiences(reports):
            made = bodies(partial(self._page, reports, audience), self._domain)
            attachment = None if audience.teams else self._attachment(reports[-1])
            for recipient in recipients:
                messages += self._covered(reports, recipient)
                messages.append(self._message(reports, recipient, made, attachment))
        return messages

    def trial(self, now: datetime) -> list[Message]:
        """A mail that only says that it arrived."""
        settings = self._settings
        everybody = dict.fromkeys([*settings.to, *(who for team in settings.teams.values() for who in team.to)])
        return [self._trial(recipient, now) for recipient in everybody]

    def send(self, message: Message) -> None:
        """Hand one mail to the server. It counts as sent from the moment the server has accepted it."""

        def converse() -> DeliveryError | None:
            try:
                with self._connection() as smtp:
                    smtp.sendmail(self._sender, [message.recipient], message.payload or b"")
            except (smtplib.SMTPException, OSError) as error:
                return self._error(error)
            return None

        try:
            error = within(self._settings.timeout, converse)
        except TimeoutError:
            where = f"{self._settings.host}:{self._port}"
            text = f"{where}: the mail was not accepted within {self._settings.timeout:g} s"
            raise DeliveryError(text, permanent=False) from None
        if error is not None:
            raise error

    def _audiences(self, reports: Sequence[RunReport]) -> Iterator[tuple[Audience, list[str]]]:
        """Who is told the same: the security list always, people of teams when there is something for them."""
        settings = self._settings
        if settings.to:
            yield Audience(settings.minimum_severity), list(dict.fromkeys(settings.to))
        people: dict[str, dict[str, Severity]] = {}
        for team, mail in settings.teams.items():
            for recipient in mail.to:
                minimum = mail.minimum_severity or settings.minimum_severity
                people.setdefault(recipient, {})[team] = minimum
        groups: dict[tuple[tuple[str, Severity], ...], list[str]] = {}
        for recipient, teams in people.items():
            if recipient not in settings.to:
                groups.setdefault(tuple(teams.items()), []).append(recipient)
        for group, recipients in groups.items():
            audience = Audience(Severity.INFO, dict(group))
            if latest(reports, audience):
                yield audience, recipients

    def _page(self, reports: Sequence[RunReport], audience: Audience, most: int) -> MailPage:
        url = self._origin.report_url
        link = url.replace("{day}", reports[-1].day.date.isoformat()) if url else None
        remark = ""
        if self._settings.attach and not audience.teams and self._attachment(reports[-1]) is None:
            remark = "report.json is too large to be attached."
        return page(reports, audience, most=most, link=link, remark=remark)

    def _attachment(self, report: RunReport) -> bytes | None:
        if self._settings.attach is None:
            return None
        document = JsonReporter().render(report).encode()
        return document if len(document) <= LARGEST_ATTACHMENT else None

    def _message(
        self, reports: Sequence[RunReport], recipient: str, made: Bodies, attachment: bytes | None
    ) -> Message:
        report = reports[-1]
        part = _part(reports)
        number = self._identity(report.day.date.isoformat(), recipient, part)
        subject = f"[{made.page.tone.word}] {made.page.verdict}"
        about = ", ".join(filter(None, (self._origin.organization, charts.short_day(report.day.date))))
        subject = header_text(f"{header_text(subject, 150)} ({about})")
        envelope = self._envelope(recipient, subject, number, report.generated_at, f"{report.day.date:%Y-%m}")
        payload = compose(envelope, made, self._domain, attachment)
        return Message(number, report.day.date, self.name, recipient, subject, payload, part)

    def _covered(self, reports: Sequence[RunReport], recipient: str) -> Iterator[Message]:
        """Where a digest tells several days, a mark on each that it needs no mail of its own."""
        for report in reports if len(reports) > 1 else ():
            number = self._identity(report.day.date.isoformat(), recipient, "")
            yield Message(number, report.day.date, self.name, recipient, "told in a digest", None)

    def _trial(self, recipient: str, now: datetime) -> Message:
        number = self._identity(now.isoformat(), recipient, "trial")
        subject = "[Test] detector can write to you"
        text = "This is a test of the mail that detector sends about API keys. There is nothing to do.\n"
        payload = plain(self._envelope(recipient, subject, number, now, "test"), text)
        return Message(number, now.date(), self.name, recipient, subject, payload, "trial")

    def _envelope(self, recipient: str, subject: str, number: str, date: datetime, series: str) -> Envelope:
        """Headers; mails to one recipient about the days of a month form one thread."""
        thread = self._identity(series, recipient, "thread")
        label = "".join(
            character if character.isascii() and character.isalnum() else "-"
            for character in self._origin.source.lower()
        )
        return Envelope(
            sender=header_text(self._settings.sender),
            recipient=recipient,
            subject=subject,
            message_id=f"<{number}@{self._domain}>",
            thread=f"<{thread}@{self._domain}>",
            list_id=f"API key findings <{label[:40]}.detector.{self._domain}>",
            date=date,
        )

    def _identity(self, when: str, recipient: str, part: str) -> str:
        origin = self._origin
        edition = "" if part == "thread" else origin.edition
        return identity(self.name, when, recipient, part, origin.organization, origin.source, edition)

    @property
    def _port(self) -> int:
        return self._settings.port or PORTS[self._settings.security]

    @contextmanager
    def _connection(self) -> Iterator[smtplib.SMTP]:
        """A connection that is encrypted and logged in as configured.

        It is closed without waiting for the answer to QUIT: the time between the acceptance of a mail and the
        mark that it was sent is when a crash would send it twice.
        """
        settings = self._settings
        context = ssl.create_default_context()
        host = settings.host
        port = self._port
        me = socket.gethostname()
        # ``send`` is given up after the timeout in any case. This ends a conversation that was abandoned.
        timeout = 2 * settings.timeout
        if settings.security == "tls":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(host, port, me, timeout=timeout, context=context)
        else:
            smtp = smtplib.SMTP(host, port, me, timeout=timeout)
        try:
            if settings.security == "starttls":
                smtp.starttls(context=context)
            if settings.username and settings.password:
                smtp.login(settings.username, settings.password.get_secret_value())
            yield smtp
        finally:
            with suppress(smtplib.SMTPException, OSError):
                smtp.putcmd("quit")
            smtp.close()

    def _error(self, error: Exception) -> DeliveryError:
        """What went wrong. Only a refusal of this very mail is for good; the rest may be mended in time."""
        where = f"{self._settings.host}:{self._port}"
        text = f"{where}: {type(error).__name__}: {error}"
        permanent = False
        if isinstance(error, smtplib.SMTPRecipientsRefused):
            code, said = next(iter(error.recipients.values()))
            text = _refusal("the recipient was refused", code, said)
            permanent = code >= 500
        elif isinstance(error, smtplib.SMTPAuthenticationError):
            text = _refusal(f"{where}: the login was refused, see username and password", *error.args[:2])
        elif isinstance(error, smtplib.SMTPResponseException):
            text = _refusal(f"{where}: the mail was refused", error.smtp_code, error.smtp_error)
            permanent = error.smtp_code >= 500
        elif isinstance(error, ssl.SSLCertVerificationError):
            text = f"{where}: the certificate is not trusted ({error.verify_message})"
        return DeliveryError(mask_secrets(text), permanent=permanent)


def _part(reports: Sequence[RunReport]) -> str:
    """Digests of other days are other messages, also where the last day is the same."""
    days = [report.day.date.isoformat() for report in reports]
    return f"{DIGEST} {identity(*days)[:16]}" if len(days) > 1 else ""


def _refusal(words: str, code: int, said: bytes | str) -> str:
    return f"{words}: {code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"

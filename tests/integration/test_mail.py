"""Mail through a real SMTP server: encrypted, logged in, accepted, refused."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from detector.config.channels import MailDelivery
from detector.delivery import Origin
from detector.delivery.mail.channel import MailChannel
from detector.delivery.outbox import Outbox
from detector.model.errors import DeliveryError
from detector.state.database import State
from detector.state.messages import Outgoing
from detector.state.outbox import queue
from tests.fakes import OWNER
from tests.mail_server import PASSWORD, USER, Inbox, free_port, mail_server, trusted
from tests.receiver import dripping
from tests.report_examples import DAY, clear_day, findings_day

NOW = datetime(2026, 11, 23, 2, 31, 7, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trust(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", trusted(authority, tmp_path))


@pytest.fixture
def starttls(authority: trustme.CA, trust: None) -> Iterator[Inbox]:
    with mail_server("starttls", authority) as inbox:
        yield inbox


def channel(inbox: Inbox | int, **changes: Any) -> MailChannel:
    port = inbox if isinstance(inbox, int) else inbox.port
    settings = {
        "host": "localhost",
        "port": port,
        "username": USER,
        "password": PASSWORD,
        "from": "Detector <detector@example.com>",
        "to": ["security@example.com", "second@example.com"],
        "teams": {"payments": ["payments@example.com"], "nobody": ["nobody@example.com"]},
        "timeout": 5,
    }
    return MailChannel(MailDelivery.model_validate(settings | changes), Origin("main", "Acme"))


def send_all(mail: MailChannel, *reports) -> None:
    for message in mail.messages(reports):
        if message.payload is not None:
            mail.send(message)


def refused(mail: MailChannel) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        mail.send(mail.trial(NOW)[0])
    return caught.value


def test_a_day_arrives_encrypted_and_logged_in(starttls: Inbox) -> None:
    """The security list has a mail each, the team with findings its own, the other team none."""
    send_all(channel(starttls), findings_day())
    assert starttls.recipients() == ["security@example.com", "second@example.com", "payments@example.com"]
    assert all(starttls.encrypted)
    assert len(starttls.logins) == 3
    first = starttls.mails()[0]
    assert first["To"] == "security@example.com"
    assert first["Subject"] == "[Findings: high] Five keys need a look, three of them today (Acme, 22 Nov)"
    assert first["Date"].datetime == NOW
    assert [part.get_content_type() for part in first.walk()][:4] == [
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
    ]


def test_implicit_tls_works_too(authority: trustme.CA, trust: None) -> None:
    """Port 465's way."""
    with mail_server("tls", authority) as inbox:
        send_all(channel(inbox, security="tls"), clear_day())
        assert len(inbox.accepted) == 2


def test_a_server_without_encryption_or_login_on_the_same_machine() -> None:
    """A local relay needs neither."""
    with mail_server("none", login=False) as inbox:
        send_all(channel(inbox, security="none", username=None, password=None), clear_day())
        assert len(inbox.accepted) == 2


def test_one_refused_recipient_is_permanent_and_the_others_have_their_mail(
    starttls: Inbox, tmp_path: Path
) -> None:
    """In the outbox, where every recipient has a message of their own."""
    starttls.refusals = {"security@example.com": "550 5.1.1 no such user"}
    state, mail = State(f"sqlite:///{tmp_path}/state.db", OWNER), channel(starttls)
    queue(state, [DAY], Outgoing(mail.messages([findings_day()]), NOW))
    done = Outbox(state, [mail]).drain(NOW)
    assert starttls.recipients() == ["second@example.com", "payments@example.com"]
    assert (done.sent, done.waiting) == (2, 0)
    assert done.failures == (
        "mail to security@example.com for 2026-11-22 was not delivered: "
        "the recipient was refused: 550 5.1.1 no such user",
    )


def test_a_greylisted_recipient_is_tried_again(starttls: Inbox) -> None:
    """4xx is for now."""
    starttls.refusals = {"security@example.com": "450 4.2.0 greylisted"}
    error = refused(channel(starttls))
    assert not error.permanent
    assert "450 4.2.0 greylisted" in str(error)


def test_a_wrong_password_is_named_but_not_shown(starttls: Inbox) -> None:
    """Not even where the server repeats it. It may be mended in time, so the mail waits."""
    error = refused(channel(starttls, password="correct-horse"))
    assert not error.permanent
    assert "the login was refused, see username and password: 535" in str(error)
    assert "correct-horse" not in str(error)


def test_an_untrusted_certificate_is_refused(authority: trustme.CA) -> None:
    """There is no way to switch verification off."""
    with mail_server("starttls", authority) as inbox:
        error = refused(channel(inbox))
        assert "the certificate is not trusted" in str(error)
        assert inbox.accepted == []


def test_a_certificate_of_a_strange_authority_is_refused(trust: None) -> None:
    """One of an authority that is not trusted is no better than none."""
    stranger = trustme.CA()
    with mail_server("starttls", stranger) as inbox:
        assert not refused(channel(inbox)).permanent
        assert inbox.accepted == []


def test_a_server_without_starttls_gets_nothing() -> None:
    """Neither mail nor password go over the open line."""
    with mail_server("none", login=False) as inbox:
        error = refused(channel(inbox))
        assert "STARTTLS" in str(error)
        assert inbox.accepted == []


def test_nobody_there_and_a_server_that_says_nothing() -> None:
    """Both are for now, and the silent one is given up after the timeout."""
    assert not refused(channel(free_port())).permanent
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = refused(channel(silent.getsockname()[1], timeout=0.2))
        assert not error.permanent
        assert "the mail was not accepted within 0.2 s" in str(error)


def test_a_server_that_drips_is_given_up() -> None:
    """The timeout is for the whole conversation, not for each byte of it."""
    with dripping(b"220 ") as server:
        error = refused(channel(int(server.url.rpartition(":")[2]), timeout=0.3))
    assert not error.permanent
    assert str(error).endswith("the mail was not accepted within 0.3 s")


def test_a_mail_counts_as_sent_once_the_server_accepted_it(
    starttls: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever happens to QUIT."""

    def broken(*_: object) -> None:
        raise smtplib.SMTPServerDisconnected("gone")

    monkeypatch.setattr(smtplib.SMTP, "putcmd", _only_quit_fails(smtplib.SMTP.putcmd, broken))
    mail = channel(starttls)
    mail.send(mail.trial(NOW)[0])
    assert starttls.recipients() == ["security@example.com"]


def _only_quit_fails(real, broken):
    return lambda self, command, arguments="": broken() if command == "quit" else real(self, command, arguments)


def test_the_report_is_attached_on_request(starttls: Inbox) -> None:
    """To the security list, not to a team, whose keys are not alone in it."""
    send_all(channel(starttls, attach="json", to=["security@example.com"]), findings_day())
    security, payments = starttls.mails()
    assert [part.get_filename() for part in security.iter_attachments()][-1] == "report.json"
    assert not any(part.get_filename() == "report.json" for part in payments.walk())

"""A real SMTP server on loopback for tests: STARTTLS or implicit TLS, login, and what it accepted."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, Session

USER, PASSWORD = "detector", "correct-horse-battery"


@dataclass
class Inbox:
    """What arrived, and how to answer: recipient to reply, and a hook that is called at every step."""

    port: int = 0
    refusals: dict[str, str] = field(default_factory=dict)
    accepted: list[tuple[str, bytes]] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    step: Callable[[str], None] = lambda name: None

    def mails(self) -> list[EmailMessage]:
        return [message_from_bytes(data, policy=policy.default) for _, data in self.accepted]

    def recipients(self) -> list[str]:
        return [recipient for recipient, _ in self.accepted]

    async def handle_EHLO(
        self, server: Any, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.step("EHLO")
        return responses

    async def handle_MAIL(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        self.step("MAIL")
        return "250 OK"

    async def handle_RCPT(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.step("RCPT")
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        self.step("DATA")
        assert isinstance(envelope.content, bytes)
        self.encrypted.append(session.ssl is not None)
        self.accepted += [(recipient, envelope.content) for recipient in envelope.rcpt_tos]
        self.step("ACCEPTED")
        return "250 accepted"

    def authenticate(
        self, server: Any, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        self.logins.append(mechanism)
        good = data.login == USER.encode() and data.password == PASSWORD.encode()
        return AuthResult(success=good, handled=False, message=None if good else f"535 5.7.8 no, {PASSWORD}")


@contextmanager
def mail_server(
    security: str = "starttls", authority: trustme.CA | None = None, *, login: bool = True
) -> Iterator[Inbox]:
    """A server for the time of the block, with a certificate of ``authority`` for localhost."""
    inbox = Inbox(port=free_port())
    context = None
    if security != "none":
        assert authority is not None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    options: dict[str, Any] = {"hostname": "127.0.0.1", "port": inbox.port, "ready_timeout": 30}
    if login:
        options |= {"auth_required": True, "authenticator": inbox.authenticate}
        options |= {"auth_require_tls": security != "none"}
    if security == "tls":
        options |= {"ssl_context": context}
        options |= {"auth_required": False, "auth_require_tls": False}
    elif security == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
    controller = Controller(inbox, **options)
    controller.start()
    try:
        yield inbox
    finally:
        controller.stop()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def trusted(authority: trustme.CA, folder: Path) -> str:
    """A file with the authority's certificate, for SSL_CERT_FILE."""
    path = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)

"""The settings of the channels: where each leads, and how severe a finding must be for it."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from detector.config.section import Section
from detector.config.urls import EncryptedSecretUrl, EncryptedUrl, is_loopback
from detector.model.finding import Severity

ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*")
SENDER = re.compile(
    rf"(?:(?P<name>[^<>\x00-\x1f\x7f]{{1,100}}?)\s*<(?P<boxed>{ADDRESS.pattern})>)|{ADDRESS.pattern}"
)
SHORTEST_SECRET = 24
LONGEST_SECRET = 64


def _address(text: str) -> str:
    if not ADDRESS.fullmatch(text):
        raise ValueError("not a mail address, such as security@example.com")
    return text


def _sender(text: str) -> str:
    if not SENDER.fullmatch(text):
        raise ValueError("not a sender, such as detector@example.com or Detector <detector@example.com>")
    return text


def _signing_secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith("whsec_") or not SHORTEST_SECRET <= len(key) <= LONGEST_SECRET:
        raise ValueError(
            f"must be whsec_ and {SHORTEST_SECRET} to {LONGEST_SECRET} random bytes in base64, "
            "as from: python -c \"import base64, os; print('whsec_' + base64.b64encode(os.urandom(32)).decode())\""
        )
    return secret


def _header_value(secret: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[\x21-\x7e]+( [\x21-\x7e]+)*", secret.get_secret_value()):
        raise ValueError("must be one line of plain characters; is the variable set and not empty?")
    return secret


def _recipients(value: Any) -> Any:
    """A team may be written as a list of addresses or, with a severity of its own, as a section."""
    return {"to": value} if isinstance(value, list | tuple) else value


Address = Annotated[str, AfterValidator(_address)]
Sender = Annotated[str, AfterValidator(_sender)]
SigningSecret = Annotated[SecretStr, AfterValidator(_signing_secret)]
HeaderValue = Annotated[SecretStr, AfterValidator(_header_value)]


class ChannelSettings(Section):
    """What every channel has: its line in the reference."""

    summary: ClassVar[str]


class TeamMail(Section):
    """A team's own mail: its keys alone, on days on which there is something about them."""

    to: tuple[Address, ...] = Field(min_length=1, description="Recipients; each gets a mail of their own.")
    minimum_severity: Severity | None = Field(
        None, description="Of what the team is told; that of the mail if unset."
    )


class MailDelivery(ChannelSettings):
    """Mail over SMTP, every day: to the security list in full, and to each team about its own keys."""

    summary: ClassVar[str] = "Mail."

    host: str = Field(min_length=1, description="The SMTP server.")
    port: int | None = Field(
        None, ge=1, le=65535, description="Its port; 587 for starttls, 465 for tls and 25 for none by default."
    )
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the connection is encrypted; certificates are always verified."
    )
    username: str | None = Field(None, description="User for the login; without one there is none.")
    password: SecretStr | None = Field(None, description="Its password, from ${NAME}.")
    sender: Sender = Field(alias="from", description="The sender, as an address or Name <address>.")
    to: tuple[Address, ...] = Field((), description="The security list: all findings, every day.")
    teams: dict[str, Annotated[TeamMail, BeforeValidator(_recipients)]] = Field(
        default_factory=dict,
        description="Team to addresses, or to {to, minimum_severity}: the team's own keys alone.",
    )
    minimum_severity: Severity = Field(Severity.INFO, description="Findings below are left out, and counted.")
    attach: Literal["json"] | None = Field(
        None, description="Attach report.json to the mail to the security list."
    )
    timeout: float = Field(
        120, gt=0, le=600, description="Seconds for a mail, from the name server to its acceptance."
    )

    @model_validator(mode="after")
    def _usable(self) -> MailDelivery:
        if not self.to and not self.teams:
            raise ValueError("needs somebody to write to: set to, or teams")
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        if self.password and self.security == "none" and not is_loopback(self.host):
            raise ValueError(
                "a password is not sent over an unencrypted connection; set security to starttls or tls"
            )
        return self


class Routed(ChannelSettings):
    """A channel of which there may be several, each for its own teams and severities."""

    name: str = Field(
        "main", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$", description="Tells channels of one kind apart."
    )
    minimum_severity: Severity = Field(Severity.INFO, description="Findings below are not sent.")
    teams: tuple[str, ...] = Field((), description="Only findings on keys of these teams; empty for all findings.")
    timeout: float = Field(30, gt=0, le=600, description="Seconds for a request, with its whole answer.")


class WebhookDelivery(Routed):
    """A signed HTTP POST per day, as Standard Webhooks describes it."""

    summary: ClassVar[str] = "Signed webhooks."

    url: EncryptedSecretUrl = Field(description="https address of the receiver.")
    secret: SigningSecret = Field(description="The signing secret, whsec_ and base64, from ${NAME}.")


class ChatDelivery(Routed):
    """A short message to Slack, Teams, Mattermost, Telegram or any other service that Apprise knows."""

    summary: ClassVar[str] = "Chat services, through Apprise."

    url: SecretStr = Field(description="Apprise URL of the service; take the tokens in it from ${NAME}.")


class PagerDutyDelivery(Routed):
    """Incidents that open with a new finding and close when it is resolved (Events API v2)."""

    summary: ClassVar[str] = "PagerDuty services."

    routing_key: HeaderValue = Field(description="The integration key of the service, from ${NAME}.")
    url: EncryptedUrl = Field(
        "https://events.pagerduty.com/v2/enqueue",
        description="The Events API; https://events.eu.pagerduty.com/v2/enqueue for EU accounts.",
    )
    minimum_severity: Severity = Field(Severity.HIGH, description="Findings below open no incident.")


class SplunkDelivery(Routed):
    """Every finding as an event to a Splunk HTTP Event Collector."""

    summary: ClassVar[str] = "Splunk collectors."

    url: EncryptedUrl = Field(description="The collector, as https://splunk.example.com:8088.")
    token: HeaderValue = Field(description="Its token, from ${NAME}.")
    index: str | None = Field(None, min_length=1, description="The index; the token's own by default.")


class ElasticsearchDelivery(Routed):
    """Every finding as a document to Elasticsearch or OpenSearch, through _bulk."""

    summary: ClassVar[str] = "Elasticsearch clusters."

    url: EncryptedUrl = Field(description="The cluster, as https://elastic.example.com:9200.")
    index: str = Field(
        "detector-findings", pattern=r"^[a-z0-9][a-z0-9._-]{0,199}$", description="Index or data stream."
    )
    authorization: HeaderValue | None = Field(
        None, description="Value of the Authorization header, as in ApiKey ${NAME} or Basic ${NAME}."
    )

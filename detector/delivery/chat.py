"""Chat services through Apprise (extra ``chat``): https://github.com/caronc/apprise/wiki lists their addresses."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from detector.boundary.deadlines import within
from detector.boundary.text import inert
from detector.config.channels import ChatDelivery
from detector.delivery import Origin
from detector.delivery.mail.page import Audience, latest, tone, verdict
from detector.delivery.records import compact
from detector.model.errors import DeliveryError
from detector.model.finding import Finding
from detector.model.report import RunReport
from detector.state.messages import Message, identity

MOST = 10


class ChatChannel:
    """A few lines a day: the verdict, the most severe findings, and a link. A team hears of its keys alone."""

    def __init__(self, settings: ChatDelivery, origin: Origin) -> None:
        self.name = f"chat {settings.name}"
        self._settings = settings
        self._origin = origin

    def describe(self) -> str:
        """The kind of service; its address is a secret."""
        return f"{self._settings.url.get_secret_value().partition('://')[0]}://***"

    def messages(self, reports: Sequence[RunReport]) -> list[Message]:
        """One message about a day, or about several; to a team only where there is something to say."""
        minimum = self._settings.minimum_severity
        audience = Audience(minimum, dict.fromkeys(self._settings.teams, minimum))
        findings = latest(reports, audience)
        if audience.teams and not findings:
            return []
        day = reports[-1].day.date
        title = f"{tone(reports, audience, findings).word}: {verdict(reports, audience, findings)} ({day})"
        lines = [inert(_line(finding)) for finding in findings[:MOST]]
        if len(findings) > MOST:
            lines.append(f"and {len(findings) - MOST:,} more in the report")
        if not audience.teams:
            lines += [
                inert(problem) for problem in (*reports[-1].coverage.problems, *reports[-1].coverage.failures)[:3]
            ]
        url = self._origin.report_url
        lines += [url.replace("{day}", day.isoformat())] if url else []
        number = identity(self.name, day.isoformat(), self._origin.edition)
        content = {"title": inert(title), "body": "\n".join(lines) or inert(reports[-1].summary.subline)}
        return [Message(number, day, self.name, self._settings.name, inert(title), compact(content))]

    def trial(self, now: datetime) -> list[Message]:
        """A line that says that it is a test."""
        content = {"title": "Test: detector can write here", "body": "There is nothing to do."}
        number = identity(self.name, now.isoformat(), "trial")
        day = now.astimezone(UTC).date()
        return [Message(number, day, self.name, self._settings.name, "test", compact(content), "trial")]

    def send(self, message: Message) -> None:
        """Hand it to Apprise, which says whether the service took it but not why it did not."""
        try:
            from apprise import Apprise, AppriseAsset, NotifyFormat  # noqa: PLC0415  an extra
        except ModuleNotFoundError:
            raise DeliveryError(
                "chat needs a further package: pip install 'key-usage-detector[chat]'", permanent=False
            ) from None
        for talkative in ("apprise", "urllib3"):  # both log whole addresses, which are secrets
            logging.getLogger(talkative).setLevel(logging.CRITICAL)
        asset = AppriseAsset(app_id="detector", async_mode=False, secure_logging=True)
        service = Apprise(asset=asset)
        url = self._settings.url
        if not service.add(url.get_secret_value()):
            raise DeliveryError(f"{self.describe()}: Apprise does not know this address", permanent=False)
        content = json.loads(message.payload or b"{}")
        timeout = self._settings.timeout

        def notify() -> bool:
            return bool(
                service.notify(body=content["body"], title=content["title"], body_format=NotifyFormat.TEXT)
            )

        try:
            accepted = within(timeout, notify)
        except TimeoutError:
            text = f"{self.describe()}: the service did not answer within {timeout:g} s"
            raise DeliveryError(text, permanent=False) from None
        if not accepted:
            raise DeliveryError(f"{self.describe()}: the service did not take it", permanent=False)


def _line(finding: Finding) -> str:
    return f"{str(finding.severity).upper()} {finding.title}: {finding.subject[:100]}: {finding.reason}"

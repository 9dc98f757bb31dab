"""A channel: a line in a file."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from detector.delivery import Origin
from detector.model.report import RunReport
from detector.state.messages import Message, identity
from tests.plug_ins.bell_settings import BellDelivery


class BellChannel:
    """Rings for every day."""

    def __init__(self, settings: BellDelivery, origin: Origin) -> None:
        self.name = f"bell {settings.name}"
        self._settings = settings
        self._origin = origin

    def describe(self) -> str:
        """The file."""
        return f"rings in {Path(self._settings.path).name}"

    def messages(self, reports: Sequence[RunReport]) -> list[Message]:
        """One a day."""
        return [self._message(report) for report in reports]

    def trial(self, now: datetime) -> list[Message]:
        """Nothing to try."""
        return []

    def send(self, message: Message) -> None:
        """Write the line."""
        with Path(self._settings.path).open("ab") as file:
            file.write(message.payload or b"")

    def _message(self, report: RunReport) -> Message:
        day = report.day.date
        made = identity(self._origin.source, self.name, str(day))
        return Message(made, day, self.name, self.name, f"bell of {day}", f"ding {day}\n".encode())

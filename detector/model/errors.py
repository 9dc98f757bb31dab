"""The errors that the program raises on purpose, each with the exit code of a run that it ends."""

from collections.abc import Iterable
from typing import ClassVar

from detector.boundary.masking import without_secrets

DONE = 0
FAILURE = 1
BAD_USAGE = 2
"""The command line or the configuration is wrong. click uses the same exit code."""
FINDINGS = 3
"""The report has findings at or above ``--fail-on``."""
PARTIAL = 4
"""The report is written, and a part of the run failed."""
TRY_LATER = 75
"""Another run is active, or the data have not arrived yet. The number is EX_TEMPFAIL of sysexits.h."""


_WORST_FIRST = (BAD_USAGE, FAILURE, PARTIAL)


def worst(exit_codes: Iterable[int]) -> int:
    """The exit code of a run that judged several days: a failure that can pass comes before a partial day, so that
    a scheduler tries again."""
    codes = set(exit_codes)
    return next((code for code in _WORST_FIRST if code in codes), DONE)


class DetectorError(Exception):
    """A failure that the operator can act on. Its text says what failed, where, and what to do."""

    exit_code: ClassVar[int] = FAILURE

    def __str__(self) -> str:
        """The text without secrets: it goes into reports, mails, logs and the state."""
        return without_secrets(super().__str__())


class ConfigError(DetectorError):
    """The configuration or the command line asks for something impossible."""

    exit_code = BAD_USAGE


class SourceError(DetectorError):
    """A source could not be read: it is away, it failed, or it took too long. A later attempt may succeed."""

    exit_code = FAILURE


class MisconfiguredSourceError(SourceError):
    """The configuration does not fit the source, which only the source can tell: it has no such table."""

    exit_code = BAD_USAGE


class MissingDayError(SourceError):
    """The source was read, and it does not hold the day. The day may still come."""

    exit_code = PARTIAL


class LockedError(DetectorError):
    """Another run is active, so this run did nothing."""

    exit_code = TRY_LATER


class NotReadyError(DetectorError):
    """The day's data have not all arrived yet, so the day was not evaluated."""

    exit_code = TRY_LATER


class HistoryError(DetectorError):
    """A stored day cannot be read or written."""


class NewerHistoryError(HistoryError):
    """A newer version wrote a stored day. The day is sound, and this version must not change it."""


class StateError(DetectorError):
    """The state database cannot be used, or a newer version wrote it."""


class BackupError(DetectorError):
    """A backup could not be written, or it cannot be restored here."""


class DeliveryError(DetectorError):
    """A channel did not accept a message.

    ``permanent`` means that the channel will never accept the message. Otherwise the message is sent again, after
    ``retry_after`` seconds or more if the receiver asked for a delay. ``rest`` is the undelivered part of a
    payload that the receiver accepted in part.
    """

    exit_code = PARTIAL

    def __init__(
        self, text: str, *, permanent: bool, retry_after: float | None = None, rest: bytes | None = None
    ) -> None:
        super().__init__(text)
        self.permanent = permanent
        self.retry_after = retry_after
        self.rest = rest

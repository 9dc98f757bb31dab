"""The errors the program raises on purpose, and the exit codes; each error knows the one it ends with."""

from typing import ClassVar

DONE = 0
FAILURE = 1
BAD_USAGE = 2
"""Of the command line or the configuration; click ends with it too."""
FINDINGS = 3
"""There are findings at or above ``--fail-on``."""
PARTIAL = 4
"""The report is written, and a part of the run failed."""
TRY_LATER = 75
"""EX_TEMPFAIL of sysexits.h: another run is at work, or the data are not there yet."""


class DetectorError(Exception):
    """Something the operator can act on; its text says what, where and what to do."""

    exit_code: ClassVar[int] = FAILURE


class ConfigError(DetectorError):
    """The configuration or the command line asks for something that cannot be."""

    exit_code = BAD_USAGE


class SourceError(DetectorError):
    """A source could not be read; nothing of the day was stored."""

    exit_code = PARTIAL


class LockedError(DetectorError):
    """Another run is at work; this one did nothing."""

    exit_code = TRY_LATER


class NotReadyError(DetectorError):
    """The day's data are not all there yet; nothing was judged."""

    exit_code = TRY_LATER


class HistoryError(DetectorError):
    """A stored day cannot be read or written."""


class NewerHistoryError(HistoryError):
    """A stored day was written by a newer version; it is sound, and not to be touched by this one."""


class StateError(DetectorError):
    """The state database cannot be used, or was written by a newer version."""


class BackupError(DetectorError):
    """A backup could not be written, or is not one that can be restored here."""


class DeliveryError(DetectorError):
    """A channel did not take a message.

    ``permanent`` means that it never will; otherwise it is tried again, not before ``retry_after`` seconds
    where the receiver asked for that. ``rest`` is the payload that is left where a part was accepted.
    """

    exit_code = PARTIAL

    def __init__(
        self, text: str, *, permanent: bool, retry_after: float | None = None, rest: bytes | None = None
    ) -> None:
        super().__init__(text)
        self.permanent = permanent
        self.retry_after = retry_after
        self.rest = rest

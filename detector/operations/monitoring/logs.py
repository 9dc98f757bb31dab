"""What is logged on stderr: lines for people or lines of JSON.

Modules log through the standard ``logging`` under names that begin with ``detector``, with values in ``extra``;
structlog renders the lines. So modules need no import of their own, and the lines of libraries take the same
way. The id and the day of a run are context variables that ``logged_run`` binds, so no function passes them on.
A part that fails is logged once, where it is recorded (``Job.fail``).

Every logged value may hold a name that a customer chose. One processor replaces characters that change how
others are shown, and only the renderer begins a line. The same processor masks the secrets of the configuration,
which a library may quote.
"""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

from detector.boundary.masking import without_secrets
from detector.boundary.text import spelled_out, visible
from detector.config.monitoring import LogFormat
from detector.model.errors import FAILURE, DetectorError

MOST_LINES = 200
"""Of the text of an exception, from its end: what is said last is what went wrong."""

log = logging.getLogger("detector")


class _Stderr(logging.StreamHandler[TextIO]):
    """Whatever stderr is at the moment: a progress bar takes its place for a while."""

    def emit(self, record: logging.LogRecord) -> None:
        self.setStream(sys.stderr)
        super().emit(record)


@contextmanager
def logging_to_stderr(form: LogFormat, level: int) -> Iterator[None]:
    """Log while the block lasts: our own lines from ``level`` on, those of libraries from WARNING on.

    What ends the block is logged too: a fault of the program in either form, and in ``json`` an error that the
    operator can act on, so that every line is JSON; both leave with their exit code.
    """
    root = logging.getLogger()
    handler = _Stderr()
    before = log.level
    handler.setFormatter(formatter(form))
    root.addHandler(handler)
    log.setLevel(level)
    logging.captureWarnings(form == "json")
    try:
        yield
    except DetectorError as error:
        if form == "console":
            raise
        log.error("%s", error, extra={"exit_code": error.exit_code})
        sys.exit(error.exit_code)
    except Exception:  # the outermost place: its text is made safe like any other
        log.exception("a fault of the program")
        sys.exit(FAILURE)
    finally:
        logging.captureWarnings(False)
        log.setLevel(before)
        root.removeHandler(handler)


def formatter(form: LogFormat) -> logging.Formatter:
    """One line an event, with time, level, logger, run and values; an exception follows, or is a field in JSON."""
    renderer: Processor = structlog.processors.JSONRenderer(allow_nan=False, sort_keys=True)
    if form == "console":
        renderer = structlog.dev.ConsoleRenderer(
            colors=False, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
        )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.ExtraAdder(),
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _harmless,
            renderer,
        ],
    )


def _harmless(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Values that can neither begin a line of their own nor hide anything, and that hold no secret."""
    exception = event.pop("exception", None)
    shown: EventDict = {spelled_out(name): _value(value) for name, value in event.items()}
    if exception is not None:
        lines = without_secrets(exception).split("\n")[-MOST_LINES:]
        shown["exception"] = "\n".join(f"    {visible(line)}" for line in lines)
    return shown


def _value(value: Any) -> Any:
    """Numbers as they are where JSON has them, everything else as text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, Mapping):
        return {_text(name): _value(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_value(item) for item in value]
    return _text(value)


def _text(value: Any) -> str:
    # Masked first: a text that is cut may end within a secret.
    return spelled_out(without_secrets(str(value)))

"""What is logged is one line an event, whatever names are in it."""

from __future__ import annotations

import io
import json
import logging
import sys
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.contextvars import bound_contextvars

from detector.boundary.text import UNSEEN
from detector.config.monitoring import LogFormat
from detector.model.errors import NotReadyError
from detector.operations.monitoring.logs import formatter, logging_to_stderr

FORMATS: tuple[LogFormat, ...] = ("console", "json")
HOSTILE = [
    "two\nlines",
    "2026-03-18T02:30:00Z [info     ] all clear\r\n",
    "\x1b[2J\x1b]0;title\x07",
    "\u202egnp.exe",
    "tab\tbed",
    "\x85next\u2028line\u2029",
    "half \ud800 a pair",
    '"}\n{"event": "forged"}',
    "%s %d {} {0}",
    "nul\x00",
    "x" * 1_000_000,
]

log = logging.getLogger("detector.test")


def rendered(form: LogFormat, event: str, **values: Any) -> str:
    """What one record becomes."""
    record = log.makeRecord(log.name, logging.INFO, __file__, 1, "%s", (event,), None, extra=values)
    return formatter(form).format(record)


def strictly(line: str) -> dict[str, Any]:
    """A line of strict JSON."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    document: dict[str, Any] = json.loads(line, parse_constant=refuse)
    return document


@pytest.mark.parametrize("form", FORMATS)
@given(text=st.text(alphabet=st.characters(codec=None)))
def test_any_text_is_one_line_that_hides_nothing(form: LogFormat, text: str) -> None:
    """In the event as in a value, in either format."""
    line = rendered(form, text, key_id=text, several=[text, {"name": text}])
    assert len(line.splitlines()) == 1
    assert not UNSEEN.search(line)
    line.encode()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_name_is_one_short_line(form: LogFormat, name: str) -> None:
    """It forges no line, moves no cursor and fills no disk."""
    line = rendered(form, name, key_id=name)
    assert len(line.splitlines()) == 1
    assert len(line) < 5_000
    assert not UNSEEN.search(line)
    if form == "json":
        assert strictly(line)["level"] == "info"


def test_json_is_strict_and_keeps_numbers() -> None:
    """Numbers stay numbers; what JSON has no number for is text."""
    line = strictly(rendered("json", "judged", keys=3, share=0.5, none=None, yes=True, nan=float("nan")))
    assert line["event"] == "judged"
    assert (line["keys"], line["share"], line["none"], line["yes"], line["nan"]) == (3, 0.5, None, True, "nan")
    assert line["logger"] == "detector.test"
    assert line["timestamp"].endswith("Z")


def fault() -> None:
    """Log an exception whose text tries to look like a line of its own."""
    try:
        raise ValueError("no such key\n2026-03-18T02:30:00Z [info     ] all clear\x1b[2J")
    except ValueError:
        log.exception("failed")


def test_an_exception_is_one_field_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    """With its traceback."""
    with logging_to_stderr("json", logging.INFO):
        fault()
    (line,) = capsys.readouterr().err.splitlines()
    assert "ValueError: no such key" in strictly(line)["exception"]


def test_the_text_of_an_exception_begins_no_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """On the console its lines are set in, so that none can be taken for a logged one."""
    with logging_to_stderr("console", logging.INFO):
        fault()
    first, *others = capsys.readouterr().err.splitlines()
    assert "failed" in first
    assert all(line.startswith("    ") for line in others)
    assert "[U+001B]" in others[-1]


def test_the_run_is_in_every_line_while_it_lasts(capsys: pytest.CaptureFixture[str]) -> None:
    """And in none after it."""
    with logging_to_stderr("json", logging.INFO):
        with bound_contextvars(run_id="1234", day="2026-03-17"):
            log.info("within")
        log.info("after")
    within, after = map(strictly, capsys.readouterr().err.splitlines())
    assert (within["run_id"], within["day"]) == ("1234", "2026-03-17")
    assert not {"run_id", "day"} & set(after)


@pytest.mark.parametrize("name", ["httpx", "apscheduler.scheduler", "some.library"])
def test_libraries_are_heard_from_warnings_on(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """httpx tells whole addresses at INFO, and some are secrets."""
    with logging_to_stderr("console", logging.INFO):
        logging.getLogger(name).info("HTTP Request: POST https://hc-ping.com/secret")
        logging.getLogger(name).warning("something is wrong")
    (line,) = capsys.readouterr().err.splitlines()
    assert "something is wrong" in line


def test_quiet_on_a_terminal_means_warnings_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """The level is of our own lines."""
    with logging_to_stderr("console", logging.WARNING):
        log.info("pulled")
        log.warning("late")
    assert "late" in (said := capsys.readouterr().err)
    assert "pulled" not in said


def test_lines_go_wherever_stderr_is_at_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A progress bar takes its place for a while."""
    with logging_to_stderr("console", logging.INFO):
        monkeypatch.setattr(sys, "stderr", bar := io.StringIO())
        log.info("beside the bar")
    assert "beside the bar" in bar.getvalue()


def test_an_expected_error_is_a_line_and_its_exit_code_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    """On the console whoever calls says it."""
    with pytest.raises(SystemExit) as ended, logging_to_stderr("json", logging.INFO):
        raise NotReadyError("the day is not ready")
    assert ended.value.code == 75
    line = strictly(capsys.readouterr().err)
    assert (line["event"], line["level"], line["exit_code"]) == ("the day is not ready", "error", 75)
    with pytest.raises(NotReadyError), logging_to_stderr("console", logging.INFO):
        raise NotReadyError("the day is not ready")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("form", FORMATS)
def test_a_fault_of_the_program_is_logged_and_ends_with_1(
    form: LogFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its text is made safe like any other."""
    with pytest.raises(SystemExit) as ended, logging_to_stderr(form, logging.INFO):
        raise KeyError("\x1b[2Jkey")
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert "a fault of the program" in said
    assert "\x1b" not in said


def test_warnings_of_python_are_lines_of_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing gets between the lines."""
    with warnings.catch_warnings(), logging_to_stderr("json", logging.INFO):
        warnings.simplefilter("always")
        warnings.warn("soon to be removed", stacklevel=1)
    assert "soon to be removed" in strictly(capsys.readouterr().err)["event"]


def test_nothing_is_left_behind() -> None:
    """Handlers and levels are as before."""

    def settings() -> tuple[Any, ...]:
        ours = logging.getLogger("detector")
        return (*logging.getLogger().handlers, logging.getLogger().level, ours.level, warnings.showwarning)

    before: Callable[[], Any] | Any = settings()
    with logging_to_stderr("json", logging.INFO):
        pass
    assert settings() == before

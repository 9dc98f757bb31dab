"""Preparation: questions cross to another process and back, and that process may die."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest

from detector.model.errors import HistoryError
from detector.serve.preparation import PreparingProcess, Question, prepared_here
from tests.serving import DAY, Served, serving

WEEKEND = Question(DAY - timedelta(days=1), DAY, None, "acme", detail=True)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """An application over three days."""
    with serving(tmp_path) as application:
        yield application


def test_a_question_crosses_as_a_line() -> None:
    """Whatever the name of an organization holds."""
    question = Question(date(2026, 3, 11), date(2026, 3, 17), "live", "a\nb\u2028☃", detail=False)
    line = question.to_json()
    assert line.isascii()
    assert "\n" not in line
    assert Question.from_json(line) == question


def test_a_question_counts_its_days() -> None:
    """Both bounds are included."""
    assert WEEKEND.days == 2


def test_another_process_prepares_the_same_answer(served: Served) -> None:
    """Key by key, one question after another; an answer without keys is one too, and so is a failure."""
    nobody = Question(DAY, DAY, None, "initech", detail=False)
    unknown = Question(DAY + timedelta(days=1), DAY + timedelta(days=1), None, None, detail=False)
    here = prepared_here(served.history)
    with closing(PreparingProcess(served.history)) as process:
        assert process(WEEKEND) == here(WEEKEND) != ()
        assert process(nobody) == ()
        with pytest.raises(HistoryError, match="cannot read the stored day"):
            process(unknown)
        assert process(WEEKEND) == here(WEEKEND)


def test_a_process_that_died_is_replaced(served: Served) -> None:
    """The next question starts another one."""
    with closing(PreparingProcess(served.history)) as process:
        first = process(WEEKEND)
        running = process._running()
        running.kill()
        running.wait()
        assert process(WEEKEND) == first


@pytest.mark.parametrize("program", ["input()", "pass", "input(); print('{\"bytes\": 9}\\n{')"])
def test_a_question_over_which_the_process_dies_is_a_failure(served: Served, program: str) -> None:
    """A part of an answer is none."""
    with closing(PreparingProcess(served.history)) as process:
        process._command = [sys.executable, "-c", program]
        with pytest.raises(HistoryError, match="the process that prepares answers ended"):
            process(WEEKEND)

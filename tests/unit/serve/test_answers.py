"""Answers: cursors, and pages of what was prepared."""

from __future__ import annotations

import json
from datetime import date

import pytest

from detector.serve.answers import Prepared, _page, cursor, offset_of
from detector.serve.preparation import Question
from detector.serve.problems import ProblemError

QUESTION = Question(date(2026, 3, 11), date(2026, 3, 17), "live", None, detail=True)
PREPARED = Prepared(tuple(json.dumps({"key_id": name}).encode() for name in "abcde"))


def test_a_cursor_leads_to_its_place() -> None:
    """In the same version of the answer."""
    assert offset_of(cursor("v1", 300), "v1") == 300


def test_a_cursor_of_another_answer_is_a_conflict() -> None:
    """No two versions are mixed."""
    with pytest.raises(ProblemError) as error:
        offset_of(cursor("v1", 300), "v2")
    assert (error.value.status, error.value.kind) == (409, "answer-changed")


@pytest.mark.parametrize("text", ["!", "djE", cursor("v1", 1)[:-1], "é"])
def test_what_is_no_cursor_is_an_invalid_parameter(text: str) -> None:
    """Whoever made it up is told."""
    with pytest.raises(ProblemError) as error:
        offset_of(text, "v1")
    assert error.value.status == 422


def test_a_page_leads_to_the_next_one() -> None:
    """With the whole question in the link, so that it may be followed as it is."""
    page = json.loads(_page(QUESTION, "v1", PREPARED, 0, 2))
    assert [key["key_id"] for key in page["keys"]] == ["a", "b"]
    assert page["total_keys"] == 5
    assert page["next_cursor"] == cursor("v1", 2)
    assert "from=2026-03-11&to=2026-03-17&environment=live&detail=true&limit=2" in page["next"]


def test_the_last_page_leads_nowhere() -> None:
    """Nor does one beyond it."""
    assert "next" not in json.loads(_page(QUESTION, "v1", PREPARED, 4, 2))
    assert json.loads(_page(QUESTION, "v1", PREPARED, 9, 2))["keys"] == []

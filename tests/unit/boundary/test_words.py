"""Numbers, dates and names as words of a sentence, and that no place makes plurals of its own."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from detector.boundary.words import counted, long_day, singular_or_plural

ROOT = Path(__file__).parents[3]

NOUNS = re.findall(
    r"[a-z-]+",
    """alarm attempt byte character column day detector document endpoint error event file finding hour key
    key-day line message minute month page problem record report request row run second sighting snapshot source
    team time token week""",
)
"""What this program counts."""
UNITS = {"hours", "times", "SD", "MB", "is", "was", "has", "lies"}
"""Words after a number with decimals, which is plural whatever the number is ("1.0 hours"), and verbs."""
LINKS = {"of", "in", "to", "from", "on", "by", "and", "over", "had", "with", "without"}
"""Words that end what a number counts."""
BY_HAND = {
    ("judging/judging.py", "no other key"): "no number and no plural: another sentence",
    ("detectors/revoked_key_use.py", "the day before"): "another sentence",
    ("reports/statement/page.py", "per request"): "a price for one request has no number",
    ("reports/statement/focus.py", "Requests"): "a unit of FOCUS, always plural",
    ("judging/finding_types.py", "{kind} findings"): "no number: the plural that counted is given",
    ("reports/terminal/explain.py", "episode"): "no plural: the first episode is not told",
    ("reports/exports/csv.py", "characters, too long"): "more than any cell has room for",
}
"""Texts that look like a plural made by hand and are none, each with its reason."""


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 keys"), (1, "1 key"), (2, "2 keys"), (12_345, "12,345 keys"), (0.6, "1 key"), (np.int64(1), "1 key")],
)
def test_a_number_and_its_noun_agree(count: float, words: str) -> None:
    """Also in numpy's integers, and where a fraction is rounded."""
    assert counted(count, "key") == words


def test_what_is_more_than_an_s_is_given() -> None:
    """Irregular nouns, and a verb that follows."""
    assert counted(2, "key needs", "keys need") == "2 keys need"
    assert counted(1, "entry", "entries") == "1 entry"


def test_words_alone_agree_too() -> None:
    """Where the number stands elsewhere or has decimals."""
    assert singular_or_plural(1.0, "alarm") == "alarm"
    assert singular_or_plural(0.5, "alarm") == "alarms"
    assert singular_or_plural(2, "is", "are") == "are"


def test_a_day_is_written_as_people_write_it() -> None:
    """Without a leading zero."""
    assert long_day(date(2026, 11, 4)) == "4 November 2026"


def test_no_module_makes_a_plural_by_hand() -> None:
    """``counted`` is the one place; exceptions are listed with their reasons."""
    found = []
    for path in sorted((ROOT / "detector").rglob("*.py")):
        name = path.relative_to(ROOT / "detector").as_posix()
        for line, text in plurals_by_hand(path.read_text(encoding="utf-8")):
            if not any(place == name and words in text for place, words in BY_HAND):
                found.append(f"{name}:{line}: {text}")
    assert found == []


def test_no_template_makes_a_plural_by_hand() -> None:
    """The filter ``counted`` is there for all of them."""
    found = [
        f"{path.name}: {text}"
        for path in sorted((ROOT / "templates").iterdir())
        if path.suffix in (".j2", ".js")
        for text in plurals_in_template(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        """text = f"{len(keys):,} keys not judged" """,
        """text = f"{keys:,} {'key' if keys == 1 else 'keys'}" """,
        """text = f"{a} of {days} observed days" """,
        """text = f"{total:,.0f} widgets" """,
        """text = "1 key" if count == 1 else str(count)""",
    ],
)
def test_the_search_finds_plurals_made_by_hand(line: str) -> None:
    """A search that finds nothing must be able to find something."""
    assert list(plurals_by_hand(line))


@pytest.mark.parametrize(
    "line", ["{{ page.more|length }} more keys", "<b>{{ days }}</b> days", "`${found.length} rows`"]
)
def test_the_search_finds_plurals_in_templates(line: str) -> None:
    """The same for templates and their script."""
    assert list(plurals_in_template(line))


@pytest.mark.parametrize("line", ["""text = f"{name} is missing" """, """text = f"{counted(n, 'key')} judged" """])
def test_the_search_leaves_other_sentences_alone(line: str) -> None:
    """A verb after a name, and what ``counted`` makes."""
    assert not list(plurals_by_hand(line))


def plurals_by_hand(source: str) -> Iterator[tuple[int, str]]:
    """Lines and texts in which a number meets a plural without ``counted``, or a text depends on ``== 1``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            for value, following in zip(node.values, node.values[1:], strict=False):
                if _is_plural(value, following):
                    yield node.lineno, ast.unparse(node)
        if isinstance(node, ast.IfExp) and _asks_for_one(node.test) and _is_text(node.body):
            yield node.lineno, ast.unparse(node)


def plurals_in_template(source: str) -> Iterator[str]:
    """Values of a template or a script's text that are followed by a plural."""
    nouns = "|".join(f"{noun}s" for noun in NOUNS)
    pattern = rf"(?:\}}\}}|\$\{{[^}}]*\}})(?:</?\w+>)? ((?:\w+ ){{0,2}})(?:{nouns})\b"
    for found in re.finditer(pattern, source):
        if LINKS.isdisjoint(found[1].split()):
            yield found[0]


def _is_plural(value: ast.expr, following: ast.expr) -> bool:
    """Whether a value is followed by a noun that is counted, or a number by any word with an s at its end."""
    if not isinstance(value, ast.FormattedValue) or not isinstance(following, ast.Constant):
        return False
    words = re.match(r" ((?:[a-z-]+ ){0,2})([a-z-]+s)\b", str(following.value))
    if (
        words is None
        or _is_limit(value.value)
        or any(word in LINKS or word[-1] == "s" for word in words[1].split())
    ):
        return False
    if words[2].removesuffix("s") in NOUNS:
        return words[2] not in UNITS or not _has_decimals(value)
    return not words[1] and _is_number(value) and words[2] not in UNITS


def _is_limit(value: ast.expr) -> bool:
    """Whether it is a constant of the program, which is never one."""
    return isinstance(value, ast.Name) and value.id.isupper()


def _is_number(value: ast.FormattedValue) -> bool:
    length = isinstance(value.value, ast.Call) and ast.unparse(value.value.func) == "len"
    return length or (value.format_spec is not None and bool(re.search(r",|\.\df|[gd]'$", _format(value))))


def _has_decimals(value: ast.FormattedValue) -> bool:
    return value.format_spec is not None and "." in _format(value)


def _format(value: ast.FormattedValue) -> str:
    assert value.format_spec is not None
    return ast.unparse(value.format_spec)


def _asks_for_one(test: ast.expr) -> bool:
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.ops[0], ast.Eq | ast.NotEq)
        and isinstance(test.comparators[0], ast.Constant)
        and test.comparators[0].value == 1
    )


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))

"""YAML within bounds: every fault is one error with its line, and no value is repeated in it."""

from __future__ import annotations

import pytest

from detector.config.document import DEEPEST, LARGEST, DocumentError, parse

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{former}'] * 9)}]\n"
    for former, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGE_BOMB = "a: &a {x: 1, y: 2}\n" + "".join(
    f"{name}: &{name} {{<<: [{', '.join([f'*{former}'] * 9)}]}}\n"
    for former, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def fault(text: str) -> str:
    """The error of a text."""
    with pytest.raises(DocumentError) as caught:
        parse(text)
    return str(caught.value)


def test_plain_values_are_read_as_yaml_has_them() -> None:
    """Aliases and merged maps included."""
    text = "a: &a {x: 1, y: 2.5}\nb: {<<: *a, y: [true, null, 2026-03-17]}\nc: *a\n"
    document = parse(text)
    assert document["b"]["x"] == 1
    assert document["b"]["y"][:2] == [True, None]
    assert document["c"] == {"x": 1, "y": 2.5}


@pytest.mark.parametrize("text", [BOMB, MERGE_BOMB], ids=["aliases", "merged maps"])
def test_aliases_do_not_grow_without_end(text: str) -> None:
    """Three hundred bytes stand for ten million values."""
    assert "more than 100,000 values; aliases repeat them" in fault(text)


def test_an_alias_inside_of_itself_is_refused() -> None:
    """It has no end at all."""
    assert fault("x: 1\na: &a [1, *a]\n") == "line 2, column 11: a.1: an alias stands inside of what it repeats"


@pytest.mark.parametrize("brackets", [("[", "]"), ("{a: ", "}")])
def test_deep_nesting_is_refused(brackets: tuple[str, str]) -> None:
    """Before Python's own limit ends the program."""
    start, end = brackets
    assert "nested too deeply" in fault("a: " + start * 20_000 + end * 20_000)
    assert parse("a: " + start * (DEEPEST - 2) + end * (DEEPEST - 2))


@pytest.mark.parametrize(
    "number", ["9" * 6000, "-" + "9" * 6000, "0x" + "f" * 6000, "1" + ":20" * 2000, "1." + "9" * 6000]
)
def test_a_long_number_is_refused(number: str) -> None:
    """Python refuses to write it, and nothing needs it."""
    assert fault(f"a:\n  b: {number}\n") == "line 2, column 6: a number with more than 100 characters"


@pytest.mark.parametrize("text", ["2026-13-45", "2026-01-01 99:00:00", "!!int secret", "!!float secret"])
def test_a_value_that_cannot_be_read_is_no_traceback(text: str) -> None:
    """And the error does not repeat it."""
    assert fault(f"a: {text}") == "line 1, column 4: a value that cannot be read"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "source:\n  usage: a\n  keys: b\n  usage: c\n",
            "line 4, column 3: source.usage stands twice; it is in line 2 too",
        ),
        ("a: 1\n'a': 2\n", "line 2, column 1: a stands twice; it is in line 1 too"),
        ("a: [{b: 1}, {b: 1, b: 2}]\n", "line 1, column 20: a.1.b stands twice; it is in line 1 too"),
        ("x: &x {b: 1}\na: {<<: *x, <<: *x}\n", "line 2, column 13: a.<< stands twice; it is in line 2 too"),
    ],
)
def test_a_key_that_stands_twice_is_an_error_with_its_path(text: str, message: str) -> None:
    """The second one won without a word."""
    assert fault(text) == message


def test_the_same_key_in_two_maps_is_fine() -> None:
    """Also a key that a merged map has."""
    assert parse("a: &a {b: 1}\nc: {<<: *a, b: 2}\n") == {"a": {"b": 1}, "c": {"b": 2}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("token: [hunter2", "line 1, column 16: expected ',' or ']', but got '<stream end>'"),
        ("a: *hunter", "line 1, column 4: found undefined alias 'hunter'"),
        ("a: \0", "character 4 is not allowed: special characters are not allowed"),
        ("a: !!python/name:os.system\n", "line 1, column 4: could not determine a constructor for the tag"),
        ("a: 1\n---\nb: 2\n", "line 2, column 1: but found another document"),
        ("#" * (LARGEST + 1), "the document has more than 1,000,000 characters"),
    ],
)
def test_a_fault_has_its_line_and_not_the_text_around_it(text: str, message: str) -> None:
    """The text around it may be a secret."""
    assert fault(text).startswith(message)

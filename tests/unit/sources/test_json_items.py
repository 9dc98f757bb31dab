"""The items of JSON of any shape, read in pieces."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from detector.sources.files.json_items import Damage, items


class Drip(io.RawIOBase):
    """A stream that gives a few bytes at a time."""

    def __init__(self, content: bytes, most: int = 3) -> None:
        self._content = io.BytesIO(content)
        self._most = most

    def read(self, size: int = -1) -> bytes:
        """A few bytes, whatever was asked for."""
        return self._content.read(self._most)


class Endless(io.RawIOBase):
    """A delivery with a number of records that nobody holds in memory."""

    def __init__(self, records: int, name: str = "Records") -> None:
        self._pieces = self._written(records, name)

    def read(self, size: int = -1) -> bytes:
        """Some records."""
        return next(self._pieces, b"")

    @staticmethod
    def _written(records: int, name: str) -> Iterator[bytes]:
        record = json.dumps({"eventID": "x" * 36, "requestParameters": {"key": "y" * 1000}}).encode()
        yield f'{{"version": 1, "{name}": ['.encode()
        for number in range(0, records, 1000):
            thousand = b",".join([record] * 1000)
            yield b"," + thousand if number else thousand
        yield b"]}"


def read(content: bytes) -> list[Any]:
    """The items of a text. They must not depend on the pieces in which it is read."""
    whole = list(items(io.BytesIO(content), ["Records", "Events"]))
    assert list(items(Drip(content), ["Records", "Events"])) == whole
    return whole


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"Records": [{"a": 1}, {"a": 2}]}', [{"a": 1}, {"a": 2}]),
        (b'{"next": {"b": [1]}, "Records": [{"a": 1}], "more": true}', [{"a": 1}]),
        (b'{"Records": [{"a": 1}], "Events": [{"a": 2}]}', [{"a": 1}, {"a": 2}]),
        (b'{"Records": []}', []),
        (b'{"Records": null, "a": 1.25}', [{"Records": None, "a": 1.25}]),
        (b"{}", [{}]),
        (b'[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
        (b'{"a": 1}\n\n{"a": 2}\r\n', [{"a": 1}, {"a": 2}]),
        (b'{"a": 1}{"a": 2}', [{"a": 1}, {"a": 2}]),
        (b'{"a": 1},\n{"a": 2},\n', [{"a": 1}, {"a": 2}]),
        (b'{\n "a": {\n  "b": 1\n }\n}\n{\n "a": 2\n}', [{"a": {"b": 1}}, {"a": 2}]),
        (b'\xef\xbb\xbf{"a": "\xc3\xa9"}', [{"a": "é"}]),
        (b'{"a": "\xff\x01"}', [{"a": "\ufffd\x01"}]),
        (
            b'{"a": -12.5e3, "b": [true, false, null, 1234567]}',
            [{"a": -12500.0, "b": [True, False, None, 1234567]}],
        ),
    ],
)
def test_arrays_lists_and_lines_give_their_items(content: bytes, expected: list[Any]) -> None:
    """However the records lie in the file."""
    assert read(content) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", [Damage("", is_line=False)]),
        (b" \n ", [Damage("", is_line=False)]),
        (b"not JSON\n" * 200, [Damage("not JSON", is_line=False)]),
        (b"12\n13\n", [Damage("12", is_line=False)]),
        (b'{"a": 1', [Damage('{"a": 1', is_line=False)]),
        (b'cut": 1}\n{"a": 2}\n', [Damage('cut": 1}', is_line=True), {"a": 2}]),
        (b'{"a": 1}\n{"a": \n{"a": 2}\n', [{"a": 1}, Damage('{"a": ', is_line=True), {"a": 2}]),
        (b'{"a": 1}\n{"a": "open\n{"a": 2}\n', [{"a": 1}, Damage('{"a": "open', is_line=True), {"a": 2}]),
        (b'{"a": 1}\n{"a": 2', [{"a": 1}, Damage('{"a": 2', is_line=True)]),
        (
            b'{"Records": [{"a": 1}, {"a": oops}, {"a": 3}]}',
            [{"a": 1}, Damage('{"a": oops}, {"a": 3}]}', is_line=False)],
        ),
        (b'[{"a": 1}, {"a"', [{"a": 1}, Damage('{"a"', is_line=False)]),
        (b'broken\n{"Records": []}', [Damage("broken", is_line=True)]),
        (b"[" * 100_000, [Damage("[" * 1000, is_line=False)]),
        (b'{"a": ' + b"9" * 5000 + b"}", [Damage('{"a": ' + "9" * 994, is_line=False)]),
    ],
)
def test_what_is_no_json_is_one_damage_and_the_rest_is_read(content: bytes, expected: list[Any]) -> None:
    """A damaged line ends with its line. Behind a damaged part of a list nothing is known."""
    assert list(items(io.BytesIO(content), ["Records", "Events"])) == expected


@pytest.mark.parametrize(("name", "expected"), [("Records", 40_000), ("others", 1)])
def test_no_more_than_one_item_is_held(name: str, expected: int) -> None:
    """A document of 40 MB takes a few megabytes of memory, also where its list is none that is asked for."""
    tracemalloc.start()
    try:
        count = sum(1 for _ in items(Endless(40_000, name), ["Records"]))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == expected
    assert peak < 16_000_000

"""The repair of JSON texts, without files."""

from __future__ import annotations

import json
import time
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.sources.files.repair import Documents, documents, escapes_repaired

LONGEST = 1 << 23

texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(texts, children, max_size=3),
    max_leaves=8,
)
records = st.dictionaries(texts.filter(lambda name: name != "agent"), values, max_size=5)
damages = st.text(st.characters(max_codepoint=31), min_size=1) | st.sampled_from(
    [r"\x22", r"\xE2\x82\xAC", r"\xff", r"\x5C", r"\x00", r"\ud800", r"\uDFFF", r"\ud800\u0041", r"\\x22\x22"]
)


def found_in(text: str) -> list[str]:
    """The documents in a text."""
    return documents(text, LONGEST)[0]


def damaged(record: dict[str, Any], damage: str) -> str:
    """The record as JSON with one more member, whose text is damaged."""
    agent = f'"agent": "x{damage}y"'
    return json.dumps(record)[:-1] + (", " if record else "") + agent + "}"


@given(records, damages)
def test_a_damaged_text_costs_no_other_member(record: dict[str, Any], damage: str) -> None:
    """The repaired text is JSON for Python and for DuckDB, and its other members are the same."""
    (text,) = found_in(damaged(record, damage))
    repaired = json.loads(text)
    assert repaired.pop("agent").startswith("x")
    assert repaired == record
    assert duckdb.execute("SELECT json_valid($1)", [text]).fetchone() == (True,)


@given(st.lists(records, min_size=2), st.sampled_from(["", " ", "\n", ",", "\t", "\r\n"]))
def test_documents_that_follow_one_another_are_all_found(all_records: list[dict[str, Any]], between: str) -> None:
    """In order, whatever separates them, and also where they are pretty-printed or lie in an array."""
    assert list(map(json.loads, found_in(between.join(map(json.dumps, all_records))))) == all_records
    pretty = [json.dumps(record, indent=2) for record in all_records]
    assert list(map(json.loads, found_in(between.join(pretty)))) == all_records
    assert list(map(json.loads, found_in(json.dumps(all_records, indent=1)))) == all_records


@given(st.lists(records), st.integers(1, 9))
def test_the_parts_of_a_text_have_the_documents_of_the_whole(
    all_records: list[dict[str, Any]], length: int
) -> None:
    """A document, an escape or a boundary may be divided between two parts."""
    text = "".join(damaged(record, r"\xE2\x82\xAC\ud83d\ude00") for record in all_records)
    splitter = Documents(LONGEST)
    found = []
    for start in range(0, len(text), length):
        found += splitter.feed(text[start : start + length])
    found += splitter.finish()
    assert [json.loads(document)["agent"] for document in found] == ["x€😀y"] * len(all_records)
    assert splitter.replaced == 0


@pytest.mark.parametrize(
    ("escaped", "text", "replaced"),
    [
        (r"\x22\x5c\x2F", r"\"\\/", 0),
        (r"\xE2\x82\xAC", "€", 0),
        (r"\xE2\x82", "\ufffd", 1),
        (r"\xEF\xBF\xBD", "\ufffd", 0),
        (r"\x01", r"\u0001", 0),
        (r"\ud800", "\ufffd", 1),
        (r"\ud800\ud83d\ude00\udc00", r"�\ud83d\ude00�", 2),
        (r"\\x22", r"\\x22", 0),
        (r"\\\x22", r"\\\"", 0),
        (r"\\ud800", r"\\ud800", 0),
        (r"C:\Windows\u12\q", r"C:\\Windows\\u12\\q", 0),
        (r"\x2", r"\\x2", 0),
        (r"\n\t\u00e9\/\"", r"\n\t\u00e9\/\"", 0),
    ],
)
def test_escapes_that_json_does_not_know_are_repaired(escaped: str, text: str, replaced: int) -> None:
    """An escape that JSON knows stays as it is."""
    assert escapes_repaired(escaped) == (text, replaced)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a":{"a":2}{"a":3}', ['{"a":{"a":2}', '{"a":3}']),
        ('{"a":"2026{"a":1}{"a":2}', ['{"a":"2026', '{"a":1}', '{"a":2}']),
        ('{"a":tru}{"a":1}', ['{"a":tru}', '{"a":1}']),
        ('[{"a":tru},{"a":1}]', ['{"a":tru},', '{"a":1}']),
        ('{"a":1}{"a":', ['{"a":1}', '{"a":']),
        ('{"a":1} rest', ['{"a":1}', "rest"]),
        ('{"a":1}\n{"b"\n{"c":1}', ['{"a":1}', '{"b"', '{"c":1}']),
        ('{"x":tru,"a":{"a":1}}', ['{"x":tru,"a":{"a":1}}']),
        ('[1, "x"]', ['[1, "x"]']),
        ("[[[", ["[[["]),
        ("text", ["text"]),
        ("[]", []),
        (" \t", []),
        ('2026-01-02 app[1]: {"a":1}', ['{"a":1}']),
        ('{"a":"x{"b":1}}', ['{"a":"x{"b":1}}']),
    ],
)
def test_what_is_damaged_comes_out_beside_the_whole_documents(text: str, found: list[str]) -> None:
    """A damaged document costs itself; an object within a damaged one is no record."""
    assert found_in(text) == found


def test_an_envelope_gives_its_messages() -> None:
    """A control message has none; a message may hold several documents, or no JSON."""
    events = [{"message": '{"a":1}\n{"a":2}\n'}, {"message": "START"}, {"message": r'{"a":"\x22"}'}, {"id": 1}]
    text = json.dumps({"messageType": "DATA_MESSAGE", "logEvents": events})
    control = json.dumps({"messageType": "CONTROL_MESSAGE", "logEvents": [{"message": "x"}]})
    other = '{"messageType":"x","logEvents":[]}'
    assert found_in(control + text + other) == [
        '{"a":1}',
        '{"a":2}',
        "START",
        r'{"a":"\""}',
        '{"id": 1}',
        other,
    ]


def test_a_document_that_is_too_long_is_refused_with_its_bytes() -> None:
    """The documents around it are found, in the same or in a later part."""
    for parts in (1, 50):
        splitter = Documents(1000)
        text = '{"a":1}' + '{"a":"' + "é" * 2000 + '"}' + '{"a":2}{"a":3}'
        found = []
        for number in range(parts):
            found += splitter.feed(text[number * len(text) // parts : (number + 1) * len(text) // parts])
        found += splitter.finish()
        assert found == ['{"a":1}', '{"a":2}', '{"a":3}']
        assert (splitter.refused, splitter.refused_bytes) == (1, 4008)


@pytest.mark.parametrize(
    "text",
    [
        "{" * 10_000,
        "[" * 1_000_000,
        '{"a":' * 200_000,
        '{"a{' * 200_000,
        '{x}{"' * 50_000,
        r"\x" * 500_000,
        '{"' + '\\"{' * 300_000,
        "{\n" * 50_000,
        "} " * 500_000,
        '{"a":"' + "x" * 2_000_000 + '"}' + '{x}{"' * 50_000,
    ],
    ids=[f"{number}" for number in range(10)],
)
def test_a_hostile_text_takes_linear_time(text: str) -> None:
    """A megabyte of nonsense takes about two seconds at worst, and not one character of it is lost."""
    started = time.process_time()
    found = found_in(text)
    assert time.process_time() - started < 10
    assert found

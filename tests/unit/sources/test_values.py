"""The reader of single values agrees with the table of values, and keeps its bounds."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.sources.instants import day_of, from_micros, micros_of
from detector.sources.values import (
    LONGEST_NAME,
    OWN_NAMES,
    ValueRules,
    count_of,
    deployment_of,
    endpoint_of,
    text_of,
    words,
)
from detector.usage.endpoints import fold_endpoint
from tests.conformance.table import Batch, batches

RULES = ValueRules(ZoneInfo("UTC"))


@pytest.mark.parametrize(
    "batch",
    [pytest.param(batch, id=batch.name) for batch in batches() if batch.column in ("text", "json")],
)
def test_the_reader_itself(batch: Batch) -> None:
    """The functions that read values agree with the table."""
    rules = ValueRules(
        batch.timezone,
        batch.options.get("date_order"),
        words(batch.options.get("success", ())),
        words(batch.options.get("no_key", ())),
    )
    for (writing, meaning), value in zip(batch.rows.items(), batch.values, strict=True):
        assert _read(batch.kind, value, rules) == meaning, writing


def _read(kind: str, value: Any, rules: ValueRules) -> str:
    if kind == "instant":
        micros = micros_of(value, rules.date_order)
        if micros is None:
            return "unusable"
        return from_micros(micros).isoformat().replace("+00:00", "Z")
    if kind == "day":
        day = day_of(value, rules.zone, rules.date_order)
        return "unusable" if day is None else day.isoformat()
    if kind == "count":
        count = count_of(value)
        return "unusable" if count is None else str(count)
    if kind == "status":
        return rules.outcome_of(value).value
    if kind == "error":
        return "error" if rules.is_error(value) else "none"
    return rules.key_of(value) or "missing"


@given(st.text(max_size=100))
def test_no_text_stops_a_reader(text: str) -> None:
    """Whatever a source holds has a meaning or none."""
    key = RULES.key_of(text)
    assert key is None or (key == key.strip() and "\0" not in key and key.isprintable() is not None)
    assert RULES.key_of(key) == key
    count = count_of(text)
    assert count is None or 0 <= count <= 10**12
    assert micros_of(text) is None or micros_of(from_micros(micros_of(text) or 0)) == micros_of(text)
    day_of(text, RULES.zone)
    RULES.outcome_of(text)
    RULES.is_error(text)


@pytest.mark.parametrize(
    ("written", "meaning"),
    [
        ("API.Example.com:443", "api.example.com"),
        ("api.example.com.", "api.example.com"),
        ("production", "production"),
        ("[::1]:8080", "[::1]"),
        ("-", None),
        (":80", None),
        (None, None),
    ],
)
def test_a_deployment_has_no_case_port_and_final_dot(written: str | None, meaning: str | None) -> None:
    """One host is one deployment, however a caller writes it."""
    assert deployment_of(written) == meaning


@pytest.mark.parametrize("name", sorted(OWN_NAMES))
def test_no_source_holds_a_name_that_is_our_own(name: str) -> None:
    """A caller who writes it counts, and never under the record of many names or as a request without endpoint."""
    assert RULES.key_of(name) == f"\ufffd{name}"
    assert deployment_of(f"{name.upper()}:443") == f"\ufffd{name}"
    assert endpoint_of(name) == f"\ufffd{name}"
    assert fold_endpoint(endpoint_of(f"{name}?page=2") or "") not in OWN_NAMES
    assert endpoint_of("(?P<year>)/x") == "(?P<year>)/x"


def test_a_name_of_any_length_is_short() -> None:
    """A caller cannot fill the history with long names. Two long keys that differ stay two keys."""
    long = "k" * 1_000_000
    first = RULES.key_of(f"{long}1") or ""
    second = RULES.key_of(f"{long}2") or ""
    assert first != second
    assert len(first) == len(second) == LONGEST_NAME
    assert RULES.key_of(first) == first
    assert RULES.key_of("k" * LONGEST_NAME) == "k" * LONGEST_NAME
    assert endpoint_of(f"/{long}") == deployment_of(f"/{long}") == f"/{long[: LONGEST_NAME - 2]}…"
    assert fold_endpoint(endpoint_of(f"/v1/things?page={long}") or "") == "/v1/things"


def test_a_character_that_is_no_text_leaves_a_mark() -> None:
    """A key with NUL behind it must not pass for the key without it."""
    assert text_of("key\0") == "key\ufffd"
    assert text_of("a\u2028b\x85c\ud800") == "a\ufffdb\ufffdc\ufffd"

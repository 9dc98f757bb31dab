"""Text made safe for one place each."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.boundary.text import (
    LONGEST_TEXT,
    UNSEEN,
    header_text,
    in_every_text,
    inert,
    one_line,
    shortened,
    spelled_out,
    storable,
    unlinked,
    visible,
    whole,
)

TEXT = st.text(st.characters(categories=["L", "Nd", "P", "Zs", "Cc", "Cf", "Cs"]), max_size=200)


def test_what_cannot_be_seen_is_spelled_out() -> None:
    """A reader sees that somebody tried; lines and tabs stay."""
    assert visible("a\u202ecod.exe\x1b[31m\n\tb") == "a[U+202E]cod.exe[U+001B][31m\n\tb"


def test_a_long_text_does_not_fill_a_page() -> None:
    """It ends with an ellipsis."""
    assert visible("x" * 2000) == "x" * (LONGEST_TEXT - 1) + "…"


def test_nothing_in_a_log_begins_a_line() -> None:
    """Line ends and tabs are spelled out too."""
    assert spelled_out("a\nlevel=error\tb\x85") == "a[U+000A]level=error[U+0009]b[U+0085]"


def test_one_line_has_single_spaces_and_an_end() -> None:
    """Whatever separated its words."""
    assert one_line("  a\r\n b\u2028c ", 100) == "a[U+000D] b[U+2028]c"
    assert one_line("a" * 10, 5) == "aaaa…"


def test_an_address_in_a_mail_is_no_link() -> None:
    """No mail program finds one."""
    assert unlinked("a\nb\thttps://x", 100) == "a b https[:]//x"


def test_text_in_a_chat_does_nothing() -> None:
    """No mention, no link, no format."""
    shown = "‹!channel› ＠here (a)(https(:)//x) ∗b∗ 'c' ＆lt;"
    assert inert("<!channel> @here [a](https://x) *b* `c` &lt;") == shown
    assert len(inert("x" * 1000)) == 300


def test_a_header_is_one_short_line() -> None:
    """Line breaks, bidi controls and half characters go."""
    assert header_text("a\r\nBcc: x\u202e\ud800b") == "a Bcc: xb"
    assert len(header_text("x" * 1000)) == 200


def test_half_a_character_becomes_a_replacement() -> None:
    """Neither JSON nor a file can hold one."""
    assert whole("a\ud83d \U0001f600") == "a\ufffd \U0001f600"


def test_a_database_can_hold_what_is_stored() -> None:
    """PostgreSQL takes no NUL."""
    assert storable("a\0b\udc00") == "ab\ufffd"


def test_a_text_is_cut_only_where_it_is_too_long() -> None:
    """And then it has exactly as many characters as it may."""
    assert shortened("abcde", 5) == "abcde"
    assert shortened("abcdef", 5) == "abcd…"


def test_every_text_of_a_document_is_changed() -> None:
    """Names of members too; numbers and the document that was given stay as they are."""
    document = {"a": ["b", 1, {"c": "d"}], "e": None}
    assert in_every_text(document, str.upper) == {"A": ["B", 1, {"C": "D"}], "E": None}
    assert document == {"a": ["b", 1, {"c": "d"}], "e": None}


@given(TEXT)
def test_nothing_unseen_is_left(text: str) -> None:
    """In any of them; what they make is valid UTF-8."""
    lines = [spelled_out(text), one_line(text, 50), unlinked(text, 50), inert(text), header_text(text)]
    for made in (visible(text), *lines):
        assert not UNSEEN.search(made)
        made.encode()
    assert not set("\n\r\t") & set("".join(lines))
    json.dumps(whole(text)).encode()
    storable(text).encode()


@pytest.mark.parametrize("make", [visible, spelled_out, header_text, whole, storable])
def test_ordinary_text_stays_as_it_is(make) -> None:
    """Letters of all languages, signs and emoji."""
    assert make("Zahlung – Größe, 支払い, оплата 🚀") == "Zahlung – Größe, 支払い, оплата 🚀"

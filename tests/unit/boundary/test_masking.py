"""What is shown of a secret."""

from __future__ import annotations

import time

import pytest
from pydantic import SecretStr

from detector.boundary.masking import host_of, mask_secrets, mask_tokens, without

HOOK = SecretStr("https://hooks.example.com/services/T0123456/B0123456?token=abcdefghij")


@pytest.mark.parametrize(
    "said",
    ["T0123456", "no service /services/T0123456/B0123456", "token abcdefghij is unknown", HOOK.get_secret_value()],
)
def test_no_part_of_a_secret_address_is_repeated(said: str) -> None:
    """A receiver may send back the path, a step of it or a parameter."""
    shown = mask_secrets(f"refused: {said}", HOOK)
    assert shown.startswith("refused: ")
    assert not any(part in shown for part in ("T0123456", "B0123456", "abcdefghij"))


def test_the_words_of_a_header_are_masked_each() -> None:
    """The scheme of an Authorization header too, where it is long enough to be taken for a part."""
    assert mask_secrets("bad key s3cr3t-key", SecretStr("ApiKey s3cr3t-key")) == "bad key ***"


def test_text_from_outside_is_one_short_line() -> None:
    """With or without secrets."""
    assert mask_secrets("a\nb\u202e", None) == "a b[U+202E]"
    assert len(mask_secrets("x" * 1000)) == 300


def test_a_short_secret_is_masked_as_a_whole() -> None:
    """Its parts would mask ordinary words."""
    assert without("user=me password=pw", "pw") == "user=me password=***"
    assert without("nothing to hide", "") == "nothing to hide"


def test_what_looks_like_a_token_is_cut() -> None:
    """Four characters are enough to recognise it; names of operations are words."""
    assert mask_tokens("key sk_live_4eC39HqLyjWDarjtT1zdp7dc") == "key sk_l…"
    assert mask_tokens("DescribeLoadBalancers\x1b[31m") == "DescribeLoadBalancers [31m"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET /v/eyJhbGci.eyJzdWIi.c2ln failed", "GET /v/*** failed"),
        ("no user jane.doe+x@mail.example.com", "no user ***"),
        ("GET /u/jane%40example.com and /u/jane%2540example.com", "GET /u/*** and /u/***"),
        ("key Zm9v+YmFy/MTIz==", "key ***"),
        ("key Zm9v%2BYmFy%2FMTIz%3D%3D", "key Zm9v…"),
        ("key 4eC39HqL.yjWDarjt7:T1zdp7dc", "key 4eC3…"),
        ("https://hooks.slack.com/services/T000/B000/XXXX", "https://hooks.slack.com/services/***"),
        ("https://discord.com/api/webhooks/1234/abc-DEF", "https://discord.com/api/webhooks/***"),
        ("https://api.telegram.org/bot12:AA-bb/send", "https://api.telegram.org/bot***/send"),
        ("/app;jsessionid=A1B2/page;v=2?page=3", "/app;jsessionid=***/page;v=***?page=3"),
        ("/p?page=3&api_key=abc&x=1", "/p?page=3&api_key=***&x=1"),
    ],
)
def test_what_is_secret_by_its_form_is_masked(text: str, shown: str) -> None:
    """Tokens, mail addresses, hooks and sessions are masked although they are short."""
    assert mask_tokens(text) == shown
    assert mask_tokens(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T10:00:00Z,key-1,/x/7,200",
        "FATAL: database usage does not exist on db.example.com:5432",
        "/var/log/nginx/access-2026-03-17.log.gz: not a gzip file",
        "s3.amazonaws.com:GetObject",
        "sqlalchemy.exc.OperationalError: timeout=5, retries=3",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    """Times, hosts, files and settings are what the reader of an error needs."""
    assert mask_tokens(text) == text


@pytest.mark.parametrize("part", ["a", "a1B", "a@", "@a.", "%25", ";a", "?key", "eyJ", "a1B.", "/bot1", "=", "a="])
def test_masking_takes_time_in_proportion_to_the_text(part: str) -> None:
    """A hundred thousand characters take a fraction of a second; a pattern that goes back takes minutes."""
    began = time.process_time()
    mask_tokens(part * (100_000 // len(part)))
    assert time.process_time() - began < 5


def test_of_an_address_the_host_is_shown() -> None:
    """Neither user nor path."""
    assert host_of("https://user:pw@example.com:8443/hook/secret?x=1") == "https://example.com:8443"
    assert host_of("http://example.com/hook") == "http://example.com"

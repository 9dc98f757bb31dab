"""What is shown of a secret."""

from __future__ import annotations

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


def test_of_an_address_the_host_is_shown() -> None:
    """Neither user nor path."""
    assert host_of("https://user:pw@example.com:8443/hook/secret?x=1") == "https://example.com:8443"
    assert host_of("http://example.com/hook") == "http://example.com"

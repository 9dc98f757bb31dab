"""What is shown of a secret."""

from __future__ import annotations

import base64
import html
import json
import time
from urllib.parse import quote, quote_plus, urlencode

import pytest
from sqlalchemy import URL

from detector.boundary import masking
from detector.boundary.masking import (
    host_of,
    mask_secrets,
    mask_tokens,
    remember_address,
    remember_secret,
    without_secrets,
)

HOOK = "https://hooks.example.com/services/T0123456/B0123456?token=abcdefghij"
PASSWORD = 'Tr0ub@dor/Secret9#x & "é"\\'


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins without a secret."""
    monkeypatch.setattr(masking, "_known", set())


@pytest.mark.parametrize(
    "said",
    ["T0123456", "no service /services/T0123456/B0123456", "token abcdefghij is unknown", HOOK],
)
def test_no_part_of_a_secret_address_is_repeated(said: str) -> None:
    """A receiver may send back the path, a step of it or a parameter."""
    remember_secret(HOOK)
    shown = mask_secrets(f"refused: {said}")
    assert shown.startswith("refused: ")
    assert not any(part in shown for part in ("T0123456", "B0123456", "abcdefghij"))


def test_the_host_of_a_secret_address_and_the_steps_that_everybody_knows_stay() -> None:
    """A reader must learn which receiver it was."""
    remember_secret(HOOK)
    assert (
        without_secrets("https://hooks.example.com/services refused")
        == "https://hooks.example.com/services refused"
    )


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("ApiKey s3cr3t-key", "s3cr3t-key"),
        ("Basic bWU6aHVudGVyMi0x", "hunter2-1"),
        ("Basic bWU6aHVudGVyMi0x", "bWU6aHVudGVyMi0x"),
    ],
)
def test_the_words_of_a_header_are_masked_and_its_scheme_stays(header: str, said: str) -> None:
    """The user and password of basic authentication too."""
    remember_secret(header)
    assert mask_secrets(f"ApiKey: {said} is bad") == "ApiKey: *** is bad"


@pytest.mark.parametrize(
    "form",
    [
        PASSWORD,
        quote(PASSWORD, safe=""),
        quote(PASSWORD),
        quote(PASSWORD, safe="").lower().replace("tr0ub", "Tr0ub").replace("secret", "Secret"),
        quote(quote(PASSWORD, safe=""), safe=""),
        quote_plus(PASSWORD),
        urlencode({"password": PASSWORD}).removeprefix("password="),
        str(URL.create("postgresql", "u", PASSWORD).render_as_string(hide_password=False))[15:-1],
        json.dumps(PASSWORD)[1:-1],
        json.dumps(PASSWORD, ensure_ascii=False)[1:-1],
        repr(PASSWORD)[1:-1],
        html.escape(PASSWORD),
        base64.b64encode(PASSWORD.encode()).decode(),
        base64.urlsafe_b64encode(PASSWORD.encode()).decode(),
    ],
)
def test_a_secret_is_masked_in_every_form(form: str) -> None:
    """Raw, percent-encoded once or twice, as a parameter, in JSON, in HTML, in base64."""
    remember_secret(PASSWORD)
    assert without_secrets(f"before {form} after").replace("=", "") == "before *** after"


@pytest.mark.parametrize(
    "part", ['dor/Secret9#x & "é"', "Tr0ub@dor/Secret9", "dor%2FSecret9%23x", "Tr0ub%40dor%2FSecret9"]
)
def test_a_secret_that_was_cut_is_masked_in_parts(part: str) -> None:
    """A library that takes the @ for the end of the password shows its tail as the host."""
    remember_secret("Tr0ub@dor/Secret9#x")
    remember_secret(PASSWORD)
    assert "Secret9" not in without_secrets(f"failed to resolve host '{part}'")


def test_an_address_tells_its_password_and_its_secret_parameters() -> None:
    """In the user's place, in the query, and within the parameter of ODBC."""
    remember_address("postgresql://me:p%40ss-word-1@db/gw?sslmode=require&password=q-s3cret-1&user=someone-else")
    remember_address("mssql+pyodbc:///?odbc_connect=DRIVER%3DODBC%3BUID%3Dme%3BPWD%3Do-s3cret-1")
    text = "p@ss-word-1 q-s3cret-1 o-s3cret-1 require someone-else DRIVER"
    assert without_secrets(text) == "*** *** *** require someone-else DRIVER"
    assert without_secrets(base64.b64encode(b"me:p@ss-word-1").decode()) == "***="
    assert without_secrets(base64.b64encode(b"another user:p@ss-word-1").decode()) == "YW5vdGhlciB1c2Vy***Eh"[:-2]


def test_text_from_outside_is_one_short_line() -> None:
    """With or without secrets."""
    assert mask_secrets("a\nb\u202e") == "a b[U+202E]"
    assert len(mask_secrets("x" * 1000)) == 300


@pytest.mark.parametrize("secret", ["x", "pw", "abc"])
def test_a_short_secret_masks_no_ordinary_text(secret: str) -> None:
    """``database ni*** does not e***ist`` tells the secret, and nothing else."""
    remember_secret(secret)
    assert (
        without_secrets("database nix does not exist, pwned, abcd") == "database nix does not exist, pwned, abcd"
    )
    assert without_secrets(f"db://me:{secret}@host") == "db://me:***@host"
    assert without_secrets(f"user=me password={secret} PWD={secret};") == "user=me password=*** PWD=***;"


def test_nothing_is_masked_where_no_secret_is_known() -> None:
    """An empty secret is none."""
    remember_secret("")
    remember_address("postgresql://me@db/gw")
    assert without_secrets("nothing to hide") == "nothing to hide"


def test_a_known_secret_is_masked_before_a_token_is_cut() -> None:
    """The first characters of a token may be a part of the secret."""
    remember_secret("sk_live_4eC39HqLyjWDarjtT1zdp7dc")
    assert mask_tokens("key sk_live_4eC39HqLyjWDarjtT1zdp7dc") == "key ***"


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

"""The ids that replace keys in clear."""

from __future__ import annotations

import hashlib
import hmac
import time
from urllib.parse import unquote

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.config.source import FilesSource
from detector.model.errors import ConfigError
from detector.model.usage import TEXT, Fault
from detector.sources.files.protection import SHORTEST_HIDDEN, PlainKeys, ProtectedKeys, keys_of, without_key
from detector.sources.presets import preset_named

SALT = "a salt for tests alone"
KEYS = ProtectedKeys(SALT)
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=60)


def test_the_id_of_a_key_is_its_hmac_and_its_end() -> None:
    """Sixteen digits of HMAC-SHA256 under the salt, and the last four characters of the key."""
    key = "sk_live_4eC39HqLyjWDarjtT1zdp7dc"
    digits = hmac.new(SALT.encode(), key.encode(), hashlib.sha256).hexdigest()[:16]
    assert KEYS.protected(key) == f"key_{digits}_p7dc"


@pytest.mark.parametrize(("length", "shown"), [(1, 0), (7, 0), (8, 2), (11, 2), (12, 4), (40, 4)])
def test_short_keys_show_less_of_their_end(length: int, shown: int) -> None:
    """Four of eight characters would be half of the secret."""
    key = ("abcdefghij" * 4)[:length]
    end = KEYS.protected(key)[4 + 16 :]
    assert len(end) == (shown + 1 if shown else 0)


@given(TEXTS, TEXTS)
def test_ids_are_equal_exactly_where_keys_are_equal(one: str, other: str) -> None:
    """So usage joins the register, and two keys never count as one."""
    assert (KEYS.protected(one) == KEYS.protected(other)) == (one == other)


@given(TEXTS)
def test_another_salt_gives_another_id(key: str) -> None:
    """Without the salt nobody can test a guessed key."""
    assert KEYS.protected(key)[:20] != ProtectedKeys("another salt for tests").protected(key)[:20]


def test_a_key_within_a_deployment_is_hidden() -> None:
    """A key may be a part of a host name, which is in small letters whatever the key is."""
    groups = pd.DataFrame(
        {"key_id": ["A-Long-Key"], "endpoint": ["/v1"], "deployment": ["a-long-key.api.example.com"]},
        dtype=TEXT,
    )
    assert KEYS.without_keys(groups)["deployment"].tolist() == ["{key}.api.example.com"]


def test_a_missing_endpoint_or_deployment_stays_missing() -> None:
    """Most logs tell no deployment."""
    groups = pd.DataFrame(
        {"key_id": ["a-long-key"] * 2, "endpoint": ["/v1/a-long-key?x=1", None], "deployment": [None, None]},
        dtype=TEXT,
    )
    changed = KEYS.without_keys(groups)
    assert changed["endpoint"].tolist() == ["/v1/{key}", None]
    assert changed["deployment"].tolist() == [None, None]


@given(st.lists(st.one_of(st.none(), TEXTS)))
def test_a_register_may_hold_clear_and_protected_keys(keys: list[str | None]) -> None:
    """Both join the usage. A key of the usage that looks like an id gets another id."""
    clear = pd.Series(keys, dtype="str")
    once = KEYS.of_usage(clear)
    assert KEYS.of_register(clear).equals(once)
    assert KEYS.of_register(once).equals(once)
    assert not set(KEYS.of_usage(once).dropna()) & set(once.dropna())
    assert once.isna().tolist() == clear.isna().tolist()


@given(TEXTS)
def test_samples_show_neither_words_nor_numbers(text: str) -> None:
    """A key may stand anywhere in a damaged line."""
    shown = KEYS.sample(text)
    assert not {letter for letter in shown if letter.isalpha() and letter.isascii()} - {"x"}
    assert not {digit for digit in shown if digit.isdecimal()} - {"0"}


def test_the_shape_of_a_damaged_line_stays() -> None:
    """The sample is enough to see the fault of the line."""
    shown = KEYS.sample("2026-01-02T10:00:00Z,sk_live_4eC39,/x/7", "a.csv:3")
    assert shown == "a.csv:3: 0-0-0x0:0:0x,x_x_0x0,/x/0"
    (fault,) = KEYS.faults([Fault("register: key listed twice", 1, ("sk_live_4eC39",), dated=False)])
    assert fault.samples == ("x_x_0x0",)


def test_errors_of_the_database_do_not_quote_the_input() -> None:
    """A message may hold the value that could not be read."""
    error = duckdb.ConversionException("Could not convert string 'sk_live_4eC39' to INT64")
    assert KEYS.problem(error) == "ConversionException"
    assert "Could not convert" in PlainKeys().problem(error)


@pytest.mark.parametrize("salt", [None, "", "0123456789abcde"])
@pytest.mark.parametrize("options", [{"preset": "nginx"}, {"protect_keys": True}])
def test_without_a_salt_keys_in_clear_are_not_read(salt: str | None, options: dict[str, object]) -> None:
    """The error names the missing salt, how to make it and where to set it."""
    config = FilesSource.model_validate({"usage": "x", "key_salt": salt, **options})
    preset = preset_named(config.preset) if config.preset else None
    with pytest.raises(ConfigError, match=r"source\.key_salt is (missing|too short).*\$\{DETECTOR_KEY_SALT\}"):
        keys_of(config, preset, key_template=False)


def test_a_key_from_a_configured_template_is_protected() -> None:
    """A template that names a header names the key in clear."""
    config = FilesSource(usage="x", preset="kong", key_salt=SALT)
    assert keys_of(config, preset_named("kong"), key_template=True).hidden
    assert not keys_of(config, preset_named("kong"), key_template=False).hidden


def test_the_salt_is_in_no_rendering_of_the_configuration() -> None:
    """The salt is a secret."""
    assert SALT not in repr(FilesSource(usage="x", key_salt=SALT))


BASE64 = "Zm9v+YmFy/MTIz=="


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/v1/users", "/v1/users"),
        ("/k/Zm9v+YmFy/MTIz==/x", "/k/{key}/x"),
        ("/k/Zm9v%2BYmFy%2FMTIz%3D%3D/x", "/k/{key}/x"),
        ("/k/Zm9v%2bYmFy%2fMTIz%3d%3D", "/k/{key}"),
        ("/k/Zm9v%252BYmFy%252FMTIz%253D%253D", "/k/{key}"),
        ("/k/Zm9v%2BYmFy/MTIz%3D=", "/k/{key}"),
        ("/k/%5A%6d9v%25%32%42YmFy%2FMTIz%253D=", "/k/{key}"),
        ("/k/Zm9v%2BYmFy%2FMTIz==-Zm9v+YmFy/MTIz%3D%3D", "/k/{key}-{key}"),
        ("/k/%%5Am9v%2BYmFy%2FMTIz%3D%3D", "/k/%{key}"),
        ("/a%20b/Zm9v%2BYmFy", "/a%20b/Zm9v%2BYmFy"),
        ("/caf%C3%A9/%e6%97%a5", "/caf%C3%A9/%e6%97%a5"),
        ("/100%/%zz/%2", "/100%/%zz/%2"),
    ],
)
def test_a_key_is_removed_in_every_encoding(text: str, shown: str) -> None:
    """In any letter case, in part, and more than once."""
    assert without_key(text, BASE64) == shown


@pytest.mark.parametrize(
    ("text", "key", "shown"),
    [
        ("/k/abcdefg", "abcdefg", "/k/abcdefg"),
        ("/k/%61bcdefgh", "abcdefgh", "/k/{key}"),
        ("/%4eC39HqLy/x", "4eC39HqLy", "/%{key}/x"),
        ("/%%34eC39HqLy/x", "4eC39HqLy", "/%{key}/x"),
        ("/a%41bcdefgh", "a%41bcdefgh", "/{key}"),
        ("/a%2541bcdefgh", "a%41bcdefgh", "/{key}"),
        ("/schl%C3%BCssel-1/schlüssel-1", "schlüssel-1", "/{key}/{key}"),
        ("/{key}abcabc", "{key}abc", "{key}"),
    ],
)
def test_keys_of_all_kinds_are_removed(text: str, key: str, shown: str) -> None:
    """Digits after a percent sign, a percent sign in the key, letters of any language; short keys stay."""
    assert without_key(text, key) == shown


def holds(text: str, key: str) -> bool:
    """Whether a part of a text is the key, or becomes the key by decoding it often enough."""
    for start in range(len(text)):
        for end in range(start + 1, len(text) + 1):
            part = text[start:end]
            while part != key and part != unquote(part):
                part = unquote(part)
            if part == key:
                return True
    return False


LETTERS = st.sampled_from("aF4+/=%25{}k")


@st.composite
def encoded_keys(draw: st.DrawFn) -> tuple[str, str]:
    """A key, and a text with an encoding of it: up to three times, each time some of the characters."""
    key = draw(st.text(LETTERS, min_size=SHORTEST_HIDDEN, max_size=12))
    encoded = key
    for _ in range(draw(st.integers(0, 3))):
        shape = draw(st.sampled_from(["%{:02x}", "%{:02X}"]))
        chosen = draw(st.sets(st.integers(0, len(encoded) - 1), max_size=6))
        encoded = "".join(
            shape.format(ord(letter)) if number in chosen or letter == "%" else letter
            for number, letter in enumerate(encoded)
        )
    around = st.text(LETTERS, max_size=5)
    return key, draw(around) + encoded + draw(around)


@settings(deadline=None, max_examples=300)
@given(encoded_keys())
def test_no_encoding_of_a_key_is_left(case: tuple[str, str]) -> None:
    """Whatever stands around the key."""
    key, text = case
    assert not holds(without_key(text, key), key)


@settings(deadline=None, max_examples=300)
@given(encoded_keys(), st.integers(0, 12))
def test_a_text_without_the_key_stays(case: tuple[str, str], place: int) -> None:
    """Only what is the key is removed: with one letter less, the text often does not hold it."""
    key, text = case
    text = text[:place] + text[place + 1 :]
    if "%" not in key and not holds(text, key):
        assert without_key(text, key) == text


@pytest.mark.parametrize("part", ["a", "%", "%25", "25", "%61", "%4", "%31", "%25%32%35"])
@pytest.mark.parametrize("key", ["a" * 5_000 + "b", "%" * 5_000 + "b", "%25" * 2_000 + "b"])
def test_a_long_key_in_a_long_text_is_searched_in_bounded_time(part: str, key: str) -> None:
    """The caller chooses both. A text that would take longer is shown as the key alone."""
    began = time.process_time()
    without_key("%61" + part * (20_000 // len(part)), key)
    assert time.process_time() - began < 10

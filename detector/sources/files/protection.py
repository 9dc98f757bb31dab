"""Protection: an id replaces every key in clear before it is stored, shown or written into an error.

The id is ``key_`` with 16 hexadecimal digits of the key's HMAC-SHA256 under the installation's salt, and the
last characters of the key, by which its owner recognizes it. Equal keys have equal ids, so usage and register
join. Without the salt nobody can test whether an id belongs to a guessed key.

DuckDB counts by the key in clear, in memory and in its private folder. Records, activity, register, samples and
errors pass through this module before they leave the source. Only the register may bring an id unchanged, so
that a caller cannot forge an id by sending it as a key.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar, Protocol
from urllib.parse import unquote_to_bytes

import duckdb
import pandas as pd
from pydantic import SecretStr

from detector.boundary.masking import mask_tokens
from detector.config.source import FilesSource
from detector.model.errors import ConfigError
from detector.model.usage import TEXT, Fault
from detector.sources.faults import sample
from detector.sources.presets import Preset

SHORTEST_SALT = 16
DIGITS = 16
LAST_SHOWN = ((12, 4), (8, 2), (0, 0))
"""(length of the key, number of its last characters that its id shows), longest first: at most a third."""

BASIC = "Basic "
"""The beginning of credentials of basic authentication: user and password, which are one key."""

SHORTEST_HIDDEN = 8
"""Shorter keys are not removed from endpoints and deployments: short words occur there anyway."""

KEY = "{key}"
EFFORT = 50
"""Bytes that are compared for each byte of a text with escapes. A text that needs more is made to be slow."""

_PERCENT = ord("%")
_HEXADECIMAL = {byte: int(chr(byte), 16) for byte in b"0123456789abcdefABCDEF"}
_PROTECTED = re.compile(rf"key_[0-9a-f]{{{DIGITS}}}(_.{{2,4}})?")
_SHAPES = ((re.compile(r"[^\W\d_]+"), "x"), (re.compile(r"\d+"), "0"))


class Keys(Protocol):
    """The form in which the keys and the texts of a source leave it."""

    hidden: ClassVar[bool]
    """Whether the input may hold keys in clear, so that no text of it is shown unchanged."""

    def of_usage(self, keys: pd.Series) -> pd.Series:
        """The ids of keys that the usage holds."""

    def of_register(self, keys: pd.Series) -> pd.Series:
        """The ids of keys that the register holds."""

    def without_keys(self, groups: pd.DataFrame) -> pd.DataFrame:
        """Groups whose endpoints and deployments do not hold the key of their group."""

    def sample(self, text: str, origin: str = "") -> str:
        """One line that shows a text that could not be used, and its origin."""

    def faults(self, faults: Sequence[Fault]) -> tuple[Fault, ...]:
        """Faults of other modules with samples that may be shown."""

    def problem(self, error: duckdb.Error) -> str:
        """The text of an error of the database that may be shown."""


class PlainKeys:
    """The source names keys by ids that are no secrets. Samples are masked where they look like a secret."""

    hidden: ClassVar[bool] = False

    def of_usage(self, keys: pd.Series) -> pd.Series:
        """The same ids."""
        return keys

    def of_register(self, keys: pd.Series) -> pd.Series:
        """The same ids."""
        return keys

    def without_keys(self, groups: pd.DataFrame) -> pd.DataFrame:
        """The same groups."""
        return groups

    def sample(self, text: str, origin: str = "") -> str:
        """The masked text."""
        return sample(text, origin)

    def faults(self, faults: Sequence[Fault]) -> tuple[Fault, ...]:
        """The same faults."""
        return tuple(faults)

    def problem(self, error: duckdb.Error) -> str:
        """The first paragraph of the error, masked."""
        return mask_tokens(str(error).split("\n\n")[0])[:300]


class ProtectedKeys:
    """The source names keys in clear. ``protected`` makes their ids; samples show only the shape of a text."""

    hidden: ClassVar[bool] = True

    def __init__(self, salt: str) -> None:
        self._salt = salt

    def of_usage(self, keys: pd.Series) -> pd.Series:
        """The id of every key."""
        # A text that looks like an id gets an id too. Callers choose what they send as a key, and could
        # otherwise pass for another key by sending its id.
        return _map_distinct(keys, self.protected)

    def of_register(self, keys: pd.Series) -> pd.Series:
        """The id of every key in clear. A key that is an id, copied from a report, stays."""
        return _map_distinct(keys, lambda key: key if _PROTECTED.fullmatch(key) else self.protected(key))

    def without_keys(self, groups: pd.DataFrame) -> pd.DataFrame:
        """The groups with ``{key}`` in place of the key of a group, and without query and fragment."""
        keys = groups["key_id"].tolist()
        changed = {}
        for column in ("endpoint", "deployment"):
            texts = groups[column].astype(object).where(groups[column].notna(), None).tolist()
            # A deployment is in small letters, and so is a key within it.
            spellings = keys if column == "endpoint" else map(str.lower, keys)
            hidden = [_shown(text, key) for text, key in zip(texts, spellings, strict=True)]
            changed[column] = pd.Series(hidden, index=groups.index, dtype=object)
        return groups.assign(**changed)

    def sample(self, text: str, origin: str = "") -> str:
        """The text with its words as ``x`` and its numbers as ``0``."""
        # A damaged text may hold a key anywhere.
        return sample(_shape(text), origin)

    def faults(self, faults: Sequence[Fault]) -> tuple[Fault, ...]:
        """The faults with the shapes of their samples."""
        return tuple(replace(fault, samples=tuple(map(_shape, fault.samples))) for fault in faults)

    def problem(self, error: duckdb.Error) -> str:
        """The kind of the error."""
        # The message may quote the input.
        return type(error).__name__

    def protected(self, key: str) -> str:
        """The id of a key in clear."""
        digits = hmac.digest(self._salt.encode(), key.encode(), "sha256").hex()[:DIGITS]
        shown = next(last for length, last in LAST_SHOWN if len(key) >= length)
        if key.startswith(BASIC):
            # The end of basic credentials is the end of a password.
            shown = 0
        if shown == 0:
            return f"key_{digits}"
        return f"key_{digits}_{key[-shown:]}"


def _shown(text: str | None, key: str) -> str | None:
    """A text of the row of a key without query, fragment and key; a missing one stays missing."""
    return without_key(text.split("?", 1)[0].split("#", 1)[0], key) if text else text


def without_key(text: str, key: str) -> str:
    """The text with ``{key}`` in place of a key in clear, as it stands and in all its percent-encodings.

    The hexadecimal digits may have any letter case, any of the characters may be encoded, and escapes may be
    encoded again, in part or as a whole. Keys shorter than ``SHORTEST_HIDDEN`` stay.
    """
    if len(key) < SHORTEST_HIDDEN:
        return text
    shown = _replace(text, key)
    # What stood around a key may form the key again.
    if shown != text and _replace(shown, key) != shown:
        return KEY
    return shown


def _replace(text: str, key: str) -> str:
    if "%" not in text:
        return text.replace(key, KEY)
    data = text.encode("utf-8", "surrogatepass")
    wanted = key.encode("utf-8", "surrogatepass")
    if _is_surely_without(data, wanted):
        return text
    parts = []
    after = 0
    for start, end in _occurrences(data, wanted):
        parts += [data[after:start], KEY.encode()]
        after = end
    return b"".join([*parts, data[after:]]).decode("utf-8", "surrogatepass")


def _is_surely_without(data: bytes, key: bytes) -> bool:
    """A quick answer for the many texts with simple escapes: whether the key is certainly not in them.

    Where no escape is left after decoding, a key without ``%`` can begin inside of an escape, with its two digits,
    but the rest of the key is in the decoded text.
    """
    decoded = unquote_to_bytes(data)
    return _PERCENT not in key and _PERCENT not in decoded and key[2:] not in decoded


def _occurrences(data: bytes, key: bytes) -> list[tuple[int, int]]:
    """Where the key stands in the text, from left to right; everywhere where the search takes too long."""
    readings = _readings(data)
    left = EFFORT * len(data)
    found = []
    start = 0
    while start < len(data):
        ends = {start}
        for byte in key:
            left -= len(ends)
            if left < 0:
                return [(0, len(data))]
            ends = {end for place in ends for read, end in readings[place] if read == byte}
            if not ends:
                break
        if ends:
            found.append((start, max(ends)))
        start = max(ends, default=start + 1)
    return found


def _readings(data: bytes) -> list[list[tuple[int, int]]]:
    """For every position, the bytes that the text can stand for from there on, each with the position after it.

    A byte stands for itself, and ``%`` with two digits stands for their byte too. Each of these characters may be
    encoded itself: so ``%2541`` is read as ``%``, as the ``%`` of ``%25``, and as ``A``.
    """
    readings: list[list[tuple[int, int]]] = [[] for _ in range(len(data) + 1)]
    for place in reversed(range(len(data))):
        byte = data[place]
        end = place + 1
        readings[place].append((byte, end))
        while byte == _PERCENT:
            high, end = _digit(readings[end], end)
            low, end = _digit(readings[end], end)
            if high is None or low is None:
                break
            byte = 16 * high + low
            readings[place].append((byte, end))
    return readings


def _digit(readings: list[tuple[int, int]], place: int) -> tuple[int | None, int]:
    """The hexadecimal digit that stands at a place, and the place after it."""
    # Only the last reading can be something else than a percent sign.
    byte, end = readings[-1] if readings else (_PERCENT, place)
    return _HEXADECIMAL.get(byte), end


def keys_of(config: FilesSource, preset: Preset | None, key_template: bool) -> Keys:
    """The protection that the configuration asks for; ``key_template`` says that it takes the key from a template.

    A preset whose log holds keys in clear always protects them, and so does a template for the key, unless the log
    never holds a key in clear. Raises ConfigError where the salt is missing or too short.
    """
    is_secret = preset is not None and (preset.secret or (key_template and preset.clear_keys))
    if not (config.protect_keys or is_secret):
        return PlainKeys()
    reason = f"the preset {config.preset} reads keys in clear" if is_secret else "source.protect_keys is on"
    return ProtectedKeys(_salt(config.key_salt, reason))


def _salt(salt: SecretStr | None, reason: str) -> str:
    text = salt.get_secret_value() if salt else ""
    if len(text) < SHORTEST_SALT:
        fault = "too short" if text else "missing"
        raise ConfigError(
            f"source.key_salt is {fault}, and {reason}: make a salt of at least {SHORTEST_SALT} characters, for "
            "example with `openssl rand -hex 32`, set it in the environment as DETECTOR_KEY_SALT and write "
            "key_salt: ${DETECTOR_KEY_SALT}; never change it: with another salt every key is a new key"
        )
    return text


def _map_distinct(keys: pd.Series, change: Callable[[str], str]) -> pd.Series:
    """The changed keys; each distinct key is changed once, and missing keys stay missing."""
    texts = keys.astype(TEXT)
    changed = {key: change(key) for key in texts.dropna().unique()}
    return texts.map(changed, na_action="ignore").astype(TEXT)


def _shape(text: str) -> str:
    for pattern, letter in _SHAPES:
        text = pattern.sub(letter, text)
    return text

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

SHORTEST_HIDDEN = 8
"""Shorter keys are not removed from endpoints and deployments: short words occur there anyway."""

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

    def in_text(self, column: str) -> str:
        """The SQL of a text column without the row's ``key_id``."""

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

    def in_text(self, column: str) -> str:
        """The column."""
        return column

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

    def in_text(self, column: str) -> str:
        """The SQL of the column without query and fragment, with ``{key}`` in place of the row's key."""
        path = f"split_part(split_part({column}, '?', 1), '#', 1)"
        without_key = f"replace({path}, key_id, '{{key}}')"
        return f"CASE WHEN length(key_id) >= {SHORTEST_HIDDEN} THEN {without_key} ELSE {path} END"

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
        if shown == 0:
            return f"key_{digits}"
        return f"key_{digits}_{key[-shown:]}"


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

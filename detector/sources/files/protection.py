"""Keys in clear: what stands for them in everything that is stored, shown or written into an error.

A key becomes ``key_`` with 16 hexadecimal digits of its HMAC-SHA256 under the installation's salt, and its
last characters, by which its owner knows it. Equal keys stay equal, so usage and register join; without the
salt nobody can try out keys against it.
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

from detector.config.source import FilesSource
from detector.model.errors import ConfigError
from detector.model.usage import TEXT, Fault
from detector.sources.faults import mask, sample
from detector.sources.presets import Preset

SHORTEST_SALT = 16
DIGITS = 16
LAST_SHOWN = ((12, 4), (8, 2), (0, 0))
"""Keys of at least so many characters: so many of the last ones are shown, never more than a third."""

SHORTEST_HIDDEN = 8
"""Shorter keys are not looked for in endpoints and deployments: they are words that occur there anyway."""

_PROTECTED = re.compile(rf"key_[0-9a-f]{{{DIGITS}}}(_.{{2,4}})?")
_SHAPES = ((re.compile(r"[^\W\d_]+"), "x"), (re.compile(r"\d+"), "0"))


class Keys(Protocol):
    """How the keys of a source are told to the rest of the program."""

    hidden: ClassVar[bool]
    """Whether input may hold keys in clear, so that none of it is shown as it is."""

    def of_usage(self, keys: pd.Series) -> pd.Series:
        """Key ids as they stand in the usage, as they are to be known."""

    def of_register(self, keys: pd.Series) -> pd.Series:
        """Key ids as they stand in the register; ids that were told before stay as they are."""

    def in_text(self, column: str) -> str:
        """A column as SQL, without the row's ``key_id`` in it."""

    def sample(self, text: str, place: str = "") -> str:
        """One line that shows input which could not be used."""

    def faults(self, faults: Sequence[Fault]) -> tuple[Fault, ...]:
        """Faults whose samples were made elsewhere."""

    def problem(self, error: duckdb.Error) -> str:
        """What an error of the database says."""


class PlainKeys:
    """Keys are known by ids that are no secrets; only what looks like one is masked in samples."""

    hidden: ClassVar[bool] = False

    def of_usage(self, keys: pd.Series) -> pd.Series:
        """As they are."""
        return keys

    def of_register(self, keys: pd.Series) -> pd.Series:
        """As they are."""
        return keys

    def in_text(self, column: str) -> str:
        """As it is."""
        return column

    def sample(self, text: str, place: str = "") -> str:
        """The text, masked."""
        return sample(text, place)

    def faults(self, faults: Sequence[Fault]) -> tuple[Fault, ...]:
        """As they are."""
        return tuple(faults)

    def problem(self, error: duckdb.Error) -> str:
        """Its first paragraph, masked."""
        return mask(str(error).split("\n\n")[0])[:300]


class ProtectedKeys:
    """Keys in clear, each known by what ``protected`` makes of it; samples show the shape of a text alone."""

    hidden: ClassVar[bool] = True

    def __init__(self, salt: str) -> None:
        self._salt = salt

    def of_usage(self, keys: pd.Series) -> pd.Series:
        """Every key protected, also one that looks as if it were: callers write what they like."""
        return _each(keys, self.protected)

    def of_register(self, keys: pd.Series) -> pd.Series:
        """Keys in clear protected; protected ones, as reports show them, as they are."""
        return _each(keys, lambda key: key if _PROTECTED.fullmatch(key) else self.protected(key))

    def in_text(self, column: str) -> str:
        """Without a query or fragment, and with ``{key}`` where the key itself stands."""
        bare = f"split_part(split_part({column}, '?', 1), '#', 1)"
        hidden = f"replace({bare}, key_id, '{{key}}')"
        return f"CASE WHEN length(key_id) >= {SHORTEST_HIDDEN} THEN {hidden} ELSE {bare} END"

    def sample(self, text: str, place: str = "") -> str:
        """The text with its words as ``x`` and its numbers as ``0``: a key may stand anywhere in it."""
        return sample(_shape(text), place)

    def faults(self, faults: Sequence[Fault]) -> tuple[Fault, ...]:
        """With samples of the same kind."""
        return tuple(replace(fault, samples=tuple(map(_shape, fault.samples))) for fault in faults)

    def problem(self, error: duckdb.Error) -> str:
        """Its kind alone: the message may quote the input."""
        return type(error).__name__

    def protected(self, key: str) -> str:
        """The id that stands for a key."""
        digits = hmac.digest(self._salt.encode(), key.encode(), "sha256").hex()[:DIGITS]
        shown = next(last for length, last in LAST_SHOWN if len(key) >= length)
        return f"key_{digits}_{key[-shown:]}" if shown else f"key_{digits}"


def keys_of(config: FilesSource, preset: Preset | None, key_template: bool) -> Keys:
    """How the configuration wants keys told. A preset whose log holds keys in clear always protects them, and
    so does a key that is taken from elsewhere in a preset's record. ConfigError where the salt is missing."""
    secret = preset is not None and (preset.secret or key_template)
    if not (config.protect_keys or secret):
        return PlainKeys()
    reason = f"the preset {config.preset} reads keys in clear" if secret else "source.protect_keys is on"
    return ProtectedKeys(_salt(config.key_salt, reason))


def _salt(salt: SecretStr | None, reason: str) -> str:
    text = salt.get_secret_value() if salt else ""
    if len(text) < SHORTEST_SALT:
        found = "too short" if text else "missing"
        raise ConfigError(
            f"source.key_salt is {found}, and {reason}: make one of at least {SHORTEST_SALT} characters, for "
            "example with `openssl rand -hex 32`, keep it for good, put it into the environment as "
            "DETECTOR_KEY_SALT and write key_salt: ${DETECTOR_KEY_SALT}"
        )
    return text


def _each(keys: pd.Series, change: Callable[[str], str]) -> pd.Series:
    """The change of every distinct key; missing ones stay missing."""
    texts = keys.astype(TEXT)
    names = {key: change(key) for key in texts.dropna().unique()}
    return texts.map(names, na_action="ignore").astype(TEXT)


def _shape(text: str) -> str:
    for pattern, letter in _SHAPES:
        text = pattern.sub(letter, text)
    return text

"""Values: the one reader of what a source holds.

Every value of every source is read by these rules and by those of ``detector.sources.instants``. An engine may
count a value by itself only where it cannot differ, for example a status of three digits; all other values come
here as text. ``tests/conformance/values.toml`` lists the writings of each kind and what they mean.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import Enum
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from detector.config.source import SourceBase
from detector.sources.instants import DateOrder
from detector.sources.windows import LARGEST_COUNT
from detector.usage.aggregation import NO_ENDPOINT, OTHER
from detector.usage.endpoints import fold_endpoint
from detector.usage.strangers import OTHER_KEYS

REPLACEMENT = "\ufffd"
"""Stands for every character that is no text."""

OWN_NAMES = frozenset({OTHER_KEYS, OTHER, NO_ENDPOINT})
"""The names that detector gives itself. A source cannot hold a key, an endpoint or a deployment of such a name."""

LONGEST_NAME = 1000
"""Characters. What is longer is cut, because callers choose what they send, and the history keeps it."""

CUT = "…"
"""Stands for the characters that were cut."""

NO_TEXT = frozenset({"", "-", "\\n", "null", "nil", "none", "undefined", "nan", "(null)", "<null>"})
"""The texts, in small letters, by which programs write a missing value."""

SUCCESSES = frozenset(
    {"success", "successful", "succeeded", "ok", "completed", "complete", "allowed", "accepted", "true"}
)
"""The words of a ``status`` column, in small letters, that mean a request that succeeded."""

FAILURES = frozenset(
    {"failure", "failed", "fail", "error", "errored", "denied", "rejected", "refused", "blocked", "false"}
    | {"unauthorized", "forbidden", "timeout", "aborted", "cancelled", "canceled", "incomplete"}
)
"""The words of a ``status`` column, in small letters, that mean a request that failed."""

NO_ERRORS = NO_TEXT | {"0", "0.0", "f", "false", "n", "no", "off", "{}", "[]", "{ }", "[ ]", "ok", "success"}
"""The texts of an ``error`` column, in small letters, that mean no error; any other text means an error."""

_NO_CHARACTER = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_BLANKS = " \t\n\r\f\v\u00a0\ufeff"
_NUMBER = re.compile(r"[+-]?\d{1,400}(\.\d*)?([eE][+-]?\d{1,3})?", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.0*)?", re.ASCII)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_DIGEST = 16
_PORT = re.compile(r":\d{1,5}$", re.ASCII)


class Outcome(Enum):
    """What a status says about a request."""

    SUCCESS = "success"
    ERROR = "error"
    UNSTATED = "unstated"
    """There is no status."""
    UNREADABLE = "unreadable"
    """The status is no HTTP code and no known word."""


@dataclass(frozen=True)
class ValueRules:
    """What a configuration adds to the rules. All words are in small letters."""

    zone: ZoneInfo
    date_order: DateOrder | None = None
    success: frozenset[str] = field(default=frozenset())
    """More words of a ``status`` or ``error`` column that mean success."""
    no_key: frozenset[str] = field(default=frozenset())
    """More words that stand where there is no key."""

    @property
    def longest_no_error(self) -> int:
        """Characters. Any longer text of an ``error`` column means an error."""
        # Some databases count bytes. Two more are for the quotes of a JSON text.
        return max(len(word.encode()) for word in NO_ERRORS | self.success) + 2

    @classmethod
    def of(cls, config: SourceBase, zone: ZoneInfo) -> ValueRules:
        """The rules of a configured source."""
        return cls(zone, config.date_order, words(config.success), words(config.no_key))

    def key_of(self, value: Any) -> str | None:
        """The key id that a value states; None for a missing one. A UUID is in small letters."""
        text = text_of(value)
        if text is None or text.lower() in self.no_key:
            return None
        if len(text) > LONGEST_NAME:
            # Two long keys with the same beginning are two keys.
            digest = sha256(text.encode()).hexdigest()[:_DIGEST]
            return f"{text[: LONGEST_NAME - _DIGEST - 1]}{CUT}{digest}"
        return text.lower() if _UUID.fullmatch(text) else _not_ours(text)

    def outcome_of(self, value: Any) -> Outcome:
        """What the value of a ``status`` column says about a request."""
        text = text_of(value)
        if text is None:
            return Outcome.UNSTATED
        word = text.lower()
        if word in SUCCESSES or word in self.success:
            return Outcome.SUCCESS
        if word in FAILURES:
            return Outcome.ERROR
        code = number_of(text)
        if code is None or code != code.to_integral_value() or not 100 <= code <= 599:
            return Outcome.UNREADABLE
        return Outcome.ERROR if code >= 400 else Outcome.SUCCESS

    def is_error(self, value: Any) -> bool:
        """Whether the value of an ``error`` column means an error."""
        text = text_of(value)
        if text is None:
            return False
        word = text.lower()
        return word not in NO_ERRORS and word not in self.success


def words(texts: Iterable[str]) -> frozenset[str]:
    """Configured words in the form in which values are compared with them."""
    return frozenset(text.strip().lower() for text in texts)


def text_of(value: Any) -> str | None:
    """A value as text without blanks around it; None for a missing value. A JSON string is the text within.

    A character that is no text, such as NUL, becomes U+FFFD. It is not removed: a caller who appends one to the
    key of somebody else must not be counted under that key.
    """
    if value is None:
        return None
    text = str(value).strip(_BLANKS)
    if text.startswith('"') and text.endswith('"'):
        text = _within_quotes(text).strip(_BLANKS)
    if text.lower() in NO_TEXT:
        return None
    return _NO_CHARACTER.sub(REPLACEMENT, text)


def _within_quotes(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        return text


def endpoint_of(value: Any) -> str | None:
    """The endpoint that a value names; None for a missing one."""
    text = text_of(value)
    # A folded endpoint may be one of our own names, for example without its query.
    if text is None:
        return None
    if text.startswith("(") and fold_endpoint(text) in OWN_NAMES:
        return f"{REPLACEMENT}{text}"
    return _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}{CUT}"


def _not_ours(text: str) -> str:
    """A name that is none of our own names: a caller must not be counted under one of these."""
    return f"{REPLACEMENT}{text}" if text in OWN_NAMES else text


def deployment_of(value: Any) -> str | None:
    """The deployment that a value names, in small letters, without a port and without a dot at its end."""
    text = text_of(value)
    if text is None:
        return None
    name = _PORT.sub("", text.lower()).removesuffix(".")
    return _cut(_not_ours(name)) or None


def number_of(value: Any) -> Decimal | None:
    """The finite number that a value is or spells; None for anything else."""
    if isinstance(value, bool):
        return None
    text = text_of(value) or ""
    if _GROUPED.fullmatch(text):
        text = text.replace(",", "")
    if not _NUMBER.fullmatch(text):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def count_of(value: Any) -> int | None:
    """The whole number from 0 to ``LARGEST_COUNT`` that a value is or spells; None for anything else."""
    number = number_of(value)
    if number is None or not 0 <= number <= LARGEST_COUNT or number != number.to_integral_value():
        return None
    return int(number)

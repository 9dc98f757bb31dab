"""Folding of endpoints: ``{id}`` replaces what differs from request to request, and what may be a secret.

A path is folded segment by segment. A segment is judged in its percent-decoded form, and it is replaced as a whole
or kept as it is. These are ids:

- numbers, UUIDs and hashes,
- JSON web tokens, mail addresses, and what is secret in the addresses of chat hooks,
- base64 that shows its own characters (``+``, ``/``, ``=``),
- every other long text with digits, unless it consists of words.

Words may have a version or a year between them, so that readable names stay. Each pattern takes time in proportion
to the length of the text, because callers choose what they send as a path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

ID = "{id}"
LONG = 20
"""Number of characters from which on a text with digits is a token, unless it consists of words."""

MOST_DECODED = 4
"""How many times a segment is percent-decoded at most. No name is encoded more often."""

BINARY = 4
"""Number of characters that no text has, from which on a decoded segment is not a text."""

_SEPARATOR = re.compile(r"(/|\s+)")
_PARAMETER = re.compile(r"(?i)(?:[;&]|%(?:25)*(?:3b|26|3f|23))[\w.~-]+(?:=|%(?:25)*3d)")
"""The start of a parameter inside of a path, such as ``;jsessionid=``. Its marks may be percent-encoded."""

_ACTION = re.compile(r"[A-Za-z_][\w.:]*#[A-Za-z_]+")
"""A method of a class, such as ``UserController#show``. Its ``#`` does not begin a fragment."""

_IDENTIFIER = re.compile(
    r"""(?ix)
    \d+                                                              # 8731
    | [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}   # UUID
    | (?=[a-f]*\d)[0-9a-f]{12,}                                      # hashes, object ids
    """
)
_COMMON = re.compile(r"(?!eyJ)(?:[A-Za-z]+|[A-Za-z][A-Za-z0-9_-]{0,10})")
"""A segment that no other pattern takes for an id."""

_WEB_TOKEN = re.compile(r"(?<![A-Za-z0-9])eyJ[\w-]{5,}")
_MAIL = re.compile(r"[^\s@/]@(?!\d+x\.|\d+\.\d)(?:[\w-]{1,63}\.)+[^\W\d_]{2,}")
"""A mail address, but neither ``logo@2x.png`` nor ``package@1.2.tgz``."""

_BOT = re.compile(r"bot\d+:.+", re.DOTALL)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_NO_TEXT = re.compile(r"[\x00-\x1f\x7f\ufffd]")

_RUN = re.compile(r"[^\W_]+")
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_VERSION = r"v\d{1,3}(?:(?:alpha|beta|rc)\d{1,2})?"
_SHORTENED = r"[a-z]\d{1,2}[a-z]"  # as k8s and i18n
_PART_OF_PLAIN_NAME = re.compile(rf"([^\W\d_]{{1,15}})\d{{0,2}}|\d{{1,2}}|(?:19|20)\d\d|{_VERSION}|{_SHORTENED}")
_PART_OF_NAME = re.compile(
    rf"([^\W\d_]{{1,20}})\d{{0,3}}|\d{{1,4}}|\d{{1,3}}[a-z]{{1,3}}|[a-z]{{2,8}}\d{{1,3}}[a-z]{{1,2}}|{_VERSION}|{_SHORTENED}"
)
_HUMP = re.compile(r"[A-Z]+[a-z]*|[a-z]+")
MOST_DIGITS = 8
"""Number of digits that a readable name may have, such as a date in the name of a file."""

_SLACK = ("services", "triggers", "workflows")
_SLACK_TEAM = re.compile(r"T(?:(?=[A-Z]*\d)[0-9A-Z]{3,}|[A-Z]{7,})")
_SLACK_HOOK = re.compile(r"[AB](?:(?=[A-Z]*\d)[0-9A-Z]{3,}|[A-Z]{7,})|\{id\}")
_WORDS = re.compile(r"[a-z]+(?:[_-][a-z]+)*")


def fold_endpoint(endpoint: str) -> str:
    """Replace ids and secrets in the path by ``{id}``, and drop the query: ``/users/8731?x=1`` is ``/users/{id}``.

    Fragments and parameters inside of the path are dropped too. A text without a slash is no path: apart from
    that, only a token or a mail address in it is replaced, and ``s3.amazonaws.com:GetObject`` stays. Folding a
    folded endpoint changes nothing.
    """
    if _ACTION.fullmatch(endpoint):
        return endpoint
    path = endpoint.split("?", 1)[0].split("#", 1)[0]
    pieces = _SEPARATOR.split(path)
    names = pieces[::2]
    if _PARAMETER.search(path):
        names = [_PARAMETER.split(name, maxsplit=1)[0] for name in names]
    if "/" in path:
        folded = [_fold(name) for name in names]
        if "//" in path:
            _keep_hosts(names, folded)
        _fold_hooks(folded)
    else:
        folded = [ID if _has_secret(name) else name for name in names]
    pieces[::2] = folded
    return "".join(pieces)


def _keep_hosts(names: list[str], folded: list[str]) -> None:
    """Keep the name of a host, which follows a scheme and two slashes, unless a user stands before it."""
    for number in range(2, len(names)):
        scheme = folded[number - 2]
        if len(scheme) > 1 and scheme.endswith(":") and names[number - 1] == "":
            folded[number] = ID if "@" in names[number] else names[number]


def _fold(name: str) -> str:
    # Most segments are words or numbers, and a day may have a million endpoints.
    if name == "" or _COMMON.fullmatch(name):
        return name
    return ID if any(_is_id(text) for text in _readings(name)) else name


def _readings(name: str) -> Iterator[str]:
    """The decoded segment and, where it has slashes, the segments inside of it."""
    text = name
    if "%" not in name:
        yield name
        return
    for _ in range(MOST_DECODED):
        encoded, text = text, unquote(text)
        if encoded == text:
            break
    yield text
    if "/" in text:
        yield from text.split("/")


def _is_id(text: str) -> bool:
    return (
        _IDENTIFIER.fullmatch(text) is not None
        or _has_secret(text)
        or _BOT.fullmatch(text) is not None
        or len(_NO_TEXT.findall(text)) >= BINARY
        or _is_base64(text)
        or (len(text) >= LONG and _has_digit(text) and not _is_name(text))
    )


def _has_secret(text: str) -> bool:
    return _WEB_TOKEN.search(text) is not None or _MAIL.search(text) is not None


def _is_base64(text: str) -> bool:
    """Whether a text is base64 by its padding, or by one of its two special characters and no word."""
    if not _BASE64.fullmatch(text):
        return False
    if text.endswith("=="):
        return True
    if text.endswith("="):
        return len(text) >= 8 and len(text) % 4 == 0 and not _is_name(text)
    return ("+" in text or "/" in text) and len(text) >= 8 and _has_digit(text) and not _is_name(text)


def _has_digit(text: str) -> bool:
    return any(character.isdecimal() for character in text)


def _is_name(text: str) -> bool:
    """Whether a text consists of words, with few and small numbers between them.

    A text of letters, digits and dashes is often an id, so in it only one small number or year passes. With a dot
    or another mark it is a file, a host or a version.
    """
    runs = _RUN.findall(text)
    numbered = [run for run in runs if _has_digit(run)]
    if _PLAIN.fullmatch(text):
        part_of_name = _PART_OF_PLAIN_NAME
        if len(numbered) > 1 or (numbered and len(runs) == 1):
            return False
    else:
        part_of_name = _PART_OF_NAME
    if sum(character.isdecimal() for character in text) > MOST_DIGITS:
        return False
    for run in runs:
        part = part_of_name.fullmatch(run)
        if part is None or not _is_word(part.group(1) or ""):
            return False
    return any(len(run) >= 3 and run.isalpha() for run in runs)


def _is_word(letters: str) -> bool:
    """Whether the letters change their case as words do: ``GetObject`` and ``iPad``, but not ``QkRzXvTw``."""
    humps = len(_HUMP.findall(letters))
    return humps <= 1 or len(letters) <= 4 or len(letters) * 2 >= humps * 5


def _fold_hooks(names: list[str]) -> None:
    """Fold what is secret in the addresses of chat hooks, where the segments alone do not tell it."""
    for number in range(len(names) - 2):
        following = names[number + 1]
        last = names[number + 2]
        if names[number] in _SLACK and _SLACK_TEAM.fullmatch(following) and _SLACK_HOOK.fullmatch(last):
            end = min(number + 4, len(names))
            names[number + 1 : end] = [ID] * (end - number - 1)
        if _is_discord(names, number) and following == ID and not _WORDS.fullmatch(last):
            names[number + 2] = ID


def _is_discord(names: list[str], number: int) -> bool:
    """Whether a name is the one in ``/api/webhooks/`` or ``/api/v10/webhooks/``."""
    if names[number] != "webhooks" or number == 0:
        return False
    before = number - 1
    if before > 0 and re.fullmatch(_VERSION, names[before]):
        before -= 1
    return names[before] == "api"

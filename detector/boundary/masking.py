"""What is shown of a secret: nothing, or too little to use it.

The secrets of the configuration are *known*: each section remembers its own when it is made. Every message that
leaves the program (errors, logs, tracebacks, failures in a report) passes through ``without_secrets`` or a
function that calls it. A known secret is masked in every form in which a library, a driver or a server may repeat
it: as it stands, percent-encoded, escaped, in base64, or cut at the characters that end a part of an address.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import parse_qsl, unquote, urlsplit

from detector.boundary.text import one_line

MASK = "***"
SHORTEST = 4
"""A shorter secret stays in ordinary text, which holds its letters by accident. It is masked as the password of an
address, and after ``password=``."""
SHORTEST_PART = 8
"""A shorter part of a secret stays."""
LONGEST = 300

_known: set[str] = set()
"""The texts to mask: the secrets of the configuration, and the parts of them that are secrets themselves."""

_CUTS = re.compile(r"[@/:#?&=%;+\s]")
"""What ends a part of an address. A password with such a character may be cut there."""
_PARTS = re.compile("[/?&=@:#;]")
"""What stands between the parts of an address."""
_PLACES = frozenset({"services", "triggers", "workflows", "webhooks", "incoming", "integrations"})
"""Steps of the addresses of hooks that everybody knows."""
_SECRET_NAME = re.compile(
    r"(?i)pass(?:word|wd|phrase|code)?$|pwd$|secret|token|credential|signature|(?:^|[_-])key$|apikey$"
)
"""The name of a parameter that holds a secret."""
_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]")
_WEB = ("http", "https")
_USER = re.compile(r"[A-Za-z][\w+.-]*://(?P<user>[^:/?#@]*):(?P<password>[^@]*)@")

_TOKEN = re.compile(r"[A-Za-z0-9_+=%~-]{20,}")
_MIXED = r"(?=[a-z0-9_-]*[A-Z])(?=[A-Z0-9_-]*[a-z])(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{6,}"
_JOINED = re.compile(rf"(?<![\w.:~-])(?:{_MIXED}[.:~])+{_MIXED}")
"""A token in parts, such as ``4eC39HqL.yjWDarjt7``."""

_SECRETS = (
    re.compile(r"(?<![A-Za-z0-9])()eyJ[\w-]{5,}(?:\.[\w-]+)*"),  # a JSON web token
    re.compile(r"()[\w.+%'-]{1,64}(?:@|%(?:25)*40)(?:[\w-]{1,63}\.)+[^\W\d_]{2,}"),  # a mail address
    re.compile(r"(?<![\w+/-])()[\w+/-]{4,}=="),  # base64
    re.compile(r"(/(?:services|triggers|workflows)/)T[0-9A-Z]{3,}/[0-9A-Z]{3,}(?:/[\w-]+)?"),  # a hook of Slack
    re.compile(r"(/webhooks/)\d+/[\w-]+"),  # a hook of Discord
    re.compile(r"(?i)(/bot)\d+(?::|%(?:25)*3a)[\w-]+"),  # a bot of Telegram
    re.compile(r"""(?i)((?:;|%(?:25)*3b)[\w.~-]{1,64}(?:=|%(?:25)*3d))[^\s;,/&?#"']+"""),  # ;jsessionid=
    re.compile(
        r"""(?i)([?&][\w.~-]{0,64}(?:auth|code|key|pass|pwd|secret|sess|sig|token)[\w.~-]{0,64}=)[^\s&#"']+"""
    ),
)
"""What is secret by its form or its place. The first group stays."""

_WORDS = re.compile(r"(?:[A-Z]{0,4}[a-z]{3,}){1,6}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")


def remember_secret(secret: str) -> None:
    """Mask a secret from now on: a password, a token, the value of a header, or an address as a whole."""
    for text in _texts(secret):
        _known.update((text, *_in_base64(text)))


def remember_address(address: str) -> None:
    """Mask the secrets of an address from now on: its password, and parameters whose names tell a secret."""
    found = _USER.match(address)
    if found:
        password = unquote(found["password"])
        remember_secret(password)
        _known.update(_in_base64(f"{unquote(found['user'])}:{password}"))
    if "://" in address:
        remember_parameters(parse_qsl(address.partition("?")[2]))


def remember_parameters(parameters: Iterable[tuple[str, str]]) -> None:
    """Mask the values whose names say that they are secrets, also within a value such as ``UID=me;PWD=...``."""
    for name, value in parameters:
        if _SECRET_NAME.search(name):
            remember_secret(value)
        elif ";" in value:
            pairs = (part.partition("=") for part in value.split(";"))
            remember_parameters((name.strip(), inner) for name, _, inner in pairs)


def without_secrets(text: str) -> str:
    """The text with the known secrets masked, in all their forms."""
    return _pattern(frozenset(_known)).sub(MASK, text) if _known else text


def mask_secrets(text: str) -> str:
    """A text from outside, safe to log: known secrets that it repeats are masked, and it is one short line."""
    return one_line(without_secrets(text), LONGEST)


def mask_tokens(text: str) -> str:
    """The text with known secrets and everything that looks like one masked, or cut to its first four characters.

    Operation names such as ``DescribeLoadBalancers`` are words and stay.
    """
    text = _CONTROL.sub(" ", without_secrets(text)).strip()
    for pattern in _SECRETS:
        text = pattern.sub(rf"\1{MASK}", text)
    for pattern in (_JOINED, _TOKEN):
        text = pattern.sub(lambda match: _first_four(match.group()), text)
    return text


def host_of(url: str) -> str:
    """The scheme and host of an address, without the path, which may hold a token."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"


def _texts(secret: str) -> Iterator[str]:
    """A secret, and the parts of it that are masked by themselves. Short parts would mask ordinary text."""
    if not secret:
        return
    yield secret
    scheme, separator, address = secret.partition("://")
    if separator:
        yield from _parts_of_address(scheme, address)
        return
    words = secret.split()
    if len(words) > 1:
        # The value of a header: the word before the secret is the scheme.
        yield from _texts(words[-1])
        yield from _texts(_decoded(words[-1]).partition(":")[2])
    yield from _cut(secret)


def _parts_of_address(scheme: str, address: str) -> Iterator[str]:
    """The parts of an address that is secret, but the host and the steps that everybody knows."""
    _, at, host = re.split("[/?#]", address, maxsplit=1)[0].rpartition("@")
    # In an address such as slack://T0/B0/x tokens stand in the place of the host.
    shown = {*_PLACES, *(_PARTS.split(host) if at or scheme in _WEB else ())}
    yield from _long(address)
    for part in _PARTS.split(address):
        if part not in shown:
            yield from _cut(unquote(part))


def _cut(secret: str) -> Iterator[str]:
    """What is left of a secret that is cut at reserved characters."""
    cuts = [found.start() for found in _CUTS.finditer(secret)]
    heads = (secret[:cut] for cut in cuts)
    tails = (secret[cut + 1 :] for cut in cuts)
    yield from _long(secret, *_CUTS.split(secret), *heads, *tails)


def _long(*parts: str) -> Iterator[str]:
    return (part for part in parts if len(part) >= SHORTEST_PART)


def _in_base64(secret: str) -> Iterator[str]:
    """A secret in base64 without the padding, and its whole groups where it stands behind other text."""
    data = secret.encode("utf-8", "surrogatepass")
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield from _long(encode(data).decode().rstrip("="))
        for before in range(3):
            groups = encode(bytes(before) + data).decode()
            yield from _long(groups[4 if before else 0 : (before + len(data)) // 3 * 4])


def _decoded(text: str) -> str:
    """What a text in base64 says, such as the user and the password of basic authentication; else nothing."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


@lru_cache(maxsize=8)
def _pattern(secrets: frozenset[str]) -> re.Pattern[str]:
    """Everything to mask, the longest first, so that no part of a secret is left where the whole stands."""
    ordered = sorted(secrets, key=lambda secret: (-len(secret), secret))
    return re.compile(
        "|".join(_short(secret) if len(secret) < SHORTEST else _spelled(secret) for secret in ordered)
    )


def _short(secret: str) -> str:
    """A short secret at the places where only a password stands."""
    spelled = _spelled(secret)
    end = r"(?=[\s&;,'\")]|$)"
    return rf"(?<=:){spelled}(?=@)|(?:(?<=(?i:password=))|(?<=(?i:pwd=))){spelled}{end}"


def _spelled(secret: str) -> str:
    """A pattern of all ways to write a secret: characters that some place reserves may be encoded or escaped."""
    return "".join(map(_ways, secret))


@lru_cache(maxsize=1024)
def _ways(character: str) -> str:
    if _UNRESERVED.fullmatch(character):
        return re.escape(character)
    ways = [re.escape(html.escape(character)), re.escape(character), _percent(character)]
    if character == " ":
        ways.append(r"\+")
    if character in "\\/\"'":
        # The longest way first, so that no backslash is left.
        ways.insert(0, r"\\{1,4}" + re.escape(character))
    if not character.isascii():
        # As JSON and as Python escape it.
        escapes = (json.dumps(character)[1:-1], character.encode("ascii", "backslashreplace").decode())
        ways.extend(map(re.escape, escapes))
    return f"(?:{'|'.join(dict.fromkeys(ways))})"


def _percent(character: str) -> str:
    """The percent-encoded bytes of a character, in either case, and encoded again."""
    digits = character.encode("utf-8", "surrogatepass").hex()
    pairs = (digits[start : start + 2] for start in range(0, len(digits), 2))
    return "".join("%(?:25)*" + "".join(f"[{digit}{digit.upper()}]" for digit in pair) for pair in pairs)


def _first_four(token: str) -> str:
    return token if _WORDS.fullmatch(token) else token[:4] + "…"

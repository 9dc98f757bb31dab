"""A day of awkward lines, with a count of its own: what each line means is known before any reader sees it.

The lines are JSON lines of one UTC day: good ones, and about a hundred kinds of awkward ones. Every record says
what should become of it. This module imports nothing of the product, so that no mistake is made twice.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime

DAY = date(2026, 1, 2)
NOW = datetime(2026, 1, 3, 2, 30, tzinfo=UTC)
COLUMNS = ("timestamp", "key_id", "endpoint", "status", "error", "event_id")

COUNTED = "counted"
KEYLESS = "keyless"
REPEATED = "repeated"
ELSEWHERE = "elsewhere"
"""Of another day, which tells it."""

NOT_JSON = "not a JSON object"
NO_TIME = "missing or unreadable timestamp"
FUTURE = "timestamp in the future"
BEFORE = "timestamp before the first stored day"
BAD_STATUS = "status is no HTTP code and no known word, taken as an error"
REPLACED = "characters that are not text, replaced"

Texts = tuple[str | None, ...]


@dataclass(frozen=True)
class Record:
    """A record: what becomes of it (a constant above, or the reason why it is unusable) and the key of its count.

    ``values`` are those of ``COLUMNS`` as texts, for a table; None where no table can hold the record.
    """

    becomes: str
    key: str = ""
    is_error: bool = False
    values: Texts | None = None
    has_odd_status: bool = False
    size: int = 0
    """The bytes of a text in which records cannot be told apart."""
    replaced: int = 0
    """Characters that are no text."""


@dataclass
class Count:
    """The accounting that is right, and requests and errors by key."""

    records: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    odd_statuses: int = 0
    replaced: int = 0

    def add(self, record: Record) -> None:
        """Count a record."""
        self.records[record.becomes] += 1
        self.sizes[record.becomes] += record.size
        self.replaced += record.replaced
        if record.becomes != COUNTED:
            return
        self.requests[record.key] += 1
        self.errors[record.key] += record.is_error
        self.odd_statuses += record.has_odd_status

    @property
    def unusable(self) -> dict[str, tuple[int, int]]:
        """The records that could not be used and their bytes, by reason."""
        usable = (COUNTED, KEYLESS, REPEATED, ELSEWHERE)
        return {
            reason: (count, self.sizes[reason]) for reason, count in self.records.items() if reason not in usable
        }


@dataclass
class AwkwardDay:
    """The lines of a file, and the records in them."""

    lines: list[bytes]
    records: list[Record]

    def count(self) -> Count:
        """The right count of the file."""
        total = Count()
        for record in self.records:
            total.add(record)
        return total

    def rows(self) -> list[Texts]:
        """The records that a table can hold, as rows of texts."""
        return [record.values for record in self.records if record.values is not None]

    def count_of_rows(self) -> Count:
        """The right count of the table."""
        total = Count()
        for record in self.records:
            if record.values is not None:
                total.add(record)
        return total


Made = tuple[bytes, Sequence[Record]]
Make = Callable[["_Maker"], Made]


class _Maker:
    """Makes lines. Every event has an id of its own unless it is a repeat."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self._events = 0

    def key(self) -> str:
        return f"key-{self.chance.randrange(40):02d}"

    def instant(self) -> datetime:
        return datetime(2026, 1, 2, tzinfo=UTC) + timedelta(seconds=self.chance.randrange(86_400))

    def event(self) -> str:
        self._events += 1
        return f"e{self._events}"


Field = tuple[str, str | None]
"""A value as JSON, and as the text that a table holds (None: no table can hold it)."""


def _field(text: str | None) -> Field:
    return json.dumps(text), text


def _good(
    maker: _Maker,
    *,
    timestamp: Field | None = None,
    key: Field | None = None,
    counts_for: str | None = None,
    status: Field = ('"200"', "200"),
    error: Field | None = None,
    event: str | None = None,
    becomes: str = COUNTED,
    is_error: bool = False,
    has_odd_status: bool = False,
    in_table: bool = True,
    replaced: int = 0,
) -> Made:
    """A line with one record, good but for what is given."""
    owner = maker.key()
    stamp = timestamp or _field(f"{maker.instant():%Y-%m-%dT%H:%M:%SZ}")
    owner_field = key or _field(owner)
    identity = maker.event() if event is None else event
    fields = [
        f'"timestamp": {stamp[0]}',
        f'"key_id": {owner_field[0]}',
        '"endpoint": "GET /x"',
        f'"status": {status[0]}',
        f'"event_id": "{identity}"',
    ]
    if error is not None:
        fields.append(f'"error": {error[0]}')
    text = "{" + ", ".join(fields) + "}"
    values: Texts | None = None
    if in_table:
        values = (stamp[1], owner_field[1], "GET /x", status[1], None if error is None else error[1], identity)
    record = Record(
        becomes,
        (counts_for or owner) if becomes == COUNTED else "",
        is_error,
        values,
        has_odd_status,
        replaced=replaced,
    )
    return text.encode("utf-8", "surrogatepass"), [record]


# --- Times.


def _written(pattern: str) -> Make:
    def make(maker: _Maker) -> Made:
        return _good(maker, timestamp=_field(maker.instant().strftime(pattern)))

    return make


def _epoch(factor: int, form: str) -> Make:
    """A time as a number, or as the text of one."""

    def make(maker: _Maker) -> Made:
        number = int(maker.instant().timestamp()) * factor
        text = form.format(number)
        return _good(maker, timestamp=(text, text.strip('"')))

    return make


def _rfc_2822(maker: _Maker) -> Made:
    return _good(maker, timestamp=_field(format_datetime(maker.instant())))


def _with_offset(maker: _Maker) -> Made:
    local = maker.instant() + timedelta(hours=5, minutes=30)
    return _good(maker, timestamp=_field(f"{local:%Y-%m-%dT%H:%M:%S}+05:30"))


def _wrong_time(text: str | None, becomes: str = NO_TIME) -> Make:
    return lambda maker: _good(maker, timestamp=_field(text), becomes=becomes)


def _no_time(maker: _Maker) -> Made:
    text = f'{{"key_id": "{maker.key()}", "endpoint": "GET /x", "status": "200"}}'
    return text.encode(), [Record(NO_TIME, values=(None, "key-00", "GET /x", "200", None, None))]


TIMES: dict[str, Make] = {
    "a blank for the T": _written("%Y-%m-%d %H:%M:%S"),
    "a fraction": _written("%Y-%m-%dT%H:%M:%S.250Z"),
    "a fraction behind a comma": _written("%Y-%m-%d %H:%M:%S,250"),
    "an offset without a colon": _written("%Y-%m-%d %H:%M:%S +0000"),
    "UTC in words": _written("%Y-%m-%d %H:%M:%S UTC"),
    "slashes": _written("%Y/%m/%d %H:%M:%S"),
    "the common log format": _written("[%d/%b/%Y:%H:%M:%S +0000]"),
    "no seconds": _written("%Y-%m-%dT%H:%MZ"),
    "compact": _written("%Y%m%dT%H%M%SZ"),
    "RFC 2822": _rfc_2822,
    "another offset": _with_offset,
    "seconds": _epoch(1, "{}"),
    "seconds as text": _epoch(1, '"{}"'),
    "seconds with a fraction": _epoch(1, "{}.5"),
    "milliseconds": _epoch(1000, "{}"),
    "microseconds": _epoch(10**6, "{}"),
    "nanoseconds": _epoch(10**9, "{}"),
    "unreadable": _wrong_time("yesterday"),
    "an impossible date": _wrong_time("2026-02-30T10:00:00Z"),
    "an impossible hour": _wrong_time("2026-01-02T25:00:00Z"),
    "a date with two meanings": _wrong_time("03/04/2026 10:00:00"),
    "empty": _wrong_time(""),
    "a missing time": _no_time,
    "null": _wrong_time(None),
    "1970": _wrong_time("1970-01-01T00:00:00Z"),
    "the end of time": _wrong_time("9999-12-31T23:59:59Z"),
    "the future": _wrong_time("2026-07-01T00:00:00Z", FUTURE),
    "the day after": _wrong_time("2026-01-03T00:00:00Z", ELSEWHERE),
    "the day before": _wrong_time("2026-01-01T23:59:59Z", ELSEWHERE),
}


# --- Keys.


def _keyed(value: Field, counts_for: str, *, in_table: bool = True, replaced: int = 0) -> Make:
    return lambda maker: _good(maker, key=value, counts_for=counts_for, in_table=in_table, replaced=replaced)


def _keyless(value: Field) -> Make:
    return lambda maker: _good(maker, key=value, becomes=KEYLESS)


def _no_key(maker: _Maker) -> Made:
    stamp = f"{maker.instant():%Y-%m-%dT%H:%M:%SZ}"
    text = f'{{"timestamp": "{stamp}", "endpoint": "GET /x", "status": "500"}}'
    return text.encode(), [Record(KEYLESS, values=(stamp, None, "GET /x", "500", None, None))]


_UUID = "0b8f1c6e-3f0a-4e9b-9d58-5b1a7c2d3e4f"

KEYS: dict[str, Make] = {
    "blanks around the key": _keyed(_field("  key-07\t"), "key-07"),
    "a no-break space": _keyed(_field("key-08\u00a0"), "key-08"),
    "a number": _keyed(("123", "123"), "123"),
    "zeros before a number": _keyed(_field("00123"), "00123"),
    "a UUID": _keyed(_field(_UUID), _UUID),
    "a UUID in capitals": _keyed(_field(_UUID.upper()), _UUID),
    "a key in capitals": _keyed(_field("KEY-07"), "KEY-07"),
    "a quote": _keyed(_field("o'key\"; --"), "o'key\"; --"),
    "an escaped NUL": _keyed(('"key-07\\u0000"', None), "key-07\ufffd", in_table=False),
    "an escaped control character": _keyed(_field("key-07\x1b[2K"), "key-07\ufffd[2K"),
    "letters of the world": _keyed(_field("ключ-é-鍵"), "ключ-é-鍵"),
    "an empty key": _keyless(_field("")),
    "a blank key": _keyless(_field("   ")),
    "no key": _no_key,
    "a null": _keyless(("null", None)),
    "a dash": _keyless(_field("-")),
    "a database's null": _keyless(_field("\\N")),
    "NULL in words": _keyless(_field("NULL")),
    "undefined": _keyless(_field("undefined")),
}


# --- Statuses and errors.


def _status(value: Field, *, is_error: bool, is_odd: bool = False) -> Make:
    return lambda maker: _good(maker, status=value, is_error=is_error, has_odd_status=is_odd)


def _error(value: Field, *, is_error: bool) -> Make:
    return lambda maker: _good(maker, error=value, is_error=is_error)


OUTCOMES: dict[str, Make] = {
    "a number": _status(("503", "503"), is_error=True),
    "a blank behind it": _status(_field("404 "), is_error=True),
    "a decimal": _status(("404.0", "404.0"), is_error=True),
    "a redirection": _status(_field("301"), is_error=False),
    "a class": _status(_field("4xx"), is_error=True, is_odd=True),
    "a code and words": _status(_field("499 Client Closed"), is_error=True, is_odd=True),
    "no HTTP code": _status(_field("999"), is_error=True, is_odd=True),
    "a negative code": _status(_field("-1"), is_error=True, is_odd=True),
    "success": _status(_field("Success"), is_error=False),
    "failure": _status(_field("FAILURE"), is_error=True),
    "denied": _status(_field("denied"), is_error=True),
    "no status": _status(("null", None), is_error=False),
    "a dash": _status(_field("-"), is_error=False),
    "an empty object": _error(("{}", "{}"), is_error=False),
    "an empty array": _error(("[]", "[]"), is_error=False),
    "no text": _error(_field(""), is_error=False),
    "false": _error(("false", "false"), is_error=False),
    "zero": _error(("0", "0"), is_error=False),
    "ok": _error(_field("OK"), is_error=False),
    "null": _error(("null", None), is_error=False),
    "a word": _error(_field("timeout"), is_error=True),
    "an object": _error(('{"code": 1}', '{"code": 1}'), is_error=True),
    "a long text": _error(_field("the upstream did not answer within 30 seconds, id 1f3a"), is_error=True),
}


# --- Repeats.


def _same_event(maker: _Maker) -> Made:
    """The same event twice in one line end, of one key; the second is a repeat."""
    event = f"r{maker.chance.randrange(10**12)}"
    stamp = f"{maker.instant():%Y-%m-%dT%H:%M:%SZ}"
    text = f'{{"timestamp": "{stamp}", "key_id": "key-01", "endpoint": "GET /x", "event_id": "{event}"}}'
    values = (stamp, "key-01", "GET /x", None, None, event)
    records = [Record(COUNTED, "key-01", values=values), Record(REPEATED, values=values)]
    return f"{text}\n{text}".encode(), records


def _same_event_of_two_keys(maker: _Maker) -> Made:
    """The same id of two keys: two events."""
    event = f"s{maker.chance.randrange(10**12)}"
    first, records = _good(maker, event=event, key=_field("key-02"), counts_for="key-02")
    second, more = _good(maker, event=event, key=_field("key-03"), counts_for="key-03")
    return first + b"\n" + second, [*records, *more]


REPEATS: dict[str, Make] = {
    "an event twice": _same_event,
    "an id of two keys": _same_event_of_two_keys,
    "an empty id": lambda maker: _good(maker, event=""),
    "a blank id": lambda maker: _good(maker, event="  "),
}


# --- Lines.


def _broken(text: bytes) -> Make:
    """A line without a record."""
    return lambda maker: (text, [Record(NOT_JSON, size=len(text))])


def _cut(maker: _Maker) -> Made:
    line, _ = _good(maker)
    text = line[: maker.chance.randrange(20, 60)].rstrip()
    return text, [Record(NOT_JSON, size=len(text))]


def _several(joint: bytes, number: int, around: tuple[bytes, bytes] = (b"", b"")) -> Make:
    """Several documents in one line."""

    def make(maker: _Maker) -> Made:
        made = [_good(maker) for _ in range(number)]
        records = [record for _, found in made for record in found]
        return around[0] + joint.join(line for line, _ in made) + around[1], records

    return make


def _inserted(character: bytes, replaced: int = 1) -> Make:
    """Raw characters in a field that nobody reads."""

    def make(maker: _Maker) -> Made:
        line, (record,) = _good(maker, replaced=replaced)
        return line[:-1] + b', "agent": "a' + character + b'b"}', [record]

    return make


def _before(text: bytes) -> Make:
    """Text before the document."""

    def make(maker: _Maker) -> Made:
        line, records = _good(maker)
        return text + line, records

    return make


LINES: dict[str, Make] = {
    "cut off": _cut,
    "prose": _broken(b"the logger was restarted"),
    "a number": _broken(b"42"),
    "a text": _broken(b'"a text"'),
    "null": _broken(b"null"),
    "blank": lambda maker: (b"   ", []),
    "two documents": _several(b"", 2),
    "three documents": _several(b" ", 3),
    "a hundred documents": _several(b"", 100),
    "an array": _several(b", ", 4, (b"[", b"]")),
    "an empty array": lambda maker: (b"[]", []),
    "behind a timestamp": _before(b"2026-01-02T10:00:00.000Z "),
    "a byte order mark": _before("\ufeff".encode()),
    "invalid UTF-8": _inserted(b"\xff\xc3", 2),
    "a lone surrogate": _inserted(rb"\ud800"),
    "a pair of surrogates": _inserted(rb"\ud83d\ude00", 0),
    "an escape of nginx": _inserted(rb"\x22", 0),
    "an unknown escape": _inserted(rb"C:\Windows", 0),
    "a raw tab": _inserted(b"\t"),
    "a raw control character": _inserted(b"\x01"),
    "a raw NUL": _inserted(b"\0"),
    "a carriage return": lambda maker: _with_end(maker, b"\r"),
}


def _with_end(maker: _Maker, end: bytes) -> Made:
    line, records = _good(maker)
    return line + end, records


ROOMS = {"time": TIMES, "key": KEYS, "outcome": OUTCOMES, "repeat": REPEATS, "line": LINES}

KINDS: dict[str, Make] = {f"{room}: {name}": make for room in ROOMS for name, make in ROOMS[room].items()}
"""All kinds of awkward lines."""

RARE = {"line: a hundred documents": 100}
"""How many times more seldom some kinds are."""


def awkward_day(lines: int, room: str = "", *, seed: int = 20260102, good: float = 0.5) -> AwkwardDay:
    """A day of so many lines, a share of ``good`` good ones and all kinds of awkward ones alike.

    ``room`` chooses the kinds whose names begin with it.
    """
    maker = _Maker(seed)
    names = [name for name in KINDS if name.startswith(room)]
    weights = [1 / RARE.get(name, 1) for name in names]
    chosen = iter(maker.chance.choices(names, weights, k=lines))
    day = AwkwardDay([], [])
    for name in chosen:
        make: Make = _good if maker.chance.random() < good else KINDS[name]
        line, records = make(maker)
        day.lines.append(line)
        day.records += records
    return day

"""An attacker who hides requests: a fleet, the ways to hide many requests of one key, and trials of these ways.

A trial is an installation with a past. On its last day one key has many more requests, all hidden in one way. A
trial is passed if the key is named, or if the day is not clear. The control of a way has the same dirt in a small
share of all requests of every day, and has to be clear: a gate that is always shut proves nothing.
"""

from __future__ import annotations

import gzip
import json
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import psycopg

from detector.config.load import load
from detector.pipeline import Job, Sending, run_day
from detector.state.database import State

LAST = date(2026, 3, 17)
NOW = datetime(2026, 3, 18, 2, 30, tzinfo=UTC)
DIRT = 0.005
"""The share of the requests of an ordinary day that the control of a way hides."""

COLUMNS = ("timestamp", "key_id", "endpoint", "status", "agent", "deployment", "event_id")

Row = dict[str, Any]
Random = random.Random


@dataclass(frozen=True)
class Fleet:
    """The size of the trials: keys with about 100 requests a day on some days, and the hidden requests.

    A new key is only compared with 20 others.
    """

    keys: int = 60
    days: int = 40
    hidden: int = 20_000
    seed: int = 7

    @cached_property
    def dates(self) -> list[date]:
        """The days, the last one last."""
        return [LAST - timedelta(days=ago) for ago in range(self.days - 1, -1, -1)]

    @cached_property
    def usage(self) -> dict[date, list[Row]]:
        """The ordinary requests of every day."""
        chance = np.random.default_rng(self.seed)
        levels = np.linspace(60, 140, self.keys)
        usage = {}
        for day in self.dates:
            rhythm = 0.7 if day.weekday() >= 5 else 1.0
            rows: list[Row] = []
            for number, count in enumerate(chance.poisson(levels * rhythm)):
                seconds = chance.integers(0, 86_400, count)
                rows += [request(day, number, int(second)) for second in seconds]
            rows.sort(key=lambda row: str(row["timestamp"]))
            for position, row in enumerate(rows):
                row["event_id"] = f"{day}-{position}"
                row["status"] = "500" if position % 50 == 0 else "200"
            usage[day] = rows
        return usage

    @property
    def attacker(self) -> int:
        """The number of the key whose requests are hidden."""
        return self.keys // 2

    @cached_property
    def attack(self) -> list[Row]:
        """The requests to hide."""
        chance = random.Random(self.seed)
        rows = [request(LAST, self.attacker, chance.randrange(86_400)) for _ in range(self.hidden)]
        for position, row in enumerate(rows):
            row["event_id"] = f"attack-{position}"
        return rows

    def dirt(self, day: date) -> tuple[list[Row], list[Row]]:
        """The requests of an ordinary day: those that stay as they are, and the few that the control hides."""
        rows = self.usage[day]
        chance = random.Random(f"{self.seed} {day}")
        chosen = set(chance.sample(range(len(rows)), max(1, round(len(rows) * DIRT * chance.uniform(0.5, 1.5)))))
        clean = [row for position, row in enumerate(rows) if position not in chosen]
        return clean, [rows[position] for position in sorted(chosen)]


def key(number: int) -> str:
    """The key with a number. Its last four characters are its own, so that a protected id shows the number."""
    return f"fleet-key-{number:04d}"


def request(day: date, number: int, second: int) -> Row:
    """A request of a key."""
    instant = datetime.combine(day, time(), UTC) + timedelta(seconds=second)
    return {
        "timestamp": f"{instant:%Y-%m-%dT%H:%M:%SZ}",
        "key_id": key(number),
        "endpoint": f"GET /v1/{('orders', 'items', 'prices')[second % 3]}",
        "status": "200",
        "agent": "curl/8",
        "deployment": "api.example.com",
        "event_id": "",
    }


# --- The ways. A way gives the files of a day (what their names end with, and their bytes) or the rows of a table.

Files = Mapping[str, bytes]
HideInFiles = Callable[[list[Row], list[Row]], Files]
HideInRow = Callable[[Row], Row]


@dataclass(frozen=True)
class Way:
    """One way to hide requests. ``source`` names a layout of ``Installation``.

    ``hide`` makes the content of a day from its ordinary and its hidden requests. ``control`` does it for the
    small share of an ordinary day; None where the way cannot be ordinary.
    """

    name: str
    source: str
    hide: Callable[[list[Row], list[Row]], Any]
    control: Callable[[list[Row], list[Row]], Any] | None
    settings: str = ""
    is_attack: bool = True
    """False where requests are missing instead of hidden."""

    def __str__(self) -> str:
        return f"{self.name} ({self.source})"


def json_line(row: Row) -> bytes:
    """A request as a line of JSON."""
    return json.dumps(row).encode() + b"\n"


def csv_line(row: Row) -> bytes:
    """A request as a line of CSV."""
    return ",".join(str(row[name]) for name in COLUMNS).encode() + b"\n"


HEADER = ",".join(COLUMNS).encode() + b"\n"


def nginx_line(row: Row) -> bytes:
    """A request as a line of the combined log of nginx, with the key at its end."""
    instant = str(row["timestamp"])
    with suppress(ValueError):
        instant = f"{datetime.fromisoformat(instant):%d/%b/%Y:%H:%M:%S} +0000"
    key_id = row["key_id"] or "-"
    request_line = f"{row['endpoint']} HTTP/1.1"
    line = f'192.0.2.7 - - [{instant}] "{request_line}" {row["status"]} 17 "-" "{row["agent"]}" "{key_id}"\n'
    return line.encode()


LINES: Mapping[str, Callable[[Row], bytes]] = {"json": json_line, "csv": csv_line, "nginx": nginx_line}
FORMATS = {"json": "json", "growing": "json", "dated": "json", "csv": "csv", "nginx": "nginx"}
SUFFIXES = {"json": ".jsonl", "csv": ".csv", "nginx": ".log"}
HEADERS = {"json": b"", "csv": HEADER, "nginx": b""}


def _text(kind: str, rows: Sequence[Row]) -> bytes:
    return HEADERS[kind] + b"".join(LINES[kind](row) for row in rows)


def plain(source: str) -> Callable[[list[Row], list[Row]], Any]:
    """Nothing is hidden."""
    return by_row(source, dict)


def by_row(source: str, change: HideInRow) -> Callable[[list[Row], list[Row]], Any]:
    """The hidden requests are changed one by one."""

    def hide(ordinary: list[Row], hidden: list[Row]) -> Any:
        rows = [*ordinary, *(change(row) for row in hidden)]
        if source not in FORMATS:
            return rows
        kind = FORMATS[source]
        return {SUFFIXES[kind]: _text(kind, rows)}

    return hide


def by_line(source: str, change: Callable[[bytes], bytes]) -> HideInFiles:
    """The lines of the hidden requests are changed one by one."""
    kind = FORMATS[source]

    def hide(ordinary: list[Row], hidden: list[Row]) -> Files:
        lines = b"".join(change(LINES[kind](row)) for row in hidden)
        return {SUFFIXES[kind]: _text(kind, ordinary) + lines}

    return hide


def by_text(source: str, change: Callable[[bytes], bytes], suffix: str = "") -> HideInFiles:
    """The text of the hidden requests is changed as a whole, in a file of its own."""
    kind = FORMATS[source]

    def hide(ordinary: list[Row], hidden: list[Row]) -> Files:
        ending = f"-more{SUFFIXES[kind]}{suffix}"
        return {SUFFIXES[kind]: _text(kind, ordinary), ending: change(_text(kind, hidden))}

    return hide


def at_end(source: str, change: Callable[[bytes], bytes]) -> HideInFiles:
    """The text of the hidden requests is changed as a whole, behind the ordinary lines of the same file."""
    kind = FORMATS[source]

    def hide(ordinary: list[Row], hidden: list[Row]) -> Files:
        more = change(b"".join(LINES[kind](row) for row in hidden))
        return {SUFFIXES[kind]: _text(kind, ordinary) + more}

    return hide


def in_older_file(source: str, ago: int) -> HideInFiles:
    """The hidden requests lie in the file of an older day. Ordinary late requests lie in the file of yesterday."""
    kind = FORMATS[source]

    def hide(ordinary: list[Row], hidden: list[Row]) -> Files:
        return {SUFFIXES[kind]: _text(kind, ordinary), f"@{ago}{SUFFIXES[kind]}": _text(kind, hidden)}

    return hide


def without(chosen: Callable[[str], bool], source: str, *more: Row) -> Callable[[list[Row], list[Row]], Any]:
    """The requests whose clock reads so are missing, and some more are there."""

    def hide(ordinary: list[Row], hidden: list[Row]) -> Any:
        rows = [row for row in ordinary if not chosen(str(row["timestamp"])[11:13])]
        return plain(source)([*rows, *more], [])

    return hide


def _set(name: str, value: Any) -> HideInRow:
    return lambda row: {**row, name: value}


def _end(name: str, ending: str) -> HideInRow:
    return lambda row: {**row, name: f"{row[name]}{ending}"}


def _moved(by: timedelta) -> HideInRow:
    def change(row: Row) -> Row:
        instant = datetime.fromisoformat(str(row["timestamp"])) + by
        return {**row, "timestamp": f"{instant:%Y-%m-%dT%H:%M:%SZ}"}

    return change


def _without_key(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "key_id"}


def _cut_gzip(text: bytes) -> bytes:
    packed = gzip.compress(text, mtime=0)
    return packed[: len(packed) // 2]


def _replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda line: line.replace(old, new)


def _joined(at_once: int) -> Callable[[bytes], bytes]:
    def change(text: bytes) -> bytes:
        lines = text.splitlines()
        parts = [b"".join(lines[start : start + at_once]) for start in range(0, len(lines), at_once)]
        return b"\n".join(parts) + b"\n"

    return change


def _array(text: bytes) -> bytes:
    return b"[" + b",".join(text.splitlines()) + b"]\n"


def _pretty(text: bytes) -> bytes:
    return b"".join(json.dumps(json.loads(line), indent=2).encode() + b"\n" for line in text.splitlines())


def _cut_off(text: bytes) -> bytes:
    return text.replace(b"\n", b"")[:-30] + b"\n"


def _one_long_broken(text: bytes) -> bytes:
    """One document whose string never ends."""
    return (
        b'{"timestamp": "2026-03-17T10:00:00Z", "note": "' + text.replace(b'"', b"'").replace(b"\n", b" ") + b"\n"
    )


def _five_megabytes(line: bytes) -> bytes:
    return line.replace(b"curl/8", b"x" * 5_000_000)


def _long_every_hundredth(text: bytes) -> bytes:
    """Lines of 100 requests, each with an agent so long that the line has five megabytes."""
    lines = text.splitlines()
    parts = []
    for start in range(0, len(lines), 1000):
        part = lines[start : start + 1000]
        part[0] = part[0].replace(b"curl/8", b"x" * 5_000_000)
        parts.append(b"".join(part))
    return b"\n".join(parts) + b"\n"


def _nested(text: bytes) -> bytes:
    """The requests as members of one foreign object a line."""
    return b"".join(b'{"batch": ' + line + b"}\n" for line in text.splitlines())


def _double_encoded(text: bytes) -> bytes:
    """Each request as a JSON text."""
    return b"".join(json.dumps(line.decode()).encode() + b"\n" for line in text.splitlines())


def _comments(text: bytes) -> bytes:
    return b"".join(b"#" + line + b"\n" for line in text.splitlines())


def _open_quote(text: bytes) -> bytes:
    return b'"' + text


def _other_members(text: bytes) -> bytes:
    return text.replace(b'"timestamp"', b'"x"').replace(b'"key_id"', b'"y"')


BEFORE = "before the history"

WRONG_TIMES: dict[str, HideInRow] = {
    "next year": _set("timestamp", "2027-01-01T00:00:00Z"),
    "a day ahead": _moved(timedelta(days=1)),
    "ten minutes ahead": _set("timestamp", "2026-03-18T02:40:00Z"),
    "a month ago": _moved(timedelta(days=-30)),
    BEFORE: _moved(timedelta(days=-400)),
    "in 1970": _set("timestamp", "1970-01-01T00:00:00Z"),
    "in the year 1": _set("timestamp", "0001-01-01T00:00:00Z"),
}
UNREADABLE_TIMES: dict[str, HideInRow] = {
    "unreadable time": _set("timestamp", "yesterday"),
    "no time": _set("timestamp", ""),
    "ambiguous date": _set("timestamp", "03/04/2026 10:00:00"),
}
ODD_KEYS: dict[str, HideInRow] = {
    "a blank behind the key": _end("key_id", " "),
    "the key in capitals": lambda row: {**row, "key_id": str(row["key_id"]).upper()},
    "the key percent-encoded": lambda row: {**row, "key_id": quote(row["key_id"]).replace("-", "%2D")},
    "no key": _set("key_id", ""),
    "a dash for the key": _set("key_id", "-"),
}
ODD_STATUSES: dict[str, HideInRow] = {
    "status 999": _set("status", "999"),
    "status of words": _set("status", "¯\\_(ツ)_/¯"),
}
CONTROLS_IN_KEY: dict[str, HideInRow] = {
    "NUL behind the key": _end("key_id", "\0"),
    "control character in the key": _end("key_id", "\x1b[2K"),
    "zero-width space behind the key": _end("key_id", "\u200b"),
}
REPEATED_IDS: dict[str, HideInRow] = {
    "one event id": _set("event_id", "same"),
    "the event ids of another key": lambda row: {**row, "event_id": f"{LAST}-{int(str(row['timestamp'])[17:19])}"},
}

MAPPED_ID = "columns: {event_id: event_id}"
TWO_PLACES = 'columns: {key_id: "{/key|/path?api_key}"}'


def _two_keys(row: Row) -> Row:
    return {**row, "endpoint": f"GET /v1/orders?api_key={row['key_id']}", "key_id": key(1)}


def _small_change(source: str, changes: Mapping[str, HideInRow], settings: str = "") -> Iterator[Way]:
    for name, change in changes.items():
        hide = by_row(source, change)
        # A first pull cannot know that records from before the history came day by day: they are news for a week.
        yield Way(name, source, hide, None if name == BEFORE else hide, settings)


def ways() -> Iterator[Way]:
    """All ways."""
    for source in ("json", "growing", "dated", "csv", "nginx", "sqlite", "postgresql"):
        yield Way("in the open", source, plain(source), plain(source))
    for source in ("csv", "json", "growing", "dated", "nginx", "sqlite", "postgresql"):
        yield from _small_change(source, WRONG_TIMES)
    for source in ("csv", "json", "sqlite"):
        yield from _small_change(source, UNREADABLE_TIMES)
    yield from _small_change("nginx", {"unreadable time": _set("timestamp", "yesterday")})
    for source in ("csv", "json", "nginx", "sqlite", "postgresql"):
        yield from _small_change(source, ODD_KEYS)
        yield from _small_change(source, ODD_STATUSES)
    yield from _small_change("sqlite", CONTROLS_IN_KEY)
    yield from _small_change("json", CONTROLS_IN_KEY)
    yield from _small_change("json", {"key no longer logged": _without_key})
    for source in ("csv", "json", "sqlite", "postgresql"):
        yield from _small_change(source, REPEATED_IDS, MAPPED_ID)
    yield from _small_change(
        "json", {"deployment in capitals, with a port": _set("deployment", "API.EXAMPLE.COM.:443")}
    )
    yield from _small_change("nginx", {"two keys": _two_keys}, TWO_PLACES)
    yield from _lines_of_json()
    yield from _texts_of_json()
    yield from _texts_of_csv()
    yield from _lines_of_nginx()
    yield from _missing()


def _lines_of_json() -> Iterator[Way]:
    changes: dict[str, Callable[[bytes], bytes]] = {
        "invalid UTF-8 in an unread field": _replaced(b"curl", b"\xff\xfe"),
        "invalid UTF-8 in the key": _replaced(b"fleet-key", b"fleet\xff-key"),
        "invalid UTF-8 behind the key": lambda line: line.replace(b'", "endpoint', b'\xc3", "endpoint'),
        "invalid UTF-8 in the path": _replaced(b"/v1/", b"/\xc3\x28/"),
        "raw control characters": _replaced(b"curl", b"a\x01\x1b\tb"),
        "raw NUL": _replaced(b"curl", b"a\0b"),
        "escapes of nginx": _replaced(b"curl", rb"\x22\xE2\x82"),
        "lone surrogates": _replaced(b"curl", rb"\ud800"),
        "broken documents": lambda line: line[:-4] + b"\n",
        "a second key_id member": lambda line: line.replace(b"}", b', "key_id": "fleet-key-0001"}'),
        "a key_id member before it": lambda line: line.replace(b"{", b'{"key_id": "", ', 1),
        "a member name with an escape": _replaced(b'"key_id"', rb'"key\u005fid"'),
        "numbers instead of texts": lambda line: line.replace(b'"200"', b"2e2"),
        "members in another case": _replaced(b'"key_id"', b'"Key_Id"'),
        "the key as an object": lambda line: line.replace(b'"fleet-key', b'{"id": "fleet-key').replace(
            b'", "end', b'"}, "end'
        ),
    }
    for source in ("json", "growing"):
        for name, change in changes.items():
            yield Way(name, source, by_line(source, change), by_line(source, change))


def _texts_of_json() -> Iterator[Way]:
    at_the_end: dict[str, Callable[[bytes], bytes]] = {
        "1,000 documents a line": _joined(1000),
        "all documents in one line": _joined(10**9),
        "a JSON array in one line": _array,
        "a line that is cut off": _cut_off,
        "one string that never ends": _one_long_broken,
        "lines of 5 MB": _long_every_hundredth,
        "members of foreign objects": _nested,
        "JSON within JSON": _double_encoded,
        "comment lines": _comments,
        "members with other names": _other_members,
        "line ends of an old Mac": _replaced(b"\n", b"\r"),
        "UTF-16 behind UTF-8": lambda text: text.decode().encode("utf-16-le"),
        "pretty-printed behind lines": _pretty,
    }
    for name, change in at_the_end.items():
        for source in ("json", "growing"):
            yield Way(name, source, at_end(source, change), at_end(source, change))
    own_files: dict[str, tuple[Callable[[bytes], bytes], str, bool]] = {
        "a file with one array": (_array, "", True),
        "a pretty-printed file": (_pretty, "", True),
        "a file in UTF-16": (lambda text: text.decode().encode("utf-16"), "", True),
        "a gzip file that is cut off": (_cut_gzip, ".gz", False),
        "a gzip file with padding": (lambda text: gzip.compress(text, mtime=0) + bytes(512), ".gz", True),
        "a gzip file with two members": (
            lambda text: gzip.compress(text[:99], mtime=0) + gzip.compress(text[99:], mtime=0),
            ".gz",
            True,
        ),
        "a gzip file with text behind it": (lambda text: gzip.compress(b"{}\n", mtime=0) + text, ".gz", False),
        "a gzip file that is none": (lambda text: text, ".gz", False),
        "a file of nothing usable": (lambda text: b"? " * (len(text) // 2) + b"\n", "", True),
        "an empty file": (lambda text: b"", "", True),
        "a file with a foreign ending": (lambda text: text, ".1.bak", False),
        "a dot file": (lambda text: text, "~", False),
    }
    for name, (change, suffix, is_ordinary) in own_files.items():
        for source in ("json", "dated"):
            hide = by_text(source, change, suffix)
            yield Way(name, source, hide, hide if is_ordinary else None)
    for source in ("json", "dated"):
        yield Way("in the file of the day before", source, in_older_file(source, 1), in_older_file(source, 1))
        yield Way("in a file of last month", source, in_older_file(source, 30), None)


def _texts_of_csv() -> Iterator[Way]:
    files: dict[str, tuple[Callable[[bytes], bytes], bool]] = {
        "a blank first line": (lambda text: b"\n" + text, True),
        "a stray quote at the start": (_open_quote, False),
        "comment lines before the header": (lambda text: b"# a comment\n" + text, True),
        "sep= before the header": (lambda text: b"sep=;\n" + text.replace(b",", b";"), True),
        "no header": (lambda text: text[len(HEADER) :], False),
        "a CSV file in UTF-16": (lambda text: text.decode().encode("utf-16"), True),
        "another header": (_replaced(b"key_id", b"apikey"), False),
        "the header twice": (lambda text: HEADER + text, True),
    }
    for name, (change, is_ordinary) in files.items():
        hide = by_text("csv", change)
        yield Way(name, "csv", hide, hide if is_ordinary else None)
    lines: dict[str, Callable[[bytes], bytes]] = {
        "a stray quote in every line": _replaced(b"curl", b'"curl'),
        "a column too many": lambda line: line.replace(b"\n", b",x\n"),
        "a column too few": lambda line: line.replace(b"curl/8,", b""),
        "commented lines": lambda line: b"#" + line,
        "NUL in every line": _replaced(b"curl", b"\0"),
        "quoted keys": lambda line: line.replace(b",fleet", b',"fleet').replace(b",GET", b'",GET'),
    }
    for name, change in lines.items():
        yield Way(name, "csv", by_line("csv", change), by_line("csv", change))
    swallowed = at_end("csv", lambda text: b'2026-03-17T10:00:00Z,x,GET /,200,"open\n' + text)
    yield Way("an open quote before the lines", "csv", swallowed, None)


def _lines_of_nginx() -> Iterator[Way]:
    lines: dict[str, Callable[[bytes], bytes]] = {
        "invalid UTF-8 in the agent": _replaced(b"curl", b"\xff\xfe"),
        "invalid UTF-8 in the path": _replaced(b"/v1/", b"/\xc3\x28/"),
        "raw NUL": _replaced(b"curl", b"\0"),
        "quotes in the path": _replaced(b"/v1/", b'/v1/"x" "y/'),
        "a quote in the agent": _replaced(b"curl", b'cu"rl'),
        "a backslash at the end of the agent": _replaced(b"curl/8", b"curl\\"),
        "a fake log line in the agent": _replaced(
            b"curl/8", b'x" "fleet-key-0001" [17/Mar/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "y'
        ),
        "no request line": lambda line: line.replace(b"GET ", b"\\x16\\x03\\x01").replace(b" HTTP/1.1", b""),
        "a fake time in the path": _replaced(b"/v1/", b"/[01/Jan/2020:00:00:00 +0000]/"),
    }
    for name, change in lines.items():
        yield Way(name, "nginx", by_line("nginx", change), by_line("nginx", change))


def _missing() -> Iterator[Way]:
    future = {**request(LAST, 1, 0), "timestamp": "2026-12-31T00:00:00Z"}
    next_day = [request(LAST + timedelta(days=1), number, 60 * number) for number in range(40)]
    for source in ("sqlite", "json", "growing", "dated", "nginx", "postgresql"):
        afternoon = without(lambda hour: hour >= "14", source, future)
        yield Way("the day ends at 14:00, one row from the future", source, afternoon, None, is_attack=False)
        hole = without(lambda hour: hour >= "14", source, *next_day)
        yield Way("the day ends at 14:00, rows of the next day", source, hole, None, is_attack=False)
        for hours in (("03",), ("11", "12")):
            name = f"no row at {hours[0]}:00 for {len(hours)} h"
            yield Way(name, source, without(lambda hour, gone=hours: hour in gone, source), None, is_attack=False)


# --- The trials.


@dataclass(frozen=True)
class Outcome:
    """What a run said of a trial.

    ``counted`` are the requests of the attacked key and of all new keys, ``named`` the types of the findings on
    these, and ``problems`` what the report says of the data.
    """

    counted: int
    outcome: str
    named: tuple[str, ...]
    accounting: str
    problems: tuple[str, ...]
    error: str = ""

    @property
    def is_clear(self) -> bool:
        """Whether the run said that nothing is the matter."""
        return self.outcome == "clear"

    @property
    def is_noticed(self) -> bool:
        """Whether the key is named, or the day is not called clear."""
        return bool(self.named) or not self.is_clear


@dataclass
class Installation:
    """A source in a folder, with its configuration, history and state. ``url`` is that of a PostgreSQL server."""

    folder: Path
    source: str
    settings: str = ""
    url: str = ""

    def configure(self) -> None:
        """Write its configuration."""
        lines = [self._source_settings(), self.settings]
        indented = "\n".join(f"  {line}" for line in "\n".join(lines).splitlines())
        (self.folder / "config.yaml").write_text(
            f"source:\n{indented}\nhistory: {{first_pull_days: 40}}\nreport: {{formats: [json]}}\n"
        )

    def _source_settings(self) -> str:
        if self.source == "sqlite":
            return f"kind: sql\nurl: sqlite:///{self.folder}/usage.db\nusage: usage"
        if self.source == "postgresql":
            return f"kind: sql\nurl: {self.url}\nusage: usage"
        name = {"growing": "usage.jsonl", "dated": "usage-{year}-{month}-{day}*", "csv": "usage-*.csv"}
        usage = name.get(self.source, "usage-*")
        more = "\npreset: nginx\nkey_salt: 0123456789abcdef0123456789abcdef" if self.source == "nginx" else ""
        return f'kind: files\nusage: "{usage}"{more}'

    def put(self, day: date, content: Any) -> None:
        """Add the content of a day to the source."""
        if self.source == "sqlite":
            with closing(sqlite3.connect(self.folder / "usage.db")) as connection, connection:
                connection.execute(f"CREATE TABLE IF NOT EXISTS usage ({', '.join(COLUMNS)})")
                marks = ", ".join("?" * len(COLUMNS))
                connection.executemany(f"INSERT INTO usage VALUES ({marks})", _values(content))
        elif self.source == "postgresql":
            self._copy(day, content)
        elif self.source == "growing":
            with (self.folder / "usage.jsonl").open("ab") as stream:
                for text in content.values():
                    stream.write(text)
        else:
            for ending, text in content.items():
                named = day
                suffix = ending
                if ending.startswith("@"):
                    ago, _, suffix = ending[1:].partition(".")
                    named, suffix = day - timedelta(days=int(ago)), "." + suffix
                with (self.folder / f"usage-{named}{suffix}").open("ab") as stream:
                    # A file that grows has one header.
                    is_new = stream.tell() == 0
                    stream.write(text if is_new else text.removeprefix(HEADER))

    def _copy(self, day: date, rows: Sequence[Row]) -> None:
        kinds = ", ".join(f"{name} {'timestamptz' if name == 'timestamp' else 'text'}" for name in COLUMNS)
        with psycopg.connect(self.url.replace("+psycopg", "")) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE IF NOT EXISTS usage ({kinds}, batch date)")
            cursor.execute("DELETE FROM usage WHERE batch = %s", [day])
            with cursor.copy(f"COPY usage ({', '.join(COLUMNS)}, batch) FROM STDIN") as copy:
                for values in _values(rows):
                    copy.write_row((*values, day))

    def run(self, day: date, now: datetime) -> dict[str, Any]:
        """Run a day; the report."""
        config = load(self.folder / "config.yaml")
        with closing(State.of(config)) as state:
            job = Job.assemble(config, now, state=state)
            result = run_day(job, day, Sending.NEVER)
            (path,) = [path for path in result.files if path.name == "report.json"]
            report: dict[str, Any] = json.loads(path.read_text())
            report["notes"] = None if job.history.missing(day, day) else job.history.notes(day)
            report["records"] = None if job.history.missing(day, day) else job.history.read(day)
            return report

    def copied(self, folder: Path) -> Installation:
        """The same installation in another folder."""
        shutil.copytree(self.folder, folder)
        other = replace(self, folder=folder)
        other.configure()
        return other


def _values(rows: Sequence[Row]) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        yield tuple(row.get(name) for name in COLUMNS)


def with_past(folder: Path, fleet: Fleet, way: Way, url: str, *, dirty: bool) -> Installation:
    """An installation that has judged the day before the last one, with the control's dirt on all days or none."""
    installation = Installation(folder, way.source, way.settings, url)
    folder.mkdir(parents=True)
    installation.configure()
    if way.source == "postgresql":
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            connection.execute("DROP TABLE IF EXISTS usage")
    for day in fleet.dates[:-1]:
        content = plain(way.source)(fleet.usage[day], [])
        if dirty:
            assert way.control is not None
            content = way.control(*fleet.dirt(day))
        installation.put(day, content)
    installation.run(LAST - timedelta(days=1), NOW - timedelta(days=1))
    return installation


def attacked(installation: Installation, fleet: Fleet, way: Way, *, dirty: bool = False) -> Outcome:
    """The outcome of the last day with the hidden requests, over the usual dirt or over none."""
    ordinary = fleet.usage[LAST]
    hidden = list(fleet.attack) if way.is_attack else []
    if dirty:
        ordinary, dirt = fleet.dirt(LAST)
        hidden += dirt
    installation.put(LAST, way.hide(ordinary, hidden))
    return _outcome(installation, fleet)


def control(installation: Installation, fleet: Fleet, way: Way) -> Outcome:
    """The outcome of an ordinary last day with the usual dirt."""
    assert way.control is not None
    installation.put(LAST, way.control(*fleet.dirt(LAST)))
    return _outcome(installation, fleet)


def _outcome(installation: Installation, fleet: Fleet) -> Outcome:
    report = installation.run(LAST, NOW)
    records = report["records"]
    ending = key(fleet.attacker)[-4:]
    owners: dict[str, int] = {}
    known = {key(number) for number in range(fleet.keys)}
    if records is not None:
        for key_id, count in zip(records["key_id"], records["request_count"], strict=True):
            is_own = str(key_id).endswith(ending)
            # The ids of clear keys are hashes, so that a new one does not show.
            is_new = str(key_id) not in known and installation.source != "nginx"
            if is_own or is_new:
                owners[str(key_id)] = int(count)
    named = []
    for finding in report["findings"]:
        if finding["key_id"] in owners and finding["status"] in ("new", "ongoing", "escalated", "reopened"):
            named.append(finding["type"])
    quality = [finding["reason"] for finding in report["findings"] if finding["type"] == "data_quality"]
    notes = report["notes"]
    return Outcome(
        counted=sum(owners.values()),
        outcome=report["summary"]["outcome"],
        named=tuple(sorted(set(named))),
        accounting="" if notes is None else _accounting(notes.accounting),
        problems=tuple(quality),
        error=str(report["sources"][0]["error"] or ""),
    )


def one_of_each() -> Iterator[Way]:
    """Every way once, at the first of its sources."""
    seen = set()
    for way in ways():
        if way.name not in seen:
            seen.add(way.name)
            yield way


def mixed(source: str) -> Way:
    """The dirt of all ways together, in their shares of the dirt of a day; the event id is not mapped."""
    chosen = [way for way in ways() if way.source == source and way.control and not way.settings]

    def hide(ordinary: list[Row], hidden: list[Row]) -> Any:
        whole = plain(source)(ordinary, [])
        for position, way in enumerate(chosen):
            assert way.control is not None
            content = way.control([], hidden[position :: len(chosen)])
            if source not in FORMATS:
                whole = [*whole, *content]
                continue
            for ending, text in content.items():
                # A file of its own stays one.
                named = ending.replace("-more", f"-more-{position}")
                whole[named] = whole.get(named, b"") + text.removeprefix(HEADER if named == ending else b"")
        return whole

    return Way("a little of everything", source, hide, hide)


def _accounting(accounting: Any) -> str:
    unusable = ", ".join(f"{reason} {amount.records}" for reason, amount in accounting.unusable.items())
    return (
        f"{accounting.counted} counted, {accounting.keyless} keyless, {accounting.repeated} repeated; {unusable}"
    )

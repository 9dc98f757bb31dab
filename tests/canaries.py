"""A canary in the place of every secret, and peers that repeat whatever they are sent.

An installation is run against a database, an endpoint, a mail server and receivers that quote the secrets in their
refusals, in several encodings. ``sightings`` then looks for the canaries in all that the installation wrote.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import logging
import os
import socketserver
import sqlite3
import struct
import sys
import tarfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pyarrow.parquet as pq
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from detector.cli.main import main
from detector.config.load import load
from detector.config.monitoring import LogFormat
from detector.config.plugins import REPORTERS
from detector.config.urls import BY_KEY_PATH
from detector.model.errors import DetectorError
from detector.operations.monitoring.logs import logging_to_stderr
from detector.operations.schedule.nightly import nightly
from detector.serve.app import make_app
from detector.state.database import State
from detector.state.tokens import ApiToken, add_token, hash_of
from detector.usage.history import History
from tests.mail_server import free_port
from tests.serving import asked

LAST = date(2026, 3, 17)
NOON = datetime(2026, 3, 18, 12, tzinfo=UTC)
"""After the deadline: the day is judged although its source fails."""
DAYS = 12


@dataclass(frozen=True)
class Canary:
    """A secret: its place, its text, and the marks by which the search knows the text and every part of it."""

    place: str
    text: str
    marks: tuple[str, ...]


def _cut(place: str, number: int) -> Canary:
    """A password with all that an address reserves, each part of it long enough to be known."""
    marks = (f"canary{number:02}tweet", f"canary{number:02}chirp")
    return Canary(place, f"{marks[0]}@dor/{marks[1]}#x?y&z=%{marks[0]}", marks)


def _plain(place: str, number: int, form: str = "{}") -> Canary:
    mark = f"canary{number:02}tweet"
    return Canary(place, form.format(mark), (mark,))


PEERS = {
    "DATABASE": _cut("source.url, password", 1),
    "DATABASE_QUERY": _cut("source.url, query", 2),
    "STATE": _cut("state.url, password", 3),
    "STATE_QUERY": _cut("state.url, query", 4),
    "TOKEN": _plain("source.token", 5, "tok~{}"),
    "PARAMETER": _cut("source.parameters", 6),
    "SMTP": _cut("delivery.mail.password", 7),
    "HOOK": _plain("delivery.webhooks.url, path", 8),
    "HOOK_QUERY": _cut("delivery.webhooks.url, query", 9),
    "SIGNING": Canary("delivery.webhooks.secret", "whsec_" + "canary10kea0" * 4, ("canary10kea0canary10kea0",)),
    "CHAT": _cut("delivery.chat.url, password", 11),
    "SPLUNK": _plain("delivery.splunk.token", 12),
    "ELASTIC": _plain("delivery.elasticsearch.authorization", 13),
    "PAGER": _plain("delivery.pagerduty.routing_key", 14),
    "PING": _plain("monitoring.ping_url, path", 15),
    "PING_QUERY": _cut("monitoring.ping_url, query", 16),
    "SALT": _plain("source.key_salt", 17, "salt of {}"),
}
"""Variable of the environment: the canary in it."""

KEYS = {
    "header": _plain("a key in a header", 18),
    "path": _plain("a key in its path", 19, "{}$+key"),
    "query": _plain("a key in a query", 20),
    "referrer": _plain("a key in a referrer", 21),
    "encoded": _plain("a key percent-encoded in its path", 22, "{}/+=key"),
    "damaged": _plain("a key in a damaged line", 23),
    "register": _plain("a key in the register", 24),
}
"""Way in which a log holds a key: the key in clear."""

API_TOKEN = _plain("a token of serve", 29, "dtk_{}7Qk9rT2vXw8mZp4Lc1NhB6yAe3sU0")

TOKENS = (
    Canary(
        "a JSON web token in a path", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkyNXR3ZWV0In0.c2ln", ("eyJhbGci",)
    ),
    Canary(
        "the address of a hook", "services/T0CANARY26/B0CANARY26/canary26tweet01", ("canary26tweet", "T0CANARY26")
    ),
    Canary("a session in a path", ";jsessionid=canary27tweet01", ("canary27tweet",)),
    Canary("a mail address in a path", "canary28tweet@mail.example", ("canary28tweet",)),
)
"""Secrets of others in the paths of requests."""

DELIVERY = """
delivery:
  mail: {host: 127.0.0.1, port: <MAIL>, security: none, username: detector, password: "${SMTP}",
    from: detector@example.com, to: [security@example.com]}
  webhooks: [{url: "<HTTP>/${HOOK}?token=${HOOK_QUERY}", secret: "${SIGNING}"}]
  chat: [{url: "json://me:${CHAT}@<HOST>/chat"}]
  splunk: [{url: <HTTP>, token: "${SPLUNK}"}]
  elasticsearch: [{url: <HTTP>, authorization: "ApiKey ${ELASTIC}"}]
  pagerduty: [{url: <HTTP>, routing_key: "${PAGER}", minimum_severity: info}]
monitoring: {ping_url: "<HTTP>/${PING}?token=${PING_QUERY}", metrics_file: metrics/detector.prom}
history: {first_pull_days: 11}
"""
SOURCES = {
    "a database that refuses": 'source: {kind: sql, usage: u, url: "postgresql+psycopg://me:${DATABASE}@<SQL>/gw'
    '?application_name=detector"}',
    "a database by its query": 'source: {kind: sql, usage: u, url: "postgresql+psycopg://<SQL>/gw?user=me&password='
    '${DATABASE_QUERY}"}',
    "an endpoint that refuses": 'source: {kind: http, url: <HTTP>/usage, token: "${TOKEN}", attempts: 1, '
    'parameters: {tenant: "${PARAMETER}"}}',
    "logs with keys in clear": 'source: {kind: files, usage: "access.log", preset: nginx, key_salt: "${SALT}", '
    "keys: keys.csv}",
}


@dataclass
class Peers:
    """The addresses of the peers, what came to them, and whether the mail server lets anybody in."""

    http: str = ""
    sql: int = 0
    mail: int = 0
    lets_in: bool = True
    mails: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    """All that a peer must learn, which shows that the canaries were really sent."""

    def fill_in(self, text: str) -> str:
        """A configuration with the addresses."""
        host = self.http.removeprefix("http://")
        addresses = {"HTTP": self.http, "HOST": host, "SQL": f"127.0.0.1:{self.sql}", "MAIL": self.mail}
        for name, address in addresses.items():
            text = text.replace(f"<{name}>", str(address))
        return text


@contextmanager
def peers() -> Iterator[Peers]:
    """A database, receivers and a mail server on loopback for the time of the block."""
    found = Peers()
    with _running(_database(found)) as sql, _running(_receiver(found)) as http, _mail(found):
        found.sql = sql.server_address[1]
        found.http = f"http://127.0.0.1:{http.server_address[1]}"
        yield found


@contextmanager
def _running(server: Any) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _told(text: str) -> str:
    """A text in the encodings in which a peer may send it back."""
    return f"{text} {quote(text, safe='')} {base64.b64encode(text.encode()).decode()} {json.dumps(text)}"


def _receiver(found: Peers) -> ThreadingHTTPServer:
    """Refuses every request, and quotes its secrets."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            key = b""
            with suppress(ValueError, AttributeError):
                # PagerDuty takes the key as a part of the body.
                document = json.loads(body)
                key = document.pop("routing_key", "").encode()
                body = json.dumps(document).encode()
            found.bodies.append(body)
            given = self.headers.get("Authorization", "")
            known = f"{self.path} {unquote(self.path)} {given} {key.decode()}"
            if given.startswith("Basic "):
                known += base64.b64decode(given.removeprefix("Basic ")).decode()
            found.heard.append(known)
            said = " ".join(_told(text) for text in (given.partition(" ")[2], key.decode()) if text)
            answer = json.dumps({"detail": f"no: {said} {_told(self.path)}"}).encode()
            self.send_response(401)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


def _database(found: Peers) -> socketserver.ThreadingTCPServer:
    """Speaks as much of PostgreSQL's protocol as a refused login needs, and quotes the password."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while (start := self._message())[:4] in (struct.pack("!i", 80877103), struct.pack("!i", 80877104)):
                self.wfile.write(b"N")
            if not start:
                return
            self.wfile.write(b"R" + struct.pack("!ii", 8, 3))
            self.rfile.read(1)
            password = self._message().rstrip(b"\0").decode()
            found.heard.append(password)
            said = f"SFATAL\0C28P01\0Mno entry with {_told(password)}\0\0".encode()
            self.wfile.write(b"E" + struct.pack("!i", len(said) + 4) + said)

        def _message(self) -> bytes:
            length = self.rfile.read(4)
            return self.rfile.read(struct.unpack("!i", length)[0] - 4) if length else b""

    socketserver.ThreadingTCPServer.daemon_threads = True
    return socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)


@contextmanager
def _mail(found: Peers) -> Iterator[None]:
    class Handler:
        async def handle_DATA(  # noqa: N802
            self, server: Any, session: Session, envelope: Envelope
        ) -> str:
            assert isinstance(envelope.content, bytes)
            found.mails.append(envelope.content)
            return "250 accepted"

    def authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        password = data.password.decode()
        found.heard.append(password)
        message = None if found.lets_in else f"535 5.7.8 no entry with {_told(password)}"
        return AuthResult(success=found.lets_in, handled=False, message=message)

    found.mail = free_port()
    controller = Controller(
        Handler(),
        hostname="127.0.0.1",
        port=found.mail,
        auth_required=False,
        auth_require_tls=False,
        authenticator=authenticate,
        ready_timeout=30,
    )
    controller.start()
    try:
        yield
    finally:
        controller.stop()


def write_logs(folder: Path) -> None:
    """The log of a web server and a register with keys in clear, and paths with tokens of others."""
    lines = []
    for back in range(DAYS):
        day = datetime.combine(LAST - timedelta(days=back), datetime.min.time(), UTC)
        for hour in range(24):
            at = f"{day + timedelta(hours=hour):%d/%b/%Y:%H:%M:%S +0000}"
            for way, canary in KEYS.items():
                lines += [_line(at, way, canary.text)] * (30 if back == 0 else 1)
            plain = KEYS["header"].text
            lines += [
                _request(at, f"/v1/{token.text}/x", plain) for token in TOKENS if not token.text.startswith(";")
            ]
            lines += [_request(at, f"/v1/x{token.text}", plain) for token in TOKENS if token.text.startswith(";")]
    (folder / "access.log").write_text("\n".join(lines) + "\n")
    keys = "\n".join(f"{canary.text},service {number},live" for number, canary in enumerate(KEYS.values()))
    (folder / "keys.csv").write_text(f"key_id,name,environment\n{keys}\n{KEYS['register'].text},x,y,z,broken\n")


def _line(at: str, way: str, key: str) -> str:
    escaped = "".join(f"%{byte:02x}" for byte in key.encode())
    paths = {
        "path": f"/v1/{key}/items",
        "query": f"/v1/items?apikey={key}",
        "encoded": f"/v1/{escaped}/{quote(escaped)}/items",
    }
    if way == "damaged":
        return f'203.0.113.7 - - [{at}] "GET /v1/{key} {key} "{key}'
    return _request(
        at, paths.get(way, "/v1/items"), key, f"https://x.example/?k={key}" if way == "referrer" else "-"
    )


def _request(at: str, path: str, key: str, referrer: str = "-") -> str:
    return f'203.0.113.7 - - [{at}] "GET {path} HTTP/1.1" 200 12 "{referrer}" "curl/8" "{key}"'


def run(folder: Path, source: str, found: Peers, form: LogFormat) -> dict[str, str]:
    """Run an installation over one source and give everything it wrote, by the kind of the output."""
    folder.mkdir()
    write_logs(folder)
    formats = ", ".join(REPORTERS)
    text = f"{SOURCES[source]}\nreport: {{formats: [{formats}]}}\n{DELIVERY}"
    path = folder / "config.yaml"
    path.write_text(found.fill_in(text))
    outputs = {f"log ({form}, debug)": ""}
    for lets_in, hours in ((False, 0), (True, 24)):
        # The second run reports what the first one could not deliver.
        found.lets_in = lets_in
        outputs[f"log ({form}, debug)"] += _run_logged(path, NOON + timedelta(hours=hours), form)
    with closing(State.of(load(path))) as state:
        add_token(state, ApiToken("warehouse", None, hash_of(API_TOKEN.text), NOON))
    outputs["tracebacks and warnings"] = faults(configured_in(path))
    outputs["answers and log of serve"] = served(path)
    arguments = (
        ("check",), ("status",), ("doctor",), ("deliver",), ("deliver", "--test"), ("triage", "list"),
        ("run", "--day", str(LAST)), ("usage", "--from", str(LAST)), ("report", str(LAST)),
        ("backtest", "--from", str(LAST), "--to", str(LAST), "--out", str(folder / "backtest")),
        ("backup", "--out", str(folder / "backup.tar")), ("explain", "key"),
    )  # fmt: skip
    outputs["commands"] = "".join(command(*each, "--config", str(path)) for each in arguments)
    other_state = ("check", "--config", str(path), "--set")
    where = found.fill_in("<SQL>/gw")
    outputs["commands"] += command(*other_state, f"state.url=postgresql+psycopg://me:${{STATE}}@{where}")
    outputs["commands"] += command(
        *other_state, f"state.url=postgresql+psycopg://{where}?user=me&password=${{STATE_QUERY}}"
    )
    outputs["state"] = state_of(folder / "var" / "state.db")
    outputs["history"] = "\n".join(map(_parquet, sorted(folder.glob("var/history/*/*.parquet"))))
    outputs["reports"] = _texts((folder / "var" / "reports").rglob("*"))
    outputs["results of a backtest"] = _texts((folder / "backtest").rglob("*"))
    outputs["metrics"] = _texts((folder / "metrics").rglob("*"))
    outputs["backup"] = "\n".join(_members(folder / "backup.tar"))
    outputs["mails"] = "\n".join(map(_mail_text, found.mails))
    outputs["what was posted"] = "\n".join(body.decode() for body in found.bodies)
    outputs["names of files"] = "\n".join(str(each.relative_to(folder)) for each in folder.rglob("*"))
    return outputs


def _run_logged(path: Path, now: datetime, form: LogFormat) -> str:
    """The log of a run at debug level, with that of all libraries, and the log of one that quotes all secrets."""
    stderr = io.StringIO()
    root = logging.getLogger()
    former = root.level
    quitting = suppress(SystemExit, DetectorError)
    with redirect_stderr(stderr), quitting, logging_to_stderr(form, logging.DEBUG):
        root.setLevel(logging.DEBUG)
        logging.getLogger("sqlalchemy.engine").setLevel(logging.DEBUG)
        try:
            nightly(load(path), now=now)
        finally:
            _talk(configured_in(path))
            logging.getLogger("sqlalchemy.engine").setLevel(logging.NOTSET)
            root.setLevel(former)
    return stderr.getvalue()


def configured_in(path: Path) -> list[Canary]:
    """The canaries that a configuration names."""
    text = path.read_text()
    return [canary for name, canary in PEERS.items() if f"${{{name}}}" in text]


def _talk(canaries: Iterable[Canary]) -> None:
    """A library that logs all it is given, and fails with it."""
    library = logging.getLogger("a.talkative.library")
    for canary in canaries:
        library.debug("connecting with %s", _told(canary.text), extra={"value": canary.text, "all": [canary.text]})
        try:
            raise RuntimeError(f"cannot connect with {_told(canary.text)}")
        except RuntimeError:
            library.exception("failed with %r", canary.text)


def command(*arguments: str) -> str:
    """What a command prints, on both streams, and the traceback of a fault."""
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        try:
            main(list(arguments))
        except SystemExit:
            pass
        except Exception:
            sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
    return f"{' '.join(arguments[:1])}: {printed.getvalue()}\n"


def faults(canaries: Iterable[Canary]) -> str:
    """What Python prints of a fault, of one in a thread, and of a warning where a command has set up no log."""
    said = " ".join(_told(canary.text) for canary in canaries)

    def fail() -> None:
        raise RuntimeError(said)

    command("--version")  # from the first command on, Python prints faults as the command line says
    printed = io.StringIO()
    assert logging.lastResort is not None
    with redirect_stderr(printed):
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        try:
            fail()
        except RuntimeError:
            sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        logging.lastResort.handle(logging.LogRecord("library", logging.WARNING, "", 1, said, None, None))
    return printed.getvalue()


def served(path: Path) -> str:
    """The answers of ``serve`` to questions that hold a token in every place, and its access log."""
    config = load(path)
    log = io.StringIO()
    token = API_TOKEN.text
    with closing(State.of(config)) as state:
        app = make_app(config, History(Path(config.history.path), config.zone), state, log=log)
        questions = [
            (BY_KEY_PATH, {"Authorization": f"Bearer {token}"}, {"from": "2026-03-17", "to": "2026-03-18"}),
            (BY_KEY_PATH, {"Authorization": f"Basic {token}"}, {"token": token}),
            (f"/v1/{token}", {"Cookie": token, "Referer": f"https://x.example/?t={token}"}, {token: "1"}),
        ]
        answers = [asked(app, *question) for question in questions]
    return log.getvalue() + "".join(f"{answer.status_code} {answer.headers} {answer.text}" for answer in answers)


def state_of(path: Path) -> str:
    """Every value of the state, the messages in it as their readers see them, and the bytes of its files."""
    parts = [each.read_bytes().decode("latin-1") for each in sorted(path.parent.glob("state.db*"))]
    connection = sqlite3.connect(path)
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for row in connection.execute(f'SELECT * FROM "{table}"'):
            parts += [_mail_text(value) if isinstance(value, bytes) else str(value) for value in row]
    connection.close()
    return "\n".join(parts)


def _parquet(path: Path) -> str:
    table = pq.read_table(path)
    return f"{table.to_pylist()} {table.schema.metadata}"


def _texts(paths: Iterable[Path]) -> str:
    return "\n".join(path.read_text("utf-8", "replace") for path in sorted(paths) if path.is_file())


def _members(path: Path) -> Iterator[str]:
    """The members of a backup, their tables of days and their compressed documents as text."""
    with tarfile.open(path) as archive:
        for member in archive:
            file = archive.extractfile(member)
            data = file.read() if file else b""
            if member.name.endswith(".parquet"):
                table = pq.read_table(io.BytesIO(data))
                yield f"{member.name} {table.to_pylist()} {table.schema.metadata}"
            elif member.name.endswith(".gz"):
                yield f"{member.name} {gzip.decompress(data)!r}"
            else:
                yield f"{member.name} {data.decode('latin-1')}"


def _mail_text(data: bytes) -> str:
    """A mail with its parts decoded; another message as it is."""
    mail = message_from_bytes(data, policy=policy.default)
    parts = [part.get_content() for part in mail.walk() if not part.is_multipart()] if mail.keys() else []
    return "\n".join([data.decode("utf-8", "replace"), *(str(part) for part in parts)])


def sightings(canary: Canary, text: str) -> int:
    """How often a text shows a part of a canary: as it stands, percent-encoded, or in base64."""
    seen = 0
    decoded = unquote(unquote(text)) if "%" in text else ""
    for mark in canary.marks:
        forms = [mark, *_in_base64(mark)]
        seen += sum(text.count(form) + decoded.count(form) for form in forms)
    return seen


def _in_base64(mark: str) -> list[str]:
    """The middle of a mark in base64, for each place in a group of three bytes where it may begin."""
    forms = []
    for before in range(3):
        text = base64.b64encode(b"\0" * before + mark.encode()).decode()
        forms.append(text[4 if before else 0 : (len(mark) + before) // 3 * 4])
    return forms


def table(canaries: Iterable[Canary], outputs: Mapping[str, str]) -> dict[tuple[str, str], int]:
    """Place and output: how often the canary of the place is seen there."""
    return {(canary.place, name): sightings(canary, text) for canary in canaries for name, text in outputs.items()}


def printed(found: Mapping[tuple[str, str], int]) -> str:
    """The table as text: a line for each place, a column for each output."""
    places = list(dict.fromkeys(place for place, _ in found))
    outputs = list(dict.fromkeys(output for _, output in found))
    lines = [f"{'':<38}" + "".join(f"{name[:12]:>13}" for name in outputs)]
    lines += [f"{place:<38}" + "".join(f"{found[place, name]:>13}" for name in outputs) for place in places]
    total = sum(found.values())
    lines.append(f"{len(places)} places x {len(outputs)} outputs, sightings {total}")
    return "\n".join(lines)


@contextmanager
def environment() -> Iterator[None]:
    """The canaries in the environment for the time of the block."""
    former = dict(os.environ)
    os.environ.update({name: canary.text for name, canary in PEERS.items()})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(former)

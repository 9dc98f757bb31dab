"""A real HTTP receiver on loopback that keeps what it was sent and answers as it was told."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread


@dataclass
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes
    method: str = "POST"


@dataclass
class Receiver:
    """The receiver's address, what came, and the answers it still has to give (200 when there is none)."""

    url: str = ""
    requests: list[Received] = field(default_factory=list)
    answers: list[tuple[int, bytes, dict[str, str]]] = field(default_factory=list)
    usual: bytes = b"{}"

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Give this answer next."""
        self.answers.append((status, body, {name.replace("_", "-"): value for name, value in headers.items()}))


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver for the time of the block."""
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            kept.requests.append(Received(self.path, headers, body, self.command))
            status, text, extra = kept.answers.pop(0) if kept.answers else (200, kept.usual, {})
            self.send_response(status)
            for name, value in {"Content-Length": str(len(text)), **extra}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Dripping:
    """A server whose answers never end: its address, and whether a client has hung up."""

    url: str
    hung_up: Event = field(default_factory=Event)


@contextmanager
def dripping(beginning: bytes) -> Iterator[Dripping]:
    """A server that answers with these bytes, and with another byte now and then."""
    done = Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Dripping(f"http://127.0.0.1:{listener.getsockname()[1]}")

        def drip(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                connection.sendall(beginning)
                while not done.wait(0.02):
                    connection.sendall(b"H")
            server.hung_up.set()

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    Thread(target=drip, args=(connection,)).start()

        thread = Thread(target=accept)
        thread.start()
        try:
            yield server
        finally:
            done.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()

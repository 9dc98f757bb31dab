"""The server: one process with one thread that answers until a signal stops it."""

from __future__ import annotations

import gc
import ipaddress
import json
import logging
import signal
import socket
import sys
from contextlib import closing
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from detector.config.config import Config
from detector.model.errors import ConfigError
from detector.serve.app import make_app
from detector.serve.middleware import LARGEST_HEADERS
from detector.serve.preparation import PreparingProcess
from detector.state.database import State
from detector.usage.history import History

MOST_CONNECTIONS = 256
IDLE_SECONDS = 15
GRACE_SECONDS = 10
_LOG = logging.getLogger(__name__)


def run_server(config: Config, host: str, port: int) -> None:
    """Answer until SIGTERM or SIGINT, then let running requests end. Port 0 takes a free one.

    The first line on stderr says where, as JSON like the access log after it.
    """
    history = History(Path(config.history.path), config.zone)
    with (
        closing(State.of(config)) as state,
        closing(_listener(host, port)) as listener,
        closing(PreparingProcess(history)) as small,
        closing(PreparingProcess(history)) as large,
    ):
        small.start()
        large.start()
        server = uvicorn.Server(_settings(config, make_app(config, history, state, small=small, large=large)))
        # What was imported lives as long as the server. Looking through it again and again would hold up requests.
        gc.freeze()
        for ending in (signal.SIGTERM, signal.SIGINT):
            signal.signal(ending, _stopped)  # uvicorn raises the signal once more when it has stopped
        address = listener.getsockname()
        name = f"[{address[0]}]" if ":" in address[0] else address[0]
        print(json.dumps({"listening": f"http://{name}:{address[1]}"}), file=sys.stderr, flush=True)
        if not ipaddress.ip_address(address[0]).is_loopback:
            _LOG.warning("tokens cross the network in clear: put a TLS proxy in front (docs/serve.md)")
        server.run(sockets=[listener])


def _settings(config: Config, app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=list(config.serve.trusted_proxies),
        limit_concurrency=MOST_CONNECTIONS,
        h11_max_incomplete_event_size=LARGEST_HEADERS,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=MOST_CONNECTIONS)
    except (OSError, OverflowError) as error:
        problem = error.strerror if isinstance(error, OSError) else "no such port"
        raise ConfigError(
            f"cannot listen on {host} port {port}: {problem}; choose others with --host and --port"
        ) from None


def _stopped(number: int, frame: object) -> None:
    """The end that was asked for is a good end."""

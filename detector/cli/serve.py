"""``serve`` and ``token``: the by-key endpoint over the history, and the tokens of its callers."""

# ruff: noqa: PLC0415  heavy imports wait until needed

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from detector.boundary.suggestions import did_you_mean
from detector.boundary.text import visible
from detector.cli.options import DAY, Command, Group, configured, load_config
from detector.model.errors import ConfigError

if TYPE_CHECKING:
    from detector.config.config import Config
    from detector.state.database import State

LONGEST_NAME = 100


@click.command(
    cls=Command,
    epilog="""Examples:
      python -m detector token create --organization acme --name warehouse
      python -m detector serve
      python -m detector serve --host 0.0.0.0 --port 8443
      curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8080/v1/analytics/usage/by-key""",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="The port; 0 chooses a free one.",
)
@configured
def serve(path: Path, overrides: Sequence[str], host: str, port: int) -> None:
    """Serve GET /v1/analytics/usage/by-key from the history, and the reports.

    Callers need a token from `token create`. The server runs until SIGTERM or Ctrl-C, and writes its access log
    to stderr as JSON lines. It uses plain HTTP, so put a TLS proxy in front of it.
    """
    config = load_config(path, overrides)
    try:
        from detector.serve.server import run_server
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("fastapi", "uvicorn", "starlette"):
            raise
        raise ConfigError("serve needs further packages: pip install 'key-usage-detector[serve]'") from None
    run_server(config, host, port)


@click.group(
    cls=Group,
    epilog="""Examples:
      python -m detector token create --organization acme --name warehouse --expires 2027-06-30
      python -m detector token list
      python -m detector token revoke warehouse""",
)
def token() -> None:
    """Create, list and revoke the tokens of the by-key endpoint."""


@token.command(
    cls=Command,
    epilog="""Examples:
      python -m detector token create --organization acme --name warehouse
      python -m detector token create --all-organizations --name siem --expires 2027-06-30""",
)
@click.option(
    "--organization", metavar="ORG", help="The token gives access to the keys of this organization only."
)
@click.option("--all-organizations", is_flag=True, help="The token gives access to every key and to the reports.")
@click.option(
    "--name", required=True, metavar="NAME", help="The name of the token in the log and for `token revoke`."
)
@click.option("--expires", type=DAY, help="The last day on which the token is accepted; without end by default.")
@configured
def create(
    path: Path,
    overrides: Sequence[str],
    organization: str | None,
    all_organizations: bool,
    name: str,
    expires: date | None,
) -> None:
    """Create a token and print it. Only its hash is stored, so it cannot be printed again."""
    from detector.state.tokens import ApiToken, add_token, hash_of, new_secret

    if (organization is None) != all_organizations or organization == "":
        raise ConfigError("say whose keys the token sees: --organization ORG, or --all-organizations")
    with _opened(path, overrides) as (config, state):
        now = datetime.now(UTC)
        secret = new_secret()
        _require_new(state, name)
        add_token(state, ApiToken(name, organization, hash_of(secret), now, _end(expires, now, config)))
    sees = "all organizations" if organization is None else f"the keys of {visible(organization)!r}"
    until = f" until {expires}" if expires else ""
    click.echo(f"Token {visible(name)!r} sees {sees}{until}. It is shown this once:", err=True)
    click.echo(secret)


@token.command(
    "list",
    cls=Command,
    epilog="""Example:
      python -m detector token list --all""",
)
@click.option("--all", "everything", is_flag=True, help="Also list revoked and expired tokens.")
@configured
def list_tokens(path: Path, overrides: Sequence[str], everything: bool) -> None:
    """List the accepted tokens with their names, organizations and days, but without their secrets."""
    from detector.state.tokens import all_tokens

    with _opened(path, overrides) as (_, state):
        now = datetime.now(UTC)
        for stored in all_tokens(state):
            if not (everything or stored.is_valid(now)):
                continue
            sees = "all organizations" if stored.organization is None else visible(stored.organization)
            end = f", until {stored.expires_at:%Y-%m-%d %H:%M} UTC" if stored.expires_at else ""
            revoked = f", revoked {stored.revoked_at:%Y-%m-%d}" if stored.revoked_at else ""
            click.echo(f"{visible(stored.name)}  {sees}  made {stored.created_at:%Y-%m-%d}{end}{revoked}")


@token.command(
    cls=Command,
    epilog="""Example:
      python -m detector token revoke warehouse""",
)
@click.argument("name")
@configured
def revoke(path: Path, overrides: Sequence[str], name: str) -> None:
    """Revoke a token for good. A running server refuses it within five seconds."""
    from detector.state.tokens import all_tokens, revoke_tokens

    with _opened(path, overrides) as (_, state):
        if not revoke_tokens(state, name, datetime.now(UTC)):
            others = [stored.name for stored in all_tokens(state) if stored.revoked_at is None]
            hint = did_you_mean(name, others) or "; `token list` shows what there is"
            raise ConfigError(f"there is no token {visible(name)!r} to revoke{hint}")
    click.echo(f"Token {visible(name)!r} revoked.")


@contextmanager
def _opened(path: Path, overrides: Sequence[str]) -> Iterator[tuple[Config, State]]:
    from detector.state.database import State

    config = load_config(path, overrides)
    with closing(State.of(config)) as state:
        yield config, state


def _require_new(state: State, name: str) -> None:
    from detector.state.tokens import all_tokens

    if not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
        raise ConfigError(f"--name: up to {LONGEST_NAME} characters that can be seen")
    if any(stored.name == name and stored.revoked_at is None for stored in all_tokens(state)):
        raise ConfigError(f"there is a token {visible(name)!r} already; revoke it first, or choose another name")


def _end(expires: date | None, now: datetime, config: Config) -> datetime | None:
    """The first instant at which a token is no longer accepted; None for a token without end."""
    from detector.model.day import Day

    if expires is None:
        return None
    try:
        end = Day(expires + timedelta(days=1), config.zone).start
    except OverflowError:
        raise ConfigError(f"--expires {expires}: too far away; leave it out for a token without an end") from None
    if end <= now:
        raise ConfigError(f"--expires {expires} is over already")
    return end

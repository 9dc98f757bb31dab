"""``deliver``: send the waiting messages of the outbox, list them, or test the channels."""

# ruff: noqa: PLC0415  heavy imports wait until needed

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from detector.boundary.text import visible
from detector.boundary.words import counted
from detector.cli.options import Command, configured, load_config
from detector.model.errors import DONE, PARTIAL, ConfigError

if TYPE_CHECKING:
    from detector.config.config import Config
    from detector.state.database import State


@click.command(
    cls=Command,
    epilog="""Examples:
      python -m detector deliver
      python -m detector deliver --list
      python -m detector deliver --now
      python -m detector deliver --test""",
)
@click.option(
    "--list", "listed", is_flag=True, help="List waiting messages and those that failed for good; send nothing."
)
@click.option("--now", "at_once", is_flag=True, help="Also send messages that wait for a later attempt.")
@click.option(
    "--test", "trial", is_flag=True, help="Send one harmless message to every recipient of every channel."
)
@configured
def deliver(path: Path, overrides: Sequence[str], listed: bool, at_once: bool, trial: bool) -> None:
    """Send the due messages of the outbox: those of earlier runs that no receiver has accepted yet.

    Every run does the same when it ends. Between runs, you may call this command every few minutes.
    """
    from detector.state.database import State

    if listed + at_once + trial > 1:
        raise ConfigError("--list, --now and --test exclude one another")
    config = load_config(path, overrides)
    if trial:
        sys.exit(_try(config))
    with closing(State.of(config)) as state:
        sys.exit(_list(state) if listed else _drain(config, state, at_once))


def _drain(config: Config, state: State, at_once: bool) -> int:
    from detector.delivery import open_channels
    from detector.delivery.outbox import Outbox

    done = Outbox(state, open_channels(config)).drain(datetime.now(UTC), everything=at_once)
    for failure in done.failures:
        click.echo(f"detector: {visible(failure)}", err=True)
    if done.busy:
        click.echo("detector: another process is sending", err=True)
    click.echo(f"{done.sent:,} sent, {done.waiting:,} waiting.")
    return PARTIAL if done.failures else DONE


def _list(state: State) -> int:
    """Print one line per undelivered message, and its last error below it."""
    from detector.delivery.outbox import kept
    from detector.state.messages import WAITING

    stored = kept(state)
    for item in stored:
        message = item.message
        status = "failed for good"
        if item.status == WAITING:
            status = f"next attempt from {item.next_attempt_at:%Y-%m-%d %H:%M} UTC"
        attempts = counted(item.attempts, "attempt")
        receiver = f"{message.channel} to {message.recipient}"
        click.echo(visible(f"{message.day}  {receiver}  {message.subject}  [{attempts}, {status}]"))
        if item.error:
            click.echo(visible(f"            {item.error}"))
    if not stored:
        click.echo("Nothing waits, and nothing failed.")
    return DONE


def _try(config: Config) -> int:
    """Send a test message to every recipient, print each result, and return the exit code."""
    from detector.delivery import open_channels
    from detector.model.errors import DeliveryError

    code = DONE
    messages = 0
    for channel in open_channels(config):
        for message in channel.trial(datetime.now(UTC)):
            messages += 1
            try:
                channel.send(message)
                click.echo(visible(f"{channel.name} to {message.recipient}: accepted"))
            except DeliveryError as error:
                click.echo(visible(f"{channel.name} to {message.recipient}: {error}"))
                code = PARTIAL
    if not messages:
        click.echo("No channel is configured; see `delivery` in the configuration.")
    return code

"""What the commands share: help that prints its examples as written, days, the configuration."""

# ruff: noqa: PLC0415  heavy imports wait until needed

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from detector.config.config import Config


def verbatim_epilog(command: click.Command, formatter: click.HelpFormatter) -> None:
    """Write the examples below a command's help line by line, as they can be copied."""
    if command.epilog:
        formatter.write_paragraph()
        formatter.write(
            "\n".join(line.strip() and f"  {line.strip()}" for line in command.epilog.splitlines()) + "\n"
        )


class Command(click.Command):
    """A command whose examples are printed as written."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples, verbatim."""
        verbatim_epilog(self, formatter)


class Group(click.Group):
    """A group of commands whose examples are printed as written."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples, verbatim."""
        verbatim_epilog(self, formatter)


class _Day(click.ParamType[date]):
    """A day, as YYYY-MM-DD."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        try:
            return value if isinstance(value, date) else date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a day; write it as YYYY-MM-DD", param, ctx)


DAY = _Day()


def configured(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that go with every command."""
    command = click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Override a configuration value, as in --set detection.minimum_requests=50. Repeatable.",
    )(command)
    return click.option(
        "--config",
        "path",
        type=click.Path(path_type=Path),
        multiple=True,
        default=(Path("config.yaml"),),
        show_default=True,
        callback=_only_one,
        help="The configuration file.",
    )(command)


def _only_one(_context: click.Context, _parameter: click.Parameter, paths: tuple[Path, ...]) -> Path:
    """The configuration file. With two of them, nobody knows which one is meant."""
    if len(paths) > 1:
        raise click.UsageError("--config is given more than once; a run has one configuration")
    return paths[0]


def day_option(text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``--day`` with its help; under its former name ``--night`` it is an error that says so."""

    def renamed(_context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            raise click.UsageError("--night is called --day now")

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        former = click.option("--night", hidden=True, expose_value=False, callback=renamed)
        return click.option("--day", type=DAY, help=text)(former(command))

    return decorate


def load_config(path: Path, overrides: Sequence[str]) -> Config:
    """The configuration a command was given."""
    from detector.config.load import load

    return load(path, overrides)

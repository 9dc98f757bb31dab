"""Options that several commands share."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from detector.cli.main import cli


@pytest.mark.parametrize("command", ["run", "explain key_7f3a", "triage verdict --finding 3fa9c1d2 true"])
def test_the_former_option_is_an_error_that_gives_the_new_name(command: str) -> None:
    """It reaches nobody as an unknown option, and nothing is run."""
    result = CliRunner().invoke(cli, [*command.split(), "--night", "2026-11-22"])
    assert result.exit_code == 2
    assert "--night is called --day now" in result.output


@pytest.mark.parametrize("command", ["run", "check", "usage", "report 2026-11-22", "serve", "token list"])
def test_two_configurations_are_an_error(command: str) -> None:
    """The last one won without a word."""
    result = CliRunner().invoke(cli, [*command.split(), "--config", "a.yaml", "--config", "b.yaml"])
    assert result.exit_code == 2
    assert "--config is given more than once" in result.output

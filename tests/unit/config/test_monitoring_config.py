"""The section ``monitoring``: what it takes, and that its errors repeat no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.config.config import Config
from detector.config.load import load
from detector.model.errors import ConfigError

SECRET = "5bf66975d4c74bf5"


def read(folder: Path, *lines: str, **environment: str) -> Config:
    """A configuration with these lines under ``monitoring``."""
    text = "".join(f"  {line}\n" for line in lines)
    (folder / "config.yaml").write_text("source: {kind: files, usage: usage.csv}\nmonitoring:\n" + text)
    return load(folder / "config.yaml", environment=environment)


def test_the_address_may_come_from_the_environment_and_is_not_shown(tmp_path: Path) -> None:
    """It is a secret like a password."""
    config = read(tmp_path, "ping_url: https://hc-ping.com/${PING}", PING=SECRET)
    assert config.monitoring.ping_url is not None
    assert config.monitoring.ping_url.get_secret_value() == f"https://hc-ping.com/{SECRET}"
    assert SECRET not in repr(config)


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        (f"ftp://hc-ping.com/{SECRET}", "must begin with https:// or http:// and name a host"),
        (f"/{SECRET}", "must begin with https:// or http:// and name a host"),
        (f"https://user:{SECRET}@hc-ping.com/x", "must hold no user or password"),
        (f"https://hc-ping.com:port/{SECRET}", "not a URL"),
        (f"https://{'a' * 64}.com/{SECRET}", "not a URL"),
        (f"https://hc-ping.com/{SECRET}\n", "must be one line of plain characters"),
        ("", "must be one line of plain characters without spaces; is the variable set and not empty?"),
    ],
)
def test_a_wrong_address_is_an_error_that_does_not_repeat_it(tmp_path: Path, address: str, problem: str) -> None:
    """Found when the configuration is read, before any run."""
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, "ping_url: ${PING}", PING=address)
    assert f"monitoring.ping_url: {problem}" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_the_metrics_file_lies_relative_to_the_configuration(tmp_path: Path) -> None:
    """As every path does."""
    assert read(tmp_path, "metrics_file: a/detector.prom").monitoring.metrics_file == str(
        tmp_path / "a/detector.prom"
    )


def test_a_metrics_file_that_nobody_reads_is_an_error(tmp_path: Path) -> None:
    """node_exporter takes *.prom alone."""
    with pytest.raises(ConfigError, match=r"monitoring\.metrics_file: must end with \.prom: node_exporter"):
        read(tmp_path, "metrics_file: metrics.txt")


def test_an_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    """As everywhere in the configuration."""
    with pytest.raises(ConfigError, match=r"unknown key monitoring\.ping_ulr, did you mean ping_url"):
        read(tmp_path, "ping_ulr: https://hc-ping.com/x")

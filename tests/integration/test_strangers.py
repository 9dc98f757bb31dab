"""What strangers send loses no finding on another key, and makes nothing large; ``benchmarks`` has the tables."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.exposure import attacked, measured, prepare
from benchmarks.strangers import Attack, Organization
from detector.cli.main import cli
from detector.judging.strangers import MOST_TOLD
from detector.usage.strangers import MOST_STRANGERS

NAMES = 3_000
KEYS = 300


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The demo's organization, with its history up to the day."""
    folder = tmp_path_factory.mktemp("demo") / "demo"
    prepare(folder)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("register", [True, False])
def test_invented_keys_lose_no_finding(demo: Path, tmp_path: Path, register: bool) -> None:
    """Refused or accepted, few or many, with a past of their own or without one."""
    organization = Organization(demo, tmp_path / "organization", register=register)
    for attack in (Attack(30, "refused", "both", 100), Attack(300, "accepted", "day", 20)):
        row = organization.under(attack)
        assert row.lost == (), attack
        assert row.findings > 10
        assert row.invented <= 3 * MOST_TOLD


def test_invented_names_make_nothing_large(demo: Path, tmp_path: Path) -> None:
    """Report, mail and history grow by a bounded amount, and the day after has no row of theirs."""
    sizes = {}
    for attack in ("before", "keys", "endpoints", "deployments"):
        folder = tmp_path / attack
        shutil.copytree(demo, folder)
        attacked(folder, attack, NAMES)
        sizes[attack] = measured(folder)
    without = sizes.pop("before")
    for attack, found in sizes.items():
        assert found["report.html"] < without["report.html"] + 30_000, attack
        assert found["report.json"] < without["report.json"] + 50_000, attack
        assert found["mail"] < without["mail"] + 20_000, attack
        assert found["history"] < without["history"] + 10_000, attack
        assert found["rows a day later"] == without["rows a day later"] == KEYS, attack
    assert sizes["keys"]["rows"] == KEYS + MOST_STRANGERS + 1


def test_usage_tells_of_the_keys_that_count_together(tmp_path: Path) -> None:
    """They are no key of the answer, the busiest one is, and all records are counted."""
    names = ["mine", "leaked", "leaked", *(f"junk{number:03d}" for number in range(150))]
    lines = [f"2026-03-17T12:00:00Z,{name},GET /v1/things,200" for name in names]
    (tmp_path / "usage.csv").write_text("\n".join(["timestamp,key_id,endpoint,status", *lines]))
    (tmp_path / "keys.csv").write_text("key_id,name\nmine,Mine\n")
    config = tmp_path / "config.yaml"
    config.write_text("source: {kind: files, usage: usage.csv, keys: keys.csv}\n")
    told = CliRunner().invoke(cli, ["usage", "--config", str(config), "--from", "2026-03-17", "--format", "json"])
    answer = json.loads(told.stdout)
    assert answer["total_keys"] == 1 + MOST_STRANGERS
    assert answer["keys"][0]["key_id"] == "leaked"
    assert "the others of many unregistered keys have requests that are not in the answer" in told.stderr
    assert "revoked" not in told.stderr

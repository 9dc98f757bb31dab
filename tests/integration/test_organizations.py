"""Organizations that share one state: none sees or disturbs another.

``tests/unit/state/test_shared_state.py`` has sixty days of everything that is stored.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from detector.cli.main import cli
from detector.config.config import Config
from detector.state.database import State
from detector.state.runs import only_run
from detector.state.sightings import days_judged
from tests.organizations import FIRST, fleet, installed, morning, reports, small_fleets

ORGANIZATIONS = ("acme", "globex", "initech")


@pytest.fixture
def shared(tmp_path: Path, state_url: str) -> list[Config]:
    """acme and globex over one source and one state."""
    fleet(tmp_path)
    return [installed(tmp_path, name, state_url, name) for name in ("acme", "globex")]


def march(day: int) -> date:
    """A day of March 2026."""
    return date(2026, 3, day)


def four_mornings(acme: Config, globex: Config) -> None:
    """Both judge 11 March, globex alone judges 12 March, then acme comes back."""
    morning(acme, march(12))
    morning(globex, march(12))
    morning(globex, march(13))
    morning(acme, march(14))


def test_mornings_on_one_state_are_as_on_two(tmp_path: Path, shared: list[Config]) -> None:
    """acme judges the day that globex judged, its finding goes on, and it hears of no key of globex."""
    alone = [
        installed(tmp_path, name, f"sqlite:///{tmp_path}/{name}.db", f"{name}2") for name in ("acme", "globex")
    ]
    four_mornings(*shared)
    four_mornings(*alone)
    for together, apart in zip(shared, alone, strict=True):
        assert reports(together) == reports(apart)
    acme, globex = map(reports, shared)
    assert list(acme) == ["2026-03-11", "2026-03-12", "2026-03-13"]
    assert "gx-" not in json.dumps(acme)
    silent = {day: {item["key_id"]: item["status"] for item in report["findings"]} for day, report in acme.items()}
    assert [found["pay-v1"] for found in silent.values()] == ["new", "ongoing", "ongoing"]
    assert [item["key_id"] for item in globex["2026-03-12"]["findings"]] == ["gx-00"]


def test_the_doctor_is_content_with_each(shared: list[Config], tmp_path: Path) -> None:
    """The days of one are no damage to the other."""
    four_mornings(*shared)
    for name in ("acme", "globex"):
        result = CliRunner().invoke(cli, ["doctor", "--config", str(tmp_path / f"{name}.yaml")])
        assert result.exit_code == 0, result.output


def test_runs_of_two_organizations_go_on_side_by_side(shared: list[Config]) -> None:
    """The lock of a run is that of one installation."""
    acme, globex = shared
    with closing(State.of(acme)) as state, only_run(state):
        morning(globex, march(12))
    with closing(State.of(globex)) as state:
        assert days_judged(state) == {march(11): True}


def test_mornings_of_three_organizations_are_as_on_three_states(tmp_path: Path) -> None:
    """Whichever jobs are down on whichever mornings, and in whatever order the others run."""
    small_fleets(tmp_path, ORGANIZATIONS)
    shared = [installed(tmp_path, name, f"sqlite:///{tmp_path}/shared.db", name) for name in ORGANIZATIONS]
    alone = [installed(tmp_path, name, f"sqlite:///{tmp_path}/{name}.db", f"{name}2") for name in ORGANIZATIONS]
    for configs in (shared, alone):
        ten_mornings(configs)
    for together, apart in zip(shared, alone, strict=True):
        assert reports(together) == reports(apart)
    everything = [report for config in shared for report in reports(config).values()]
    # Mornings without a finding, and without one that ended, would say nothing of the state.
    assert {"new", "resolved"} <= {finding["status"] for report in everything for finding in report["findings"]}


def ten_mornings(configs: Sequence[Config]) -> None:
    """Run each installation on most mornings, in an order by chance."""
    chance = random.Random(3)
    for number in range(10):
        at_work = [config for config in configs if chance.random() < 0.7]
        for config in chance.sample(at_work, len(at_work)):
            morning(config, FIRST + timedelta(days=41 + number))

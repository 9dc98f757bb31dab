"""The demo: the first thing a stranger sees."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from detector.cli.demo import JUDGED_DAY
from detector.cli.main import main


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo, made once."""
    out = tmp_path_factory.mktemp("demo")
    with pytest.raises(SystemExit) as ended:
        main(["demo", "--out", str(out)])
    assert ended.value.code == 0
    return out


def test_every_planted_incident_is_in_the_report(demo: Path) -> None:
    """By key and type, and nothing else is raised by chance but what the budget allows."""
    document = json.loads((demo / "var" / "reports" / str(JUDGED_DAY) / "report.json").read_text())
    found = {(item["key_id"] or "", item["type"]) for item in document["findings"]}
    with (demo / "planted.csv").open() as file:
        planted = {(row["key_id"], row["type"]) for row in csv.DictReader(file)}
    assert planted <= found
    assert len(found - planted) <= 4
    assert {kind for _, kind in planted} == {
        "usage_spike",
        "dormant_wake",
        "environment_mismatch",
        "data_quality",
        "error_surge",
        "endpoint_shift",
        "revoked_key_use",
        "new_key_burst",
    }


def test_the_answer_is_the_contract_and_has_keys_never_used(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Active keys only, sorted by requests, sums that add up."""
    with pytest.raises(SystemExit):
        main(["usage", "--config", str(demo / "config.yaml"), "--from", str(JUDGED_DAY), "--format", "json"])
    answer = json.loads(capsys.readouterr().out)
    keys = answer["keys"]
    assert answer["total_keys"] == len(keys)
    assert [(-key["request_count"], key["key_id"]) for key in keys] == sorted(
        (-key["request_count"], key["key_id"]) for key in keys
    )
    assert all(sum(key["endpoint_distribution"].values()) == key["request_count"] for key in keys)
    assert any(key["last_activity"] is None for key in keys)
    assert any("{id}" in endpoint for key in keys for endpoint in key["endpoint_distribution"])

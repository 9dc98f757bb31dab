"""The command line as its users type it, over a small organization in CSV files."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from detector.cli.main import cli, main

JOBS = Path(__file__).parents[2] / "jobs"
DAY = date(2026, 3, 17)
FIRST = DAY - timedelta(days=60)


@pytest.fixture
def organization(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six keys over sixty days in the current folder; ``hot`` spikes and ``lab`` strays on the last."""
    rows = []
    for offset in range(61):
        day = FIRST + timedelta(days=offset)
        for number in range(5):
            rows.append(
                (day, f"key{number}", "GET /v1/things", "production", 40 + (offset * 7 + number) % 5, number % 2)
            )
        rows.append((day, "hot", "GET /v1/things", "production", 2_000 if day == DAY else 30 + offset % 4, 0))
        rows.append((day, "lab", "GET /v1/things", "staging", 12, 0))
    rows.append((DAY, "lab", "GET /v1/things", "production", 3, 0))
    write(tmp_path / "usage.csv", "day key_id endpoint deployment request_count error_count", rows)
    keys = [(f"key{number}", f"service {number}", "live", "payments", "") for number in range(5)]
    keys += [
        ("hot", "hot path", "live", "search", ""),
        ("lab", "lab", "test", "data", ""),
        ("idle", "idle", "live", "data", ""),
    ]
    keys += [("gone", "gone", "live", "data", "2026-01-01")]
    write(tmp_path / "keys.csv", "key_id name environment team revoked_at", keys)
    (tmp_path / "config.yaml").write_text(
        "source: {kind: files, shape: daily, usage: usage.csv, keys: keys.csv}\nhistory: {first_pull_days: 60}\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, header: str, rows: list[tuple[object, ...]]) -> None:
    """A CSV file."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header.split(), *rows])


class Console:
    """Calls the command line in this process and keeps what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys
        self.error = ""

    def __call__(self, *arguments: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        output, self.error = self.capsys.readouterr()
        assert ended.value.code == code, self.error
        return output


@pytest.fixture
def detector(capsys: pytest.CaptureFixture[str]) -> Console:
    """The command line."""
    return Console(capsys)


def test_run_prints_the_verdict_and_where_the_report_lies(organization: Path, detector: Console) -> None:
    """And writes both formats."""
    output = detector("run", "--day", str(DAY))
    assert output.startswith("Two keys need a look.")
    folder = organization / "var" / "reports" / str(DAY)
    assert str(folder / "report.html") in output
    assert {path.name for path in folder.iterdir()} == {"report.html", "report.json"}
    assert "61 of 61 days" in detector.error


def test_a_bare_call_with_options_is_run(organization: Path, detector: Console) -> None:
    """As a scheduler writes it."""
    assert detector("--day", str(DAY), "--config", "config.yaml").startswith("Two keys need a look.")


def test_run_as_json_is_the_report(organization: Path, detector: Console) -> None:
    """stdout is the document and nothing else."""
    document = json.loads(detector("run", "--day", str(DAY), "--format", "json"))
    assert {(item["type"], item["key_id"]) for item in document["findings"]} == {
        ("usage_spike", "hot"),
        ("environment_mismatch", "lab"),
    }


@pytest.mark.parametrize(("severity", "code"), [("high", 3), ("critical", 0)])
def test_fail_on_makes_findings_an_exit_code(
    organization: Path, detector: Console, severity: str, code: int
) -> None:
    """Three with a finding at or above, else zero."""
    detector("run", "--day", str(DAY), "--fail-on", severity, code=code)


def test_usage_as_json_is_exactly_the_contract(organization: Path, detector: Console) -> None:
    """Sorted by requests, zero-request keys in, revoked ones out, and nothing but the agreed fields."""
    answer = json.loads(detector("usage", "--from", str(DAY), "--format", "json"))
    assert set(answer) == {"keys", "total_keys"}
    assert answer["total_keys"] == len(answer["keys"]) == 8
    assert answer["keys"][0] == {
        "key_id": "hot",
        "name": "hot path",
        "environment": "live",
        "request_count": 2_000,
        "endpoint_distribution": {"GET /v1/things": 2_000},
        "error_count": 0,
        "last_activity": "2026-03-17T00:00:00Z",
    }
    assert [key["request_count"] for key in answer["keys"]] == sorted(
        (key["request_count"] for key in answer["keys"]), reverse=True
    )
    assert answer["keys"][-1]["key_id"] == "idle"
    assert answer["keys"][-1]["last_activity"] is None


def test_usage_of_a_period_adds_up(organization: Path, detector: Console) -> None:
    """Both ends included."""
    answer = json.loads(
        detector("usage", "--from", str(DAY - timedelta(days=1)), "--to", str(DAY), "--format", "json")
    )
    by_key = {key["key_id"]: key["request_count"] for key in answer["keys"]}
    assert by_key["lab"] == 12 + 12 + 3


def test_usage_as_csv_cannot_be_a_formula(organization: Path, detector: Console) -> None:
    """A name that a spreadsheet would run is defused."""
    with (organization / "keys.csv").open("a") as file:
        file.write('evil,"=cmd|x",live,data,\n')
    rows = list(csv.DictReader(detector("usage", "--from", str(DAY), "--format", "csv").splitlines()))
    (evil,) = [row for row in rows if row["key_id"] == "evil"]
    assert evil["name"] == "'=cmd|x"


def test_usage_as_a_table_names_every_key(organization: Path, detector: Console) -> None:
    """For people."""
    output = detector("usage", "--from", str(DAY))
    assert "hot path" in output
    assert "8 active keys" in output


def test_backfill_says_what_it_pulled(organization: Path, detector: Console) -> None:
    """And keeps what is there."""
    assert detector("backfill", "--from", str(FIRST), "--to", str(DAY)).startswith("61 of 61 days pulled")
    assert detector("backfill", "--from", str(FIRST), "--to", str(DAY)).startswith("0 of 61 days pulled, 61 were")


def test_backtest_writes_findings_scores_and_a_summary(organization: Path, detector: Console) -> None:
    """One line per day, key and type; a score per judged key-day; the state untouched."""
    first = DAY - timedelta(days=2)
    summary = json.loads(detector("backtest", "--from", str(first), "--to", str(DAY), "--out", "bt"))
    assert summary["days"] == 3
    lines = [json.loads(line) for line in (organization / "bt" / "findings.ndjson").read_text().splitlines()]
    assert {(line["day"], line["key_id"], line["type"]) for line in lines} == {
        (str(DAY), "hot", "usage_spike"),
        (str(DAY), "lab", "environment_mismatch"),
    }
    rows = list(csv.DictReader((organization / "bt" / "scores.csv").read_text().splitlines()))
    assert len(rows) == 3 * 8
    assert "none yet" in detector("check")


def test_report_renders_a_past_day(organization: Path, detector: Console) -> None:
    """The same as was written then, but for what names the run."""
    detector("run", "--day", str(DAY))
    written = json.loads((organization / "var" / "reports" / str(DAY) / "report.json").read_text())
    shown = json.loads(detector("report", str(DAY), "--format", "json"))
    for part in ("report_id", "generated_at", "run"):
        written.pop(part), shown.pop(part)
    assert shown == written
    detector("report", str(DAY), "--out", "again.html")
    assert (organization / "again.html").read_text().lstrip().lower().startswith("<!doctype html>")


def test_explain_shows_why_a_key_fired_and_why_another_did_not(organization: Path, detector: Console) -> None:
    """Every detector has its say."""
    detector("run", "--day", str(DAY))
    fired = detector("explain", "hot", "--day", str(DAY))
    assert "Usage spike: a finding" in fired
    assert "Environment mismatch: no finding, the rule does not apply" in fired
    assert "Usage spike: no finding, score " in detector("explain", "key1")


def test_explain_of_a_mistyped_key_names_the_nearest(organization: Path, detector: Console) -> None:
    """Exit 2, with a hint."""
    detector("run", "--day", str(DAY))
    detector("explain", "hott", code=2)
    assert "did you mean hot" in detector.error


def test_check_says_what_is_there(organization: Path, detector: Console) -> None:
    """Configuration, columns, keys, reach, the last days, a record without the whole key, history, last run."""
    output = detector("check")
    assert "9 in the register" in output
    assert "day 2026-03-17" in output
    assert "columns" in output
    assert "a record" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "--config", "none.yaml"), "no configuration at none.yaml"),
        (("run", "--day", "yesterday"), "write it as YYYY-MM-DD"),
        (("run", "--day", "2999-01-01"), "has not begun yet"),
        (("run", "--day", "2020-01-01"), "lies before all data: the first use of a key is on"),
        (("usage", "--from", "2999-01-01"), "has not begun yet"),
        (("backfill", "--from", "2999-01-01", "--to", "2999-01-02"), "has not begun yet"),
        (("backfill", "--from", "2020-01-01", "--to", "2020-01-02"), "lies before all data"),
        (("usage", "--from", "2026-03-02", "--to", "2026-03-01"), "lies after"),
        (("run", "--set", "detection.methd=zscore"), "did you mean method?"),
        (("report", "2020-01-01"), "is not in the history"),
        (("explain", "hot"), "the history is empty"),
        (("frobnicate",), "No such command"),
    ],
)
def test_bad_usage_is_one_clear_line_and_exit_2(
    organization: Path, detector: Console, arguments: tuple[str, ...], message: str
) -> None:
    """It says what, where and what to do."""
    detector(*arguments, code=2)
    assert message in detector.error
    assert "Traceback" not in detector.error


def test_a_file_that_is_not_there_is_a_wrong_configuration_and_says_so(
    organization: Path, detector: Console
) -> None:
    """Exit 2: a report was written, but nobody could be judged."""
    (organization / "usage.csv").unlink()
    output = detector("run", "--day", str(DAY), code=2)
    assert output.startswith("The day could not be evaluated, because the source could not be read.")
    assert "usage.csv" in detector.error


@pytest.mark.parametrize("command", ["", *cli.commands])
def test_every_command_has_help_with_examples(detector: Console, command: str) -> None:
    """The examples can be copied."""
    arguments = [command, "--help"] if command else ["--help"]
    output = detector(*arguments)
    assert "Example" in output
    assert "python -m detector" in output


def test_the_module_runs_as_a_program(organization: Path) -> None:
    """A real process, results on stdout and progress on stderr."""
    command = [sys.executable, "-m", "detector", "usage", "--from", str(DAY), "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert json.loads(done.stdout)["total_keys"] == 8
    assert "Pulling" in done.stderr


def test_the_nightly_job_can_be_called_alone(organization: Path) -> None:
    """As a scheduler does; last day lies after these data, so nobody could be judged, which is no success."""
    with (organization / "config.yaml").open("a") as config:
        config.write("\nschedule: {deadline: '00:00'}\n")  # at whatever time of day this runs
    done = subprocess.run(
        [sys.executable, str(JOBS / "nightly.py")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    assert done.stdout.endswith(": The day could not be evaluated, because the source holds no request\n")

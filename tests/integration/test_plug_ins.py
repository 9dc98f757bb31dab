"""Plug-ins: one file and one registry line, and every other part knows what it has to know."""

from __future__ import annotations

import csv
import io
import json
import runpy
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from click.testing import CliRunner

from detector.cli.main import cli
from detector.config.load import load
from detector.config.plugins import REPORTERS
from detector.config.sections import DetectionSettings
from detector.delivery.mail import page as mail
from detector.delivery.mail.rendering import render
from detector.detectors import DETECTORS, Detector
from detector.detectors.description import Description
from detector.detectors.judgement import Judgement, excuses, score_frame
from detector.model.finding import Severity
from detector.model.finding_type import FindingType
from detector.model.panel import Panel
from detector.model.report import RunReport
from detector.model.triage import Precision
from detector.operations.monitoring import metrics
from detector.pipeline import Job, RunResult, panel_depth, run_day
from detector.reports.page.cards import facets
from detector.reports.page.html import page
from detector.reports.terminal import text
from detector.state.database import State
from detector.usage.history import History
from tests.fakes import FakeSource, groups
from tests.serving import DAY as SERVED_DAY
from tests.serving import serving

DAY = date(2026, 3, 17)
NOW = datetime(2026, 3, 18, 2, 30, tzinfo=UTC)
TOP = Path(__file__).parents[2]
Console = Callable[..., str]


# A detector


class BulkExport(Detector):
    """A made-up rule: keys with exactly 41 requests."""

    kind = "bulk_export"
    is_rule = True
    types: ClassVar[tuple[FindingType, ...]] = (
        FindingType(
            kind,
            is_rule,
            title="Data carried off",
            tag="carried",
            singular="key that carried data off",
            plural="keys that carried data off",
            severities=(Severity.MEDIUM,),
            counts_requests=True,
        ),
    )

    def judge(self, panel: Panel) -> Judgement:
        """Score 1 for such a key, else 0."""
        requests = panel.requests[:, -1].astype(float)
        score = (requests == 41).astype(float)
        return Judgement(score_frame(panel, score, observed=requests, not_judged=excuses(panel)), self._describe)

    def _describe(self, keys: list[str]) -> dict[str, Description]:
        return {
            key: Description("Data carried off", "41 requests.", Severity.MEDIUM, ("so many",), "high", ("Ask.",))
            for key in keys
        }


class OddVolume(BulkExport):
    """The same as a statistical detector that judges volume."""

    kind = "odd_volume"
    is_rule = False
    methods = ("zscore",)
    types = (replace(BulkExport.types[0], kind=kind, is_rule=is_rule),)

    @classmethod
    def days_before(cls, settings: DetectionSettings) -> int:
        """More than any other detector asks for."""
        return 200

    def judge(self, panel: Panel) -> Judgement:
        """Score 9 for such a key, and a past of zeros."""
        judgement = super().judge(panel)
        scores = judgement.scores.assign(score=judgement.scores["score"] * 9)
        return replace(judgement, scores=scores, past=np.zeros(1_000))


class Remark(BulkExport):
    """The same as a remark on the register, which waits for complete data."""

    kind = "remark"
    needs_complete_data = True
    types = (replace(BulkExport.types[0], kind=kind, counts_requests=False, is_inventory=True),)


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Register a detector with one line and run a day on which it names one of three keys; the outcome."""
    formats = "[html, json, ndjson, csv, ocsf, ocsf-1.4]"
    (tmp_path / "config.yaml").write_text(
        f"source: {{kind: files, usage: none.csv}}\nreport: {{formats: {formats}}}\n"
    )
    config = load(tmp_path / "config.yaml")

    def run(detector: type[Detector], pulled_at: datetime = NOW) -> RunResult:
        monkeypatch.setitem(DETECTORS, detector.kind, f"{__name__}:{detector.__name__}")
        usage = {DAY - timedelta(days=ago): groups(k0=40, k1=42, k2=43) for ago in range(20)}
        usage[DAY] = groups(k0=41, k1=42, k2=43)
        history = History(Path(config.history.path), config.zone)
        with closing(State.of(config)) as state:
            return run_day(Job(config, FakeSource(usage), history, state, pulled_at), DAY)

    run.config = config
    run.path = tmp_path / "config.yaml"
    return run


def written(outcome: RunResult, name: str) -> str:
    """The text of one of the files of a run."""
    (path,) = [path for path in outcome.files if path.name == name]
    return path.read_text()


def with_verdicts(report: RunReport) -> RunReport:
    """The report, as if people had judged three findings of the made-up type and one of another."""
    precision = {"bulk_export": Precision(3, 2), "usage_spike": Precision(1, 1)}
    return replace(report, summary=replace(report.summary, precision=precision))


def test_exports_have_a_made_up_type_with_its_title(made_up) -> None:
    """JSON, NDJSON and CSV."""
    outcome = made_up(BulkExport)
    assert not outcome.failures
    (whole,) = json.loads(written(outcome, "report.json"))["findings"]
    (line,) = [json.loads(line) for line in written(outcome, "report.ndjson").splitlines()]
    (row,) = csv.DictReader(io.StringIO(written(outcome, "report.csv")))
    for record in (whole, line, row):
        assert (record["type"], record["title"], record["key_id"]) == ("bulk_export", "Data carried off", "k0")


@pytest.mark.parametrize(
    ("detector", "analytic"), [(BulkExport, (1, "Rule")), (OddVolume, (3, "Statistical"))], ids=["rule", "volume"]
)
@pytest.mark.parametrize("name", ["report.ocsf.ndjson", "report.ocsf-1.4.ndjson"])
def test_ocsf_says_whether_a_made_up_type_is_found_by_a_rule(
    made_up, detector: type[Detector], analytic: tuple[int, str], name: str
) -> None:
    """A SIEM weighs the one otherwise than the other."""
    (event,) = [json.loads(line) for line in written(made_up(detector), name).splitlines()]
    stated: dict[str, Any] = event["finding_info"]["analytic"]
    assert stated["uid"] == detector.kind
    assert (stated["type_id"], stated["type"]) == analytic


def test_the_page_calls_a_made_up_type_by_its_names(made_up) -> None:
    """Its title on the card and in the filters, its tag in the table, its plural among the verdicts."""
    report = with_verdicts(made_up(BulkExport).report)
    shown = page(report)
    (card,) = shown["cards"]
    assert card.lead.finding.type == "bulk_export"
    assert [tag.word for row in shown["table"]["first"] for tag in row.tags] == ["carried"]
    assert "Of 3 keys that carried data off with a verdict, 2 were real." in shown["precision"]
    labels = {facet.name: [label for _, label, _ in facet.values] for facet in facets(report.findings)}
    assert labels["Kind"] == ["Data carried off"]


def test_only_a_type_that_counts_requests_has_its_range_behind_the_days(made_up) -> None:
    """On the page and in the mail; the range of a type that nobody states may be in other units."""
    report = made_up(BulkExport).report
    (finding,) = (replace(finding, low=1.0, high=9.0) for finding in report.findings)
    for kind, counts_requests in (("bulk_export", True), ("nobody_states_this", False)):
        shown = replace(report, findings=(replace(finding, type=kind),))
        assert page(shown)["cards"][0].has_range is counts_requests
        chart = mail.page([shown], mail.Audience(Severity.INFO), most=5, link=None).cards[0].chart
        assert chart is not None
        assert (chart.series.low is not None) is counts_requests


def test_a_made_up_remark_on_the_register_is_no_alarm(made_up) -> None:
    """It has a line of its own on the page."""
    shown = page(made_up(Remark).report)
    assert [finding.type for finding in shown["remarks"]] == ["remark"]
    assert shown["cards"] == []


def test_mail_and_terminal_call_a_made_up_type_by_its_names(made_up) -> None:
    """Its title with the finding, its plural among the verdicts."""
    report = with_verdicts(made_up(BulkExport).report)
    sentence = "Of 3 keys that carried data off with a verdict, 2 were real."
    written_mail = render(mail.page([report], mail.Audience(Severity.INFO), most=5, link=None), "example.com")
    for told in (written_mail.text, written_mail.html, text.render(report)):
        assert "Data carried off" in told
        assert sentence in " ".join(told.split())


def test_metrics_count_a_made_up_type_also_where_there_is_none(made_up) -> None:
    """One number for each severity, so that an alarm can be written before the first finding."""
    report = made_up(BulkExport).report
    with closing(State.of(made_up.config)) as state:
        lines = metrics.render(metrics.LastRun(NOW, 1.0, 0, report), state, made_up.config.zone).decode()
    assert 'detector_findings{severity="medium",type="bulk_export"} 1.0' in lines
    for severity in Severity:
        assert f'detector_findings{{severity="{severity}",type="bulk_export"}}' in lines


def test_the_reference_lists_a_made_up_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """With how it is found and its severities."""
    monkeypatch.setitem(DETECTORS, "bulk_export", f"{__name__}:BulkExport")
    reference = TOP / "docs" / "reference.py"
    assert "| `bulk_export` | Data carried off | rule | medium |\n" in runpy.run_path(str(reference))["findings"]()


def test_people_can_mute_a_made_up_type(made_up, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line knows its name, also before it found anything."""
    made_up(OddVolume)
    monkeypatch.setitem(DETECTORS, "bulk_export", f"{__name__}:BulkExport")
    about = ["--pattern", "k*", "--type", "bulk_export", "--config", str(made_up.path)]
    words = ["--reason", "known", "--until", "2026-04-01", "--by", "eve"]
    told = CliRunner().invoke(cli, ["triage", "mute", *about, *words])
    assert told.exit_code == 0
    assert "bulk_export only" in told.output


def test_a_made_up_detector_of_volume_is_chosen_by_its_method_and_shares_the_budget(made_up) -> None:
    """Half of the budget is for volume, for two detectors now; its threshold is among the report's."""
    budget = made_up(OddVolume).report.summary.budget
    assert {"usage_spike", "odd_volume"} <= set(budget.thresholds)
    settings = made_up.config.model_copy(update={"detection": DetectionSettings(method="isolation_forest")})
    assert panel_depth(settings) == panel_depth(made_up.config) == 200


def test_a_made_up_detector_that_needs_complete_data_waits_for_them(made_up) -> None:
    """What it would have named is withheld."""
    early = made_up(Remark, datetime(2026, 3, 17, 20, tzinfo=UTC))
    assert "remark" not in {finding.type for finding in early.report.findings}
    assert "silence" in early.report.coverage.withheld


# A preset, a report format, a channel and an SQL dialect


@pytest.fixture
def console(tmp_path: Path) -> Console:
    """The command line with the plug-ins; what it printed, on both streams."""

    def call(*arguments: str, code: int = 0) -> str:
        command = [sys.executable, "-m", "tests.plug_ins", *arguments]
        environment = {"PYTHONPATH": str(TOP), "HOME": str(tmp_path)}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    return call


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    """Three weeks of a steady key in the made-up log format."""
    lines = [
        {"when": f"{DAY - timedelta(days=age)}T12:{number:02}:00Z", "who": "a", "what": "/x", "code": 200}
        for age in range(21)
        for number in range(20)
    ]
    (tmp_path / "log.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (tmp_path / "config.yaml").write_text(
        f"""
source: {{kind: files, usage: log.jsonl, preset: mint}}
history: {{first_pull_days: 20}}
report: {{formats: [html, plain]}}
delivery: {{bell: [{{path: {tmp_path}/bell.txt}}]}}
"""
    )
    return tmp_path


def test_a_preset_is_named_read_and_listed(installation: Path, console: Console) -> None:
    """And a typing error in its name is found before anything is read."""
    assert "20 requests of 1 key" in console("check")
    assert "did you mean mint?" in console("check", "--set", "source.preset=mnt", code=2)
    assert "or `mint` or none" in console("reference")


def test_a_report_format_is_written_linked_offered_and_listed(installation: Path, console: Console) -> None:
    """By a run, the index page, the command line and the reference."""
    assert "report.plain.txt" in console("run", "--day", str(DAY), "--no-deliver")
    folder = installation / "var" / "reports"
    assert (folder / str(DAY) / "report.plain.txt").read_text().startswith("plain: ")
    assert f'href="{DAY}/report.plain.txt"' in (folder / "index.html").read_text()
    assert console("report", str(DAY), "--format", "plain").startswith("plain: ")
    assert "|plain]" in console("report", "--help")
    assert "did you mean plain?" in console("check", "--set", "report.formats=[plian]", code=2)
    assert "| `plain` | `report.plain.txt` | for tests: the verdict alone |" in console("reference")


def test_a_report_format_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is listed is answered, as what the format says it is."""
    monkeypatch.setitem(REPORTERS, "plain", "tests.plug_ins.plain:PlainReporter")
    with serving(tmp_path) as served:
        folder = Path(served.config.report.directory) / str(SERVED_DAY)
        folder.mkdir(parents=True)
        (folder / "report.plain.txt").write_text("plain: nothing new\n")
        token = served.token()
        (path,) = served.get("/v1/reports", token).json()["reports"][0]["files"]
        answer = served.get(path, token)
    assert path == f"/v1/reports/{SERVED_DAY}/report.plain.txt"
    assert answer.text == "plain: nothing new\n"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_a_channel_is_configured_shown_used_and_listed(installation: Path, console: Console) -> None:
    """With settings of its own, which are checked."""
    assert "delivery       bell main: rings in bell.txt" in console("check")
    assert "did you mean path?" in console("check", "--set", "delivery.bell=[{pth: x}]", code=2)
    console("run", "--day", str(DAY))
    assert (installation / "bell.txt").read_text() == f"ding {DAY}\n"
    reference = console("reference")
    assert "| `delivery.bell` | list of section | `[]` | Bells. |" in reference
    assert "| `delivery.bell[].path` | text | required | The file that the bell writes to. |" in reference


def test_a_dialect_is_read_checked_and_listed(tmp_path: Path, console: Console) -> None:
    """What its sessions cannot be held to is said."""
    with sqlite3.connect(tmp_path / "usage.quern") as database:
        database.execute("CREATE TABLE daily (day DATE, key_id TEXT, request_count INTEGER)")
        database.execute("INSERT INTO daily VALUES (?, 'a', 7)", (str(DAY),))
    database.close()
    (tmp_path / "config.yaml").write_text(
        f"source: {{kind: sql, url: 'quern:///{tmp_path}/usage.quern', usage: daily, shape: daily}}"
    )
    told = console("check")
    assert "7 requests of 1 key" in told
    assert "not guaranteed that a statement ends after source.statement_timeout\n" in told
    assert "not a database that is known" not in told
    row = "| Quern | `quern:///path/to/usage.quern` | `key-usage-detector[quern]` | that a statement ends"
    assert row in console("reference")

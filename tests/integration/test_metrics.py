"""The metrics file: what Prometheus reads of a run, and what it is not told where a run made no report."""

from __future__ import annotations

import logging
import re
import stat
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from detector.config.config import Config
from detector.judging.finding_types import finding_types
from detector.model.errors import LockedError, NotReadyError, StateError
from detector.model.report import RunReport
from detector.operations.monitoring.metrics import LastRun, render
from detector.operations.schedule.nightly import nightly
from detector.operations.schedule.watching import watched_run
from detector.state.database import State
from detector.state.messages import Outgoing
from detector.state.outbox import queue
from detector.state.runs import only_run
from tests.fakes import OWNER, message
from tests.installation import configured, cut_off
from tests.report_examples import findings_day, triaged_day

LAST = date(2026, 3, 17)
MORNING = datetime(2026, 3, 18, 2, 30, tzinfo=UTC)
OF_THE_REPORT = {
    "detector_outcome",
    "detector_keys_judged",
    "detector_keys_not_judged",
    "detector_findings",
    "detector_source_records",
}

Labels = tuple[str, ...]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A small installation that writes metrics."""
    return configured(tmp_path, LAST, "metrics_file: textfile/detector.prom")


def file_of(config: Config) -> Path:
    """Where they are written."""
    assert config.monitoring.metrics_file
    return Path(config.monitoring.metrics_file)


def parsed(text: str) -> dict[str, dict[Labels, float]]:
    """Metric to value by label values, as Prometheus's own parser reads them; all are gauges and explained."""
    families = list(text_string_to_metric_families(text))
    assert {family.type for family in families} == {"gauge"}
    assert all(family.documentation for family in families)
    return {
        family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples}
        for family in families
    }


def metrics(config: Config) -> dict[str, dict[Labels, float]]:
    """What the file holds."""
    return parsed(file_of(config).read_text())


def of(report: RunReport) -> dict[str, dict[Labels, float]]:
    """The metrics of a report, over an empty state."""
    with closing(State("sqlite://", OWNER)) as state:
        return parsed(render(LastRun(MORNING, 1, 0, report), state, report.day.timezone).decode())


def test_a_successful_run_is_told(config: Config) -> None:
    """When it ended and how, what was judged, what was found, what waits."""
    nightly(config, now=MORNING)
    told = metrics(config)
    ended, seconds = (
        told["detector_last_run_timestamp_seconds"][()],
        told["detector_last_run_duration_seconds"][()],
    )
    assert ended == pytest.approx(MORNING.timestamp() + seconds)
    assert 0 < seconds < 120
    assert told["detector_last_run_exit_code"] == {(): 0}
    assert MORNING.timestamp() <= told["detector_last_success_timestamp_seconds"][()] <= ended
    midnight = datetime(2026, 3, 18, tzinfo=UTC).timestamp()
    assert told["detector_last_judged_day_end_timestamp_seconds"] == {(): midnight}
    assert told["detector_keys_judged"] == {(): 4}
    assert told["detector_keys_not_judged"] == {(): 0}
    assert told["detector_outbox_messages"] == {("waiting",): 0, ("failed",): 0}


def test_a_day_ends_at_its_own_midnight(tmp_path: Path) -> None:
    """That of the configured time zone."""
    config = configured(tmp_path, LAST, "metrics_file: detector.prom").model_copy(
        update={"timezone": "Asia/Tokyo"}
    )
    nightly(config, now=MORNING)
    midnight = datetime(2026, 3, 18, tzinfo=config.zone).timestamp()
    assert metrics(config)["detector_last_judged_day_end_timestamp_seconds"] == {(): midnight}


def test_what_was_not_found_is_told_as_zero(config: Config) -> None:
    """Every type and severity has its number, so that a sum over them is there on a quiet day."""
    nightly(config, now=MORNING)
    findings = metrics(config)["detector_findings"]
    assert set(findings.values()) == {0}
    assert {labels[0] for labels in findings} | {labels[1] for labels in findings} >= {
        *finding_types(),
        "critical",
        "info",
    }
    assert len(findings) == 5 * len(finding_types())


@pytest.mark.parametrize("report", [findings_day(), triaged_day()], ids=["findings", "triaged"])
def test_findings_are_counted_as_the_report_counts_them(report: RunReport) -> None:
    """Resolved and muted ones are not among them."""
    counts = of(report)["detector_findings"]
    assert sum(counts.values()) == report.summary.open
    for kind, number in report.summary.by_type.items():
        assert sum(count for labels, count in counts.items() if kind in labels) == number


def test_what_became_of_the_records_is_told() -> None:
    """Every state has its number, and their sum is what was read."""
    records = of(findings_day())["detector_source_records"]
    assert records == {("counted",): 12_000, ("keyless",): 3, ("repeated",): 40, ("unusable",): 43}


def test_a_run_that_fails_keeps_the_last_success(config: Config) -> None:
    """It says nothing of keys and findings, of which it knows nothing; the rest is told."""
    nightly(config, now=MORNING)
    before = metrics(config)
    with pytest.raises(ZeroDivisionError), watched_run(config, config.monitoring, MORNING + timedelta(days=1)):
        raise ZeroDivisionError
    after = metrics(config)
    assert after["detector_last_run_exit_code"] == {(): 1}
    assert after["detector_last_run_timestamp_seconds"][()] > before["detector_last_run_timestamp_seconds"][()]
    for name in ("detector_last_success_timestamp_seconds", "detector_last_judged_day_end_timestamp_seconds"):
        assert after[name] == before[name]
    assert set(before) - set(after) == OF_THE_REPORT


def test_a_run_that_could_not_judge_is_no_success(config: Config, tmp_path: Path) -> None:
    """Its report is told: nobody could be judged, because no file matches."""
    (tmp_path / "usage.csv").unlink()
    nightly(config, now=MORNING + timedelta(hours=8))
    told = metrics(config)
    assert told["detector_last_run_exit_code"] == {(): 2}
    assert "detector_last_success_timestamp_seconds" not in told
    assert told["detector_keys_judged"] == {(): 0}


def test_a_run_that_is_to_be_tried_again_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    """Neither what is not ready nor a second run changes what the last one found."""
    one_day = timedelta(days=1)
    nightly(configured(tmp_path, LAST - one_day, "metrics_file: textfile/detector.prom"), now=MORNING - one_day)
    config = configured(tmp_path, LAST, "metrics_file: textfile/detector.prom")
    before = file_of(config).read_bytes()
    with closing(State.of(config)) as state, only_run(state), pytest.raises(LockedError):
        nightly(config, now=MORNING)
    cut_off(config, LAST)
    with pytest.raises(NotReadyError):
        nightly(config, now=MORNING)
    assert file_of(config).read_bytes() == before


def test_days_made_up_for_are_told_where_the_last_one_is_not_ready(tmp_path: Path) -> None:
    """What was judged is told, and that the run is to be tried again."""
    two_days = timedelta(days=2)
    nightly(configured(tmp_path, LAST - two_days, "metrics_file: textfile/detector.prom"), now=MORNING - two_days)
    config = configured(tmp_path, LAST, "metrics_file: textfile/detector.prom")
    cut_off(config, LAST)
    with pytest.raises(NotReadyError):
        nightly(config, now=MORNING)
    told = metrics(config)
    assert told["detector_last_run_exit_code"] == {(): 75}
    midnight = datetime(2026, 3, 17, tzinfo=UTC).timestamp()
    assert told["detector_last_judged_day_end_timestamp_seconds"] == {(): midnight}
    assert told["detector_keys_judged"] == {(): 4}


def test_messages_that_wait_are_counted(config: Config) -> None:
    """As long as they do."""
    with closing(State.of(config)) as state:
        queue(state, [LAST - timedelta(days=9)], Outgoing([message(day=LAST - timedelta(days=9))], MORNING))
        queue(state, [LAST], Outgoing([], MORNING))
    with watched_run(config, config.monitoring, MORNING):
        pass
    assert metrics(config)["detector_outbox_messages"] == {("waiting",): 1, ("failed",): 0}


def test_a_day_by_name_writes_no_metrics(config: Config) -> None:
    """They are of the days due."""
    nightly(config, day=LAST, now=MORNING)
    assert not file_of(config).exists()


@pytest.mark.parametrize(("shared", "mode"), [(False, 0o600), (True, 0o644)])
def test_the_file_is_whole_and_may_be_read_by_others_where_configured(
    config: Config, shared: bool, mode: int
) -> None:
    """node_exporter runs as another user; nothing else lies beside it."""
    monitoring = config.monitoring.model_copy(update={"metrics_shared": shared})
    nightly(config.model_copy(update={"monitoring": monitoring}), now=MORNING)
    assert stat.S_IMODE(file_of(config).stat().st_mode) == mode
    assert [path.name for path in file_of(config).parent.iterdir()] == ["detector.prom"]


def test_a_file_that_cannot_be_written_is_one_warning(config: Config, caplog: pytest.LogCaptureFixture) -> None:
    """The run is as without it."""
    file_of(config).parent.write_text("a file where the folder should be")
    (outcome,) = nightly(config, now=MORNING)
    assert outcome.exit_code == 0
    (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert warning.getMessage().startswith("the metrics were not written: ")


def test_without_a_state_the_file_stays_as_it_was(config: Config, caplog: pytest.LogCaptureFixture) -> None:
    """A last success that is gone would be no alarm; one that grows old is."""
    nightly(config, now=MORNING)
    before = file_of(config).read_bytes()
    database = Path(config.state.url.removeprefix("sqlite:///"))
    database.unlink()
    database.mkdir()
    with pytest.raises(StateError):
        nightly(config, now=MORNING + timedelta(days=1))
    assert file_of(config).read_bytes() == before
    assert "the metrics were not written" in caplog.text


def test_every_metric_is_documented_and_no_other(config: Config) -> None:
    """In the table of docs/operations.md, and in the alert rules below it."""
    nightly(config, now=MORNING)
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    assert set(re.findall(r"\bdetector_[a-z_]+\b", page)) == set(metrics(config))

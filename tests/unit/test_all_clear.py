"""A law over generated days: only a day of which everything was seen and evaluated is clear, and all say the same.

The generator plants what keeps a day from being clear, so what is right follows from what was planted and not from
the code that is tested.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detector.config.config import Config
from detector.config.monitoring import MonitoringSettings
from detector.delivery import Origin
from detector.delivery.mail.channel import MailChannel
from detector.detectors import Detector, all_detectors
from detector.detectors.judgement import Judgement
from detector.judging.findings import finding_id
from detector.judging.judging import Judged, judge
from detector.judging.summary import assemble
from detector.model.errors import DONE, PARTIAL, SourceError
from detector.model.finding import Severity, Sighting
from detector.model.panel import LostKeys, Panel
from detector.model.report import Outcome, RunReport, SourceStatus
from detector.model.triage import TriageEntry
from detector.model.usage import MISSING_FILE, Accounting, Amount, Fault
from detector.operations.monitoring import metrics
from detector.operations.schedule.watching import Watch
from detector.pipeline import Job, RunResult, exit_code_of
from detector.reports import reporter
from detector.reports.outcomes import WORDS
from detector.reports.terminal import text
from detector.state.database import State
from tests.panels import DAY, panel
from tests.receiver import Receiver, receiver

DAYS = 500
PARTS = 4
"""The days are judged in this many tests, so that several processes share them."""
NOW = datetime(2026, 3, 18, 3, tzinfo=UTC)
KEYS = [f"key-{number:02d}" for number in range(24)]
CONFIG = Config.model_validate(
    {
        "source": {"kind": "files", "usage": "usage.csv"},
        "delivery": {"mail": {"host": "127.0.0.1", "from": "detector@example.com", "to": ["team@example.com"]}},
    }
)


@dataclass
class Planted:
    """A day to judge, and what must follow from what was planted in it."""

    panel: Panel
    earlier: dict[str, Sighting] = field(default_factory=dict)
    judged_before: dict[date, int] = field(default_factory=dict)
    unread: str | None = None
    faulty: dict[str, str] = field(default_factory=dict)
    """Kind of detector: ``judge`` or ``describe``, whichever fails."""
    entries: list[TriageEntry] = field(default_factory=list)
    blind: bool = False
    """Whether something was not seen or not evaluated."""
    new: bool = False
    """Whether a key or the fleet behaves so that a finding above info must be raised."""
    open: bool = False
    """Whether an open finding goes on that nobody has acknowledged or muted."""


@cache
def quiet() -> Panel:
    """A fleet of ordinary keys over seventy days, all of whose records were counted."""
    random = np.random.default_rng(7)
    counts = {key: random.poisson(100, 70).tolist() for key in KEYS}
    made = panel(
        counts,
        endpoints={key: {"GET /v1/things": 100} for key in KEYS},
        deployments={key: {"production": 100} for key in KEYS},
        earlier_deployments={key: {"production": 100} for key in KEYS},
    )
    accountings = tuple(
        Accounting(int(total), hours=(int(total) // 24,) * 24) for total in made.requests.sum(axis=0)
    )
    return replace(made, accountings=accountings, earlier_faults=((),) * 69)


def with_last(subject: Panel, factor: float, keys: Sequence[str]) -> Panel:
    """The panel with the last day of some keys multiplied."""
    requests = subject.requests.copy()
    rows = subject.keys.get_indexer(list(keys))
    requests[rows, -1] = np.round(requests[rows, -1] * factor)
    records = subject.records.copy()
    records["request_count"] = requests[:, -1]
    return replace(subject, requests=requests, records=records)


def with_accounting(subject: Panel, accounting: Accounting) -> Panel:
    """The panel with another accounting of the last day."""
    return replace(subject, accountings=(*subject.accountings[:-1], accounting))


def early_pull(day: Planted) -> None:
    """The data were pulled before the day was over."""
    day.panel = replace(day.panel, pulled_at=datetime(2026, 3, 17, 20, tzinfo=UTC))
    day.blind = True


def no_data(day: Planted) -> None:
    """The source has nothing for the day."""
    day.panel = with_last(day.panel, 0, KEYS)
    missing = day.panel.missing.copy()
    missing[-1] = True
    day.panel = replace(day.panel, missing=missing)
    day.blind = True


def keyless_jump(day: Planted) -> None:
    """Most records have lost their key."""
    total = int(day.panel.requests[:, -1].sum())
    day.panel = with_accounting(day.panel, Accounting(total, keyless=total * 2, hours=(total // 24,) * 24))
    day.blind = True


def unusable_jump(day: Planted) -> None:
    """Many records cannot be used."""
    total = int(day.panel.requests[:, -1].sum())
    amounts = {"missing or unreadable timestamp": Amount(total // 2)}
    day.panel = with_accounting(day.panel, Accounting(total, unusable=amounts, hours=(total // 24,) * 24))
    day.blind = True


def hole(day: Planted) -> None:
    """Six hours have no record."""
    total = int(day.panel.requests[:, -1].sum())
    hours = tuple(0 if 8 <= hour < 14 else total // 18 for hour in range(24))
    day.panel = with_accounting(day.panel, Accounting(total, hours=hours))
    day.blind = True


def missing_file(day: Planted) -> None:
    """A file of the day is not there."""
    day.panel = replace(day.panel, faults=(*day.panel.faults, Fault(MISSING_FILE, 1, ("a.log",), kind="note")))
    day.blind = True


def usual_dirt(day: Planted) -> None:
    """Two records could not be used, as on any day."""
    day.panel = replace(day.panel, faults=(*day.panel.faults, Fault("not a JSON object", 2)))


def empty_register(day: Planted) -> None:
    """The register has lost all its keys."""
    records = day.panel.records.assign(registered=False)
    day.panel = replace(day.panel, records=records, lost_keys=LostKeys(len(KEYS), len(KEYS)))
    day.blind = True


def unread_source(day: Planted) -> None:
    """The source did not answer; the day is known from an earlier run."""
    day.unread = "source main: the database did not answer"
    day.blind = True


def damaged_past(day: Planted) -> None:
    """A stored day cannot be read."""
    day.panel = replace(day.panel, unreadable=lambda: {DAY - timedelta(days=9): "cannot read the stored day"})
    day.blind = True


def fewer_keys(day: Planted) -> None:
    """On every day before more keys were evaluated."""
    day.judged_before = {DAY - timedelta(days=ago): len(KEYS) + 5 for ago in (1, 2, 3)}
    day.blind = True


def as_many_keys(day: Planted) -> None:
    """On some day before as many keys were evaluated."""
    day.judged_before = day.judged_before or {DAY - timedelta(days=1): len(KEYS), DAY - timedelta(days=2): 99}


def failing(kind: str, part: str) -> Callable[[Planted], None]:
    """A detector that fails to judge, or to describe what it has found."""

    def plant(day: Planted) -> None:
        if part == "judge" or kind not in day.faulty:
            day.faulty[kind] = part
        day.blind = day.blind or part == "judge"

    plant.__name__ = f"{kind}_fails_to_{part}"
    return plant


def spike(day: Planted) -> None:
    """One key makes forty times its requests."""
    day.panel = with_last(day.panel, 40, KEYS[:1])
    day.new = True


def group(day: Planted) -> None:
    """Half of the keys make eleven times their requests."""
    day.panel = with_last(day.panel, 11, KEYS[:12])
    day.new = True


def everybody(day: Planted) -> None:
    """All keys make eleven times their requests."""
    day.panel = with_last(day.panel, 11, KEYS)
    day.new = True


def shrunken(day: Planted) -> None:
    """The fleet makes a third of its requests, evenly."""
    day.panel = with_last(day.panel, 1 / 3, KEYS)
    day.new = True


def open_mismatch(day: Planted, *entries: TriageEntry) -> None:
    """A key has been in the wrong environment since a week."""
    identity = finding_id("environment_mismatch", CONFIG.source.name, KEYS[5], None)
    before = DAY - timedelta(days=1)
    since = DAY - timedelta(days=7)
    day.earlier[identity] = Sighting(
        identity,
        before,
        "environment_mismatch",
        "A title",
        KEYS[5],
        Severity.CRITICAL,
        1.0,
        1,
        since,
        7,
        open=True,
    )
    records = day.panel.records.copy()
    records.loc[KEYS[5], "environment"] = "test"
    day.panel = replace(day.panel, records=records)
    day.entries += entries
    day.open = not day.entries


def acknowledged_mismatch(day: Planted) -> None:
    """The same, and somebody has acknowledged it."""
    open_mismatch(day, entry("ack"))


def muted_mismatch(day: Planted) -> None:
    """The same, and somebody has muted it."""
    open_mismatch(day, entry("mute"))


def entry(action: str) -> TriageEntry:
    """An entry about the open mismatch."""
    identity = finding_id("environment_mismatch", CONFIG.source.name, KEYS[5], None)
    return TriageEntry(
        id=1, action=action, target_kind="finding", target=identity, type=None, reason="known", by="sam",
        from_day=DAY - timedelta(days=3), until_day=DAY + timedelta(days=30), created_at=NOW - timedelta(days=3),
    )  # fmt: skip


PLANTS: dict[str, Callable[[Planted], None]] = {
    plant.__name__: plant
    for plant in (
        early_pull,
        no_data,
        keyless_jump,
        unusable_jump,
        hole,
        missing_file,
        usual_dirt,
        empty_register,
        unread_source,
        damaged_past,
        fewer_keys,
        as_many_keys,
        failing("usage_spike", "judge"),
        failing("environment_mismatch", "judge"),
        failing("endpoint_shift", "judge"),
        failing("usage_spike", "describe"),
        failing("environment_mismatch", "describe"),
        spike,
        group,
        everybody,
        shrunken,
        open_mismatch,
        acknowledged_mismatch,
        muted_mismatch,
    )
}


def planted(plants: Sequence[Callable[[Planted], None]]) -> Planted:
    """A quiet day with everything that was drawn planted in it. What empties the day comes last."""
    day = Planted(quiet())
    for plant in sorted(plants, key=lambda each: each is no_data):
        plant(day)
    return day


def judged_with_faults(day: Planted) -> Judged:
    """The day as it is judged, with its faulty detectors."""

    def fails(*_: object) -> Any:
        raise ZeroDivisionError("a fault")

    with pytest.MonkeyPatch.context() as patch:
        for detector in all_detectors(CONFIG.detection):
            part = day.faulty.get(detector.kind)
            if part == "judge":
                patch.setattr(type(detector), "judge", fails)
            elif part == "describe":
                patch.setattr(type(detector), "judge", _without_description(type(detector).judge, fails))
        return judge(day.panel, CONFIG, day.earlier, judged_before=day.judged_before, unread=day.unread)


def _without_description(of: Callable[[Detector, Panel], Judgement], fails: Callable[..., Any]) -> Any:
    return lambda detector, subject: replace(of(detector, subject), describe=fails)


def reported(day: Planted, judged: Judged) -> RunReport:
    """The report of the judged day."""
    status = SourceStatus(
        "main", "files", "events", day.panel.watermark, day.unread, accounting=day.panel.accounting
    )
    failures = [day.unread] if day.unread else []
    return assemble(
        judged, CONFIG, [status], run={"run_id": "r"}, generated_at=NOW, failures=failures, entries=day.entries
    )


def check_outcome(day: Planted, outcome: Outcome, plants: Sequence[Callable[[Planted], None]]) -> None:
    """What was planted decides which outcomes are possible."""
    if day.blind:
        assert outcome in (Outcome.PARTLY_JUDGED, Outcome.COULD_NOT_JUDGE)
    if day.new:
        assert outcome not in (Outcome.CLEAR, Outcome.NOTHING_NEW)
    if day.open:
        assert outcome is not Outcome.CLEAR
    harmless = {as_many_keys, usual_dirt, acknowledged_mismatch, muted_mismatch}
    if not day.open and {*harmless, open_mismatch}.issuperset(plants):
        assert outcome is Outcome.CLEAR
    if day.open and {*harmless, open_mismatch}.issuperset(plants):
        assert outcome is Outcome.NOTHING_NEW


def check_formats(report: RunReport, result: RunResult, folder: Path, switch: Receiver) -> None:
    """Every format, the exit code, the ping and the metrics tell the outcome of the report."""
    outcome = report.summary.outcome
    is_clear = outcome is Outcome.CLEAR
    document = json.loads(reporter("json").render(report))
    assert document["summary"]["outcome"] == outcome.value
    assert bool(document["coverage"]["shortfalls"]) is not outcome.is_judged
    page = reporter("html").render(report)
    assert f'<body class="{outcome.value}"' in page
    assert text.render(report).splitlines()[0] == f"{report.summary.verdict}."
    (mail,) = MailChannel(CONFIG.delivery.mail, Origin("main", None)).messages([report])  # type: ignore[arg-type]
    assert (WORDS[Outcome.CLEAR] in mail.subject) is is_clear
    assert WORDS[outcome] in mail.subject or outcome is Outcome.FINDINGS
    lines = [json.loads(line) for line in reporter("ndjson").render(report).splitlines()]
    states = {(line["severity"] != "info", line["status"]) for line in lines if not line["acknowledged"]}
    has_open = any(is_loud and status not in ("resolved", "muted") for is_loud, status in states)
    assert has_open is not is_clear or any(line["type"] == "data_quality" for line in lines)
    assert (result.exit_code == DONE) is outcome.is_judged
    check_watchers(report, result, folder, switch)


def check_watchers(report: RunReport, result: RunResult, folder: Path, switch: Receiver) -> None:
    """The dead-man's switch hears of no success but a judged day, and the metrics have one outcome."""
    monitoring = MonitoringSettings.model_validate({"ping_url": f"{switch.url}/abc", "ping_timeout": 30})
    watch = Watch(CONFIG, monitoring, NOW)
    watch.add(result)
    watch.end(result.exit_code)
    ping = switch.requests.pop()
    step = ping.path.partition("?")[0].removeprefix("/abc").removeprefix("/")
    assert step == (str(result.exit_code) if result.exit_code else "")
    assert f": {report.summary.outcome.value}, " in ping.body.decode()
    with closing(State("sqlite://", CONFIG.owner)) as state:
        told = metrics.render(metrics.LastRun(NOW, 1.0, result.exit_code, report), state, CONFIG.zone).decode()
    ones = [line for line in told.splitlines() if line.startswith("detector_outcome{") and line.endswith(" 1.0")]
    assert ones == [f'detector_outcome{{outcome="{report.summary.outcome.value}"}} 1.0']


@pytest.mark.parametrize("part", range(PARTS))
def test_only_a_day_that_was_wholly_seen_is_clear_and_all_say_the_same(part: int, tmp_path: Path) -> None:
    """Over five hundred days with failures, gaps, records nobody counted, open findings and attacks."""
    seen: list[Outcome] = []

    @settings(max_examples=DAYS // PARTS, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(names=st.lists(st.sampled_from([*PLANTS][part:] + [*PLANTS][:part]), max_size=4, unique=True))
    def holds(names: list[str]) -> None:
        plants = [PLANTS[name] for name in names]
        day = planted(plants)
        judged = judged_with_faults(day)
        report = reported(day, judged)
        check_outcome(day, report.summary.outcome, plants)
        job = Job(CONFIG, *cast("tuple[Any, Any, Any]", (None, None, None)), NOW)
        job.source_error = SourceError(day.unread) if day.unread else None
        failures = (*([day.unread] if day.unread else []), *judged.failures)
        result = RunResult(report, (), exit_code_of(job, report, failures), failures)
        assert result.exit_code in (DONE, PARTIAL, SourceError.exit_code)
        check_formats(report, result, tmp_path, switch)
        seen.append(report.summary.outcome)

    with receiver() as switch:
        holds()
    # A generator that planted something every day would never see a clear one.
    assert {Outcome.CLEAR, Outcome.FINDINGS, Outcome.PARTLY_JUDGED} <= set(seen)

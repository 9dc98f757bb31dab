"""A run of the days that are due, as the dead-man's switch and the metrics see it.

What watches a run is outside the run. The switch hears of a start only from the run that holds the lock, because
a start without an end is an alarm. It hears nothing more of an interrupted run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from detector.boundary.words import counted
from detector.config.config import Config
from detector.config.monitoring import MonitoringSettings
from detector.model.day import Day
from detector.model.errors import DONE, FAILURE, TRY_LATER, DetectorError, worst
from detector.operations.monitoring import metrics
from detector.operations.monitoring.pings import Pings
from detector.pipeline import RunResult
from detector.state.database import State
from detector.state.runs import last_run


class Watch:
    """What is told of one run; ``results`` are of the days it has judged until now."""

    def __init__(self, config: Config, settings: MonitoringSettings, now: datetime) -> None:
        self.results: list[RunResult] = []
        self._config = config
        self._settings = settings
        self._now = now
        self._began = time.monotonic()
        self._pings = Pings(settings)

    def add(self, result: RunResult) -> None:
        """A day was judged."""
        self.results.append(result)

    def fail(self, failures: Sequence[str]) -> None:
        """What failed after the last day was judged; nothing where there is nothing."""
        if failures:
            self.results[-1] = self.results[-1].with_failures(failures)

    def begin(self) -> None:
        """The run has begun. Not to be told before it is the only one: a start that no end follows is an alarm."""
        self._pings.start()

    def end(self, exit_code: int) -> None:
        """The run has ended. One that judged nothing yet is to be tried again, and leaves the metrics alone."""
        try:
            if self._settings.metrics_file and (self.results or exit_code != TRY_LATER):
                self._write_metrics(Path(self._settings.metrics_file), exit_code)
        finally:  # whatever keeps the state from being opened, such as a driver that is not installed
            self._pings.end(exit_code, self._summary(exit_code))

    def _write_metrics(self, path: Path, exit_code: int) -> None:
        seconds = time.monotonic() - self._began
        report = self.results[-1].report if self.results else None
        run = metrics.LastRun(self._now + timedelta(seconds=seconds), seconds, exit_code, report)
        shared = self._settings.metrics_shared
        metrics.write(path, run, self._config, shared=shared)

    def _summary(self, exit_code: int) -> str:
        """Days, exit codes and counts alone: what leaves the house holds no names and no texts of errors."""
        lines = [f"exit code {exit_code}"]
        for result in self.results:
            coverage = result.report.coverage
            summary = result.report.summary
            judged = f"{coverage.keys_judged:,} of {counted(coverage.keys_active, 'key')} judged"
            lines.append(
                f"day {result.report.day.date}: {summary.outcome}, exit code {result.exit_code}, "
                f"{judged}, {counted(summary.open, 'finding')}"
            )
        return "\n".join(lines)


@contextmanager
def watched_run(config: Config, settings: MonitoringSettings, now: datetime) -> Iterator[Watch]:
    """A run that is told of, whatever becomes of it. The default settings tell nobody.

    A run that is killed or interrupted tells nothing more: that it does not is the alarm.
    """
    watch = Watch(config, settings, now)
    try:
        yield watch
    except Exception as error:
        watch.end(error.exit_code if isinstance(error, DetectorError) else FAILURE)
        raise
    watch.end(worst(result.exit_code for result in watch.results))


def nothing_to_do(config: Config, now: datetime) -> None:
    """At the hour of a run the last day was judged already. The switch hears how the run of that day ended."""
    day = Day.last_complete(now, config.zone).date
    with closing(State.of(config)) as state:
        run = last_run(state, day)
    exit_code = DONE if run is None else run.exit_code
    text = f"nothing to do: the day {day} was judged already"
    Pings(config.monitoring).end(FAILURE if exit_code is None else exit_code, text)

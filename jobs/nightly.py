"""The nightly job: judge one night and write its reports. Run alone: ``python -m jobs.nightly [CONFIG]``."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from pathlib import Path

from detector.config import Config, load
from detector.errors import ConfigError, DetectorError
from detector.model import Night
from detector.pipeline import Job, Outcome, Sending, run_night
from detector.pull import Progress, unwatched


def nightly(
    config: Config,
    *,
    now: datetime,
    night: date | None = None,
    progress: Progress = unwatched,
    sending: Sending = Sending.NOW,
) -> Outcome:
    """Judge ``night``, by default the one that ended most recently before ``now``.

    Raises LockedError while another run is at work on the same state.
    """
    if night is None:
        night = Night.last_complete(now, config.zone).day
    elif Night(night, config.zone).start > now:
        raise ConfigError(f"the night {night} has not begun yet")
    job = Job.assemble(config, now, progress)
    with job.state.only_run():
        return run_night(job, night, sending)


def main() -> None:
    """Judge last night with the configuration named on the command line, and exit with the run's code."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "config.yaml")
    try:
        outcome = nightly(load(path), now=datetime.now(UTC))
    except DetectorError as error:
        print(f"detector: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    print(outcome.report.summary.verdict)
    sys.exit(outcome.exit_code)


if __name__ == "__main__":
    main()

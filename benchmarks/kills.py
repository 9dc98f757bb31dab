"""Kill a run of 20,000 keys at each stage and at random times: what the next run leaves
must be the bytes of one that nobody disturbed.

    python -m benchmarks.kills [--keys 20000] [--days 30] [--times 50] [--seed 5]

Every trial is a new installation that pulls all its days, judges the last one and is killed with SIGKILL. All
files of history and reports are compared by their bytes, and no temporary file may be left. Exit 1 at any
difference.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from detector.state.database import State
from detector.state.runs import Stage, last_run
from tests.fakes import OWNER
from tests.killed_runs import copied, finished, killed, left, prepare, started


def trial(prepared: Path, fatal: str, after: float | None) -> tuple[dict[str, str], str]:
    """What is left of a run that was killed and made up for, and how far the killed one had come."""
    with TemporaryDirectory(dir=prepared) as place:
        folder = copied(prepared, Path(place) / "run")
        process = started(folder, fatal)
        if after is not None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=after)
            process.kill()
        reached = _reached(folder) if killed(process) else "the end"
        finished(folder)
        return left(folder), reached


def _reached(folder: Path) -> str:
    if not (folder / "var/state.db").exists():
        return "nothing yet"
    last = last_run(State(f"sqlite:///{folder}/var/state.db", OWNER))
    stored = len(list(folder.glob("var/history/*/*.parquet")))
    scraps = len(list(folder.glob("var/**/.*.tmp"))) + len(list((folder / "temporary").iterdir()))
    stage = "begun" if last is None or last.stage is None else last.stage
    return f"{stage}, {stored} days stored, {scraps} scraps"


def main() -> int:
    """Run the trials; 1 where one ended differently."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, number in (("keys", 20_000), ("days", 30), ("times", 50), ("seed", 5)):
        parser.add_argument(f"--{name}", type=int, default=number)
    options = parser.parse_args()
    with TemporaryDirectory() as place:
        prepared = Path(place)
        prepare(prepared, keys=options.keys, days=options.days)
        begun, folder = time.monotonic(), copied(prepared, prepared / "undisturbed")
        finished(folder)
        seconds, expected = time.monotonic() - begun, left(folder)
        print(f"undisturbed: {seconds:.1f} s, {len(expected)} files", flush=True)
        chance = random.Random(options.seed)
        trials: list[tuple[str, float | None]] = [(stage.value, None) for stage in Stage]
        trials += [("", chance.uniform(0, seconds)) for _ in range(options.times)]
        wrong = 0
        for number, (fatal, after) in enumerate(trials, 1):
            found, reached = trial(prepared, fatal, after)
            wrong += found != expected
            when = f"after {after:.1f} s" if after is not None else f"at {fatal}"
            print(f"{number:3}  {when:16} {'same' if found == expected else 'DIFFERENT'}  ({reached})", flush=True)
    print(f"{len(trials) - wrong} of {len(trials)} end as if nothing had happened")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

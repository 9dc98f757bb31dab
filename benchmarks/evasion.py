"""Hide 20,000 requests of one key in every way that is known, and say which of them pass unnoticed.

    python -m benchmarks.evasion [--keys 60] [--days 40] [--hidden 20000] [--only TEXT] [--postgresql URL]

Each way has up to three trials on the real pipeline. *attack* hides the requests on the last day of a clean past.
It is noticed if the key is named or the day is not clear. *control* has the same dirt in a small share of all days
and no attack; it has to be clear. *both* is the attack over the past of the control. Exit 1 where a trial fails.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.evasion import Fleet, Installation, Outcome, Way, attacked, control, ways, with_past

Trial = tuple[str, Way, Outcome, bool]


class Trials:
    """The trials of some ways. Ways that share a source and settings share a clean past."""

    def __init__(self, folder: Path, fleet: Fleet, url: str) -> None:
        self._folder = folder
        self._fleet = fleet
        self._url = url
        self._clean: dict[tuple[str, str], Installation] = {}
        self._number = 0

    def of(self, way: Way) -> Iterator[Trial]:
        """The trials of a way: which one, its outcome, and whether it passed."""
        outcome = attacked(self._clean_past(way), self._fleet, way)
        yield "attack", way, outcome, outcome.is_noticed
        if way.control is None:
            return
        past = with_past(self._place(), self._fleet, way, self._url, dirty=True)
        outcome = control(past.copied(self._place()), self._fleet, way)
        yield "control", way, outcome, outcome.is_clear
        outcome = attacked(past, self._fleet, way, dirty=True)
        yield "both", way, outcome, outcome.is_noticed

    def _clean_past(self, way: Way) -> Installation:
        if way.source == "postgresql":
            # All its installations share one table.
            return with_past(self._place(), self._fleet, way, self._url, dirty=False)
        kind = (way.source, way.settings)
        if kind not in self._clean:
            self._clean[kind] = with_past(self._place(), self._fleet, way, self._url, dirty=False)
        return self._clean[kind].copied(self._place())

    def _place(self) -> Path:
        self._number += 1
        return self._folder / str(self._number)


def line(trial: Trial) -> str:
    """A line of the table."""
    which, way, outcome, passed = trial
    cells = [
        "" if passed else "FAILED",
        which,
        way.name,
        way.source,
        f"{outcome.counted:,}",
        outcome.outcome,
        ", ".join(outcome.named) or "-",
        outcome.error or outcome.accounting,
    ]
    return " | ".join(cells)


def main() -> None:
    """Run the trials and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=60)
    parser.add_argument("--days", type=int, default=40)
    parser.add_argument("--hidden", type=int, default=20_000)
    parser.add_argument("--only", default="", help="the ways whose name and source hold this text")
    parser.add_argument(
        "--postgresql", default="", help="the URL of an empty database; without it, no trials there"
    )
    options = parser.parse_args()
    fleet = Fleet(options.keys, options.days, options.hidden)
    print("| trial | way | source | requests of the key | outcome | named | accounting", flush=True)
    trials = 0
    failed = 0
    with TemporaryDirectory() as name:
        run = Trials(Path(name), fleet, options.postgresql)
        for way in ways():
            if options.only not in str(way) or (way.source == "postgresql" and not options.postgresql):
                continue
            for trial in run.of(way):
                trials += 1
                failed += not trial[-1]
                print(line(trial), flush=True)
    print(f"{trials} trials, {failed} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()

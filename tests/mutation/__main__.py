"""Run every mutant, each in a process of its own on a private copy of the tree.

    python -m tests.mutation                             every module
    python -m tests.mutation detector/state/locks.py     one module

Exits with 1 where tests kill too few mutants, where a survivor is not in the list of its module, and where the
list names one that does not exist or does not survive.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any

from tests.mutation.targets import TARGETS

TOP = Path(__file__).parents[2]
COPIED = ("detector", "templates", "tests", "setup.cfg", "config.yaml", "docs")
LEAST_KILLED = 0.9
"""The share of mutants that tests have to kill."""


def main(names: list[str]) -> int:
    """Run the mutants of the modules, print the survivors, and return the exit code."""
    copies: SimpleQueue[Path] = SimpleQueue()
    with TemporaryDirectory(prefix="mutants-") as folder:
        workers = os.cpu_count() or 1
        for number in range(workers):
            copies.put(_copied(Path(folder) / str(number)))
        with ThreadPoolExecutor(workers) as pool:
            results = dict(zip(names, pool.map(lambda name: _results(name, copies), names), strict=True))
    complaints = [complaint for name in names for complaint in _complaints(name, results[name])]
    everything = [result for name in names for result in results[name]]
    killed = sum(result["killed"] for result in everything)
    for name in names:
        of_module = sum(result["killed"] for result in results[name])
        seconds = sum(result["seconds"] for result in results[name])
        print(f"{name}: {of_module} of {len(results[name])} killed, {seconds:.0f} s")
    print(f"{killed} of {len(everything)} mutants killed")
    if killed < LEAST_KILLED * len(everything):
        complaints.append(f"at least {LEAST_KILLED:.0%} have to be killed")
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return 1 if complaints else 0


def _copied(folder: Path) -> Path:
    """The parts of the tree that tests need, in a folder."""
    for name in COPIED:
        if (TOP / name).is_dir():
            shutil.copytree(TOP / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(TOP / name, folder / name)
    return folder


def _results(name: str, copies: SimpleQueue[Path]) -> list[dict[str, Any]]:
    """What became of each mutant of a module."""
    copy = copies.get()
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-m", "tests.mutation.worker", name]
    try:
        done = subprocess.run(command, cwd=copy, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    finally:
        copies.put(copy)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _complaints(name: str, results: list[dict[str, Any]]) -> list[str]:
    """What is wrong with the survivors of a module, or with the list that argues for them."""
    survivors = {result["mutant"] for result in results if not result["killed"]}
    argued = TARGETS[name].survivors
    return [
        *(f"{name}: survived: {mutant}" for mutant in sorted(survivors - argued.keys())),
        *(
            f"{name}: listed as a survivor, but killed or gone: {mutant}"
            for mutant in argued
            if mutant not in survivors
        ),
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(TARGETS)))

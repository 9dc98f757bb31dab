"""Try the mutants of one module on the copy of the tree in which this runs, and print each result as a JSON line.

Called by ``tests.mutation``. The packages that the module imports are loaded once; each mutant then runs in a
fork, so that it costs little more than its tests.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from importlib.util import cache_from_source
from multiprocessing import get_context
from pathlib import Path

import hypothesis  # noqa: F401  loaded once for all forks
import pytest

from tests.mutation.targets import TARGETS, mutants_of

TIMEOUT = 60
"""Seconds after which a mutant counts as killed. The tests of a module take a few seconds."""


def main(name: str) -> None:
    """Try every mutant of the module, after its tests have passed without one."""
    target = TARGETS[name]
    path = Path(name)
    source = path.read_text(encoding="utf-8")
    _load_imports_of(source)
    if _tests_fail(target.tests):
        sys.exit(f"{name}: its tests fail without any mutant")
    # The run above compiled everything. From here on the module is compiled anew for each mutant, the rest is not.
    Path(cache_from_source(name)).unlink()
    sys.dont_write_bytecode = True
    for mutant in mutants_of(name, source):
        path.write_text(mutant.text, encoding="utf-8")
        started = time.monotonic()
        killed = _tests_fail(target.tests)
        result = {"mutant": mutant.name, "killed": killed, "seconds": time.monotonic() - started}
        print(json.dumps(result), flush=True)
    path.write_text(source, encoding="utf-8")


def _load_imports_of(source: str) -> None:
    """Import what the module imports. No import of the package goes in a circle, so this leaves out the module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            importlib.import_module(node.module)


def _tests_fail(tests: Sequence[str]) -> bool:
    """Whether the tests fail, or take too long, in a process of their own."""
    process = get_context("fork").Process(target=_run, args=(tests,))
    process.start()
    process.join(TIMEOUT)
    if process.is_alive():
        os.killpg(process.pid or 0, signal.SIGKILL)
        process.join()
    if process.exitcode == pytest.ExitCode.NO_TESTS_COLLECTED:
        sys.exit(f"no test matches {' '.join(tests)}")
    return process.exitcode != pytest.ExitCode.OK


def _run(tests: Sequence[str]) -> None:
    os.setsid()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    plugins = ["-p", "pytest_timeout", "-p", "_hypothesis_pytestplugin", "-p", "no:cacheprovider"]
    os._exit(pytest.main(["-x", "-q", "--hypothesis-profile=mutants", *plugins, *tests]))


if __name__ == "__main__":
    main(sys.argv[1])

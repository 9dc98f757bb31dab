"""Measure detection on labelled scenarios: the methods side by side, and the published peers in the same run.

    python benchmarks/detection.py BENCH PANELS [--seeds 1 2 3] [--panels bike store] [--methods zscore]

BENCH holds scenario.py and judge.py, PANELS the real daily counts (``<name>.csv.gz``). Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

METHODS = ("zscore", "isolation_forest", "both")
PANELS = ("bike", "aircraft", "route", "store", "downloads")
RATES = ("R@0.1%", "R@1.0%", "recall spike", "alarms per 1000 key-days", "worst day, share of keys")
KINDS = ("dormant_wake", "environment_mismatch", "error_surge", "endpoint_shift")


def run(*command: str | Path) -> str:
    """A command's standard output; its errors go where ours go."""
    done = subprocess.run([sys.executable, *map(str, command)], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def judge(bench: Path, scenario: Path, method: str) -> dict[str, Any]:
    """Backtest one scenario with one method and judge it."""
    out = scenario.with_name(f"{scenario.name}-{method}")
    out.mkdir()
    config = out / "config.yaml"
    config.write_text(
        f"source: {{kind: files, shape: daily, usage: '{scenario}/usage.csv', keys: '{scenario}/keys.csv'}}\n"
        f"history: {{path: '{scenario}-history'}}\ndetection: {{method: {method}}}\n"
    )
    first, last = (scenario / "window.txt").read_text().split()
    run("-m", "detector", "backtest", "--config", config, "--from", first, "--to", last, "--out", out)
    judged: dict[str, Any] = json.loads(run(bench / "judge.py", scenario, out, "--json"))
    return judged


def peers(bench: Path, scenario: Path) -> dict[str, dict[str, float]]:
    """The published methods on the same counts, by name."""
    table = {}
    for line in run(bench / "judge.py", scenario).splitlines():
        name, *parts = (part.strip() for part in line.split("|"))
        figures = dict(part.rsplit(" ", 1) for part in parts if not part.startswith("by size"))
        table[name] = {
            "R@0.1%": float(figures["R@0.1%"]),
            "R@1.0%": float(figures["R@1.0%"]),
            "recall spike": float(figures["own recall"]),
            "alarms per 1000 key-days": float(figures["own FA/1000"]),
        }
    return table


def row(name: str, results: list[dict[str, Any]]) -> str:
    """One line of the table: macro averages, and recall over all panels together by kind."""
    cells = [
        f"{statistics.mean(result[rate] for result in results):.3f}" if rate in results[0] else ""
        for rate in RATES
    ]
    if RATES[-1] in results[0]:
        cells[-1] = f"{max(result[RATES[-1]] for result in results):.1%}"
    for kind in KINDS:
        pairs = [result[f"caught {kind}"] for result in results if f"caught {kind}" in result]
        cells.append(f"{sum(pair[0] for pair in pairs) / sum(pair[1] for pair in pairs):.3f}" if pairs else "")
    return f"| {name} | " + " | ".join(cells) + " |"


def main() -> None:
    """Make the scenarios, judge every method, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--panels", nargs="+", default=list(PANELS))
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    options = parser.parse_args()
    results: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for panel in options.panels:
            for seed in options.seeds:
                scenario = Path(folder) / f"{panel}-{seed}"
                run(options.bench / "scenario.py", options.data / f"{panel}.csv.gz", scenario, "--seed", str(seed))
                for method in options.methods:
                    results.setdefault(method, []).append(judge(options.bench, scenario, method))
                for name, figures in peers(options.bench, scenario).items():
                    results.setdefault(name, []).append(figures)
    print("| method | R@0.1% | R@1% | recall | false alarms per 1,000 | worst day | " + " | ".join(KINDS) + " |")
    print("|---|" + "---|" * (5 + len(KINDS)))
    for name, found in results.items():
        print(row(name, found))


if __name__ == "__main__":
    main()

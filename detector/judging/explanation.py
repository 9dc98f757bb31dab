"""The changes of a key on the evaluated day in words: endpoints, errors, deployments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from detector.boundary.words import counted
from detector.model.panel import Panel
from detector.usage.aggregation import NO_ENDPOINT, OTHER, map_of

MOST_ENDPOINTS = 6
MOST_NAMED = 3
ENUMERATION = 5
NOTABLE_CHANGE = 0.02
"""A change of the share of errors below this is none."""


@dataclass(frozen=True)
class Change:
    """The changes of one key as sentences, and its endpoint mix before and on the evaluated day."""

    sentences: tuple[str, ...]
    endpoints_usual: Mapping[str, int]
    endpoints_observed: Mapping[str, int]


NO_CHANGE = Change((), {}, {})


def changes(panel: Panel, keys: list[str]) -> dict[str, Change]:
    """The changes of each key on the last day of the panel, compared with the days before it."""
    if not keys:
        return {}
    endpoints = panel.maps("endpoint_distribution", keys)
    places = panel.maps("deployments", keys)
    changed = {}
    for key in keys:
        changed[key] = _change(panel, key, _sum(endpoints, key), _sum(places, key))
    return changed


def _change(panel: Panel, key: str, usual: Counter[str], places: Counter[str]) -> Change:
    record = panel.record(key)
    current = map_of(record["endpoint_distribution"])
    sentences = [*_endpoint_sentences(usual, current), *_error_sentences(panel, key)]
    new = [name for name in map_of(record["deployments"]) if name not in places]
    if places and new:
        sentences.append(f"Never seen in {' and '.join(new[:MOST_NAMED])} before.")
    return Change(tuple(sentences), _top(usual), _top(Counter(current)))


def _endpoint_sentences(usual: Counter[str], current: Mapping[str, int]) -> list[str]:
    new = [name for name in current if name not in usual and name not in (OTHER, NO_ENDPOINT)]
    if not usual or not new:
        return []
    if len(new) >= ENUMERATION:
        total = sum(current[name] for name in new)
        requests = counted(total, "request")
        return [f"{counted(len(new), 'endpoint')} never used before: {requests}, most to {new[0]}."]
    return [f"{name} never used before: {counted(current[name], 'request')}." for name in new[:MOST_NAMED]]


def _error_sentences(panel: Panel, key: str) -> list[str]:
    row = panel.keys.get_loc(key)
    used = panel.requests[row] > 0
    if not used[-1] or not used[:-1].any():
        return []
    shares = panel.errors[row, used] / panel.requests[row, used]
    now = float(shares[-1])
    # The median: a surge on one of the days before is not usual.
    usual = float(np.median(shares[:-1]))
    if abs(now - usual) < NOTABLE_CHANGE:
        return []
    return [f"Errors on {now:.1%} of requests, usually {usual:.1%}."]


def _sum(days: list[dict[str, dict[str, int]]], key: str) -> Counter[str]:
    total: Counter[str] = Counter()
    for day in days:
        total.update(day.get(key, {}))
    return total


def _top(counts: Counter[str]) -> dict[str, int]:
    ordered = map_of(dict(counts))
    top = dict(list(ordered.items())[:MOST_ENDPOINTS])
    rest = sum(ordered.values()) - sum(top.values())
    if rest:
        top[OTHER] = top.get(OTHER, 0) + rest
    return top

"""The parts of the fleet without requests: all keys of a team or an application, an endpoint, a deployment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.boundary.words import counted
from detector.model.panel import DailyCounts, Panel
from detector.usage.aggregation import NO_ENDPOINT, OTHER

WEEKS = 3
"""A part is compared with the same weekday of so many weeks."""
FEWEST_KEYS = 3
"""At least so many keys used a part on each compared day. Fewer keys fall silent for reasons of their own."""
FEWEST_REQUESTS = 50
LARGEST_SHARE = 0.02
"""A part is missing if it has at most this share of the requests of its lowest compared day."""
MOST_PARTS = 5

Counts = NDArray[np.float64]


@dataclass(frozen=True)
class MissingPart:
    """A part of the fleet with hardly any request on the evaluated day."""

    what: str
    """The part, for the end of a sentence that begins with requests: ``of team search``."""
    requests: int
    lowest: int
    """The requests of the lowest compared day."""
    keys: int
    """The keys that used it on the compared day with the fewest."""
    lost: bool
    """Whether the requests are gone. Otherwise the same keys made them elsewhere, as after a release."""

    @property
    def text(self) -> str:
        """A sentence that tells what is missing."""
        return (
            f"{counted(self.requests, 'request')} {self.what}; each of the last {WEEKS} such days had at least "
            f"{self.lowest:,}, from {counted(self.keys, 'key')} or more."
        )


def missing_parts(panel: Panel) -> list[MissingPart]:
    """The parts without requests, though each compared day has plenty from several keys; the largest first.

    Only the trusted keys count. A fleet that is silent as a whole is no part.
    """
    last = len(panel.days) - 1
    compared = last - 7 * np.arange(1, WEEKS + 1)
    trusted = np.flatnonzero(panel.trusted)
    if compared[-1] < 0 or panel.missing[[*compared, last]].any() or not panel.requests[trusted, last].any():
        return []
    requests = panel.requests[trusted][:, [*compared, last]].astype(np.float64)
    found = [*_of_register(panel, trusted, requests), *_of_maps(panel, trusted, requests)]
    return sorted(found, key=lambda part: -part.lowest)[:MOST_PARTS]


def _of_register(panel: Panel, trusted: NDArray[np.int64], requests: Counts) -> Iterator[MissingPart]:
    """The teams and applications without requests."""
    for column, words in (("team", "of the keys of team {}"), ("application", "of the keys of application {}")):
        codes, names = pd.factorize(panel.records[column].iloc[trusted])
        if len(names) < 2:
            continue
        for code in range(len(names)):
            of_keys = requests[codes == code]
            part = _part(words.format(names[code]), of_keys, of_keys)
            if part is not None:
                yield part


def _of_maps(panel: Panel, trusted: NDArray[np.int64], requests: Counts) -> Iterator[MissingPart]:
    """The endpoints and deployments without requests."""
    maps = ((panel.endpoint_counts, "to {}"), (panel.deployment_counts, "through deployment {}"))
    for read, words in maps:
        # One week is read first. On most days nothing of it is missing, and three weeks are three times the work.
        if not len(_missing_since_last_week(read(8), trusted)):
            continue
        counts = read(7 * WEEKS + 1)
        # The days are in the order of the requests: the compared days, the latest first, then the evaluated one.
        days = [counts.days[-1 - 7 * weeks][trusted] for weeks in (*range(1, WEEKS + 1), 0)]
        for column in _missing_since_last_week(counts, trusted).tolist():
            of_keys = np.column_stack([day[:, [column]].toarray().ravel() for day in days]).astype(np.float64)
            part = _part(words.format(counts.names[column]), of_keys, requests)
            if part is not None:
                yield part


def _missing_since_last_week(counts: DailyCounts, trusted: NDArray[np.int64]) -> NDArray[np.int64]:
    """The positions of the endpoints or deployments that lost their requests since the same day of last week."""
    before = np.asarray(counts.days[-8][trusted].sum(axis=0)).ravel()
    current = np.asarray(counts.days[-1][trusted].sum(axis=0)).ravel()
    if not current.any():  # the source does not tell them that day
        return np.empty(0, dtype=np.int64)
    named = ~np.isin(counts.names.to_numpy(dtype=object), [NO_ENDPOINT, OTHER])
    return np.flatnonzero(named & (before >= FEWEST_REQUESTS) & (current <= LARGEST_SHARE * before))


def _part(what: str, of_keys: Counts, requests: Counts) -> MissingPart | None:
    """A part that is missing, or None; both are keys x compared days and the evaluated day.

    ``of_keys`` are the requests to the part, ``requests`` all requests of the same keys.
    """
    totals = of_keys.sum(axis=0)
    lowest = totals[:-1].min()
    users = int((of_keys[:, :-1] > 0).sum(axis=0).min())
    if lowest < FEWEST_REQUESTS or users < FEWEST_KEYS or totals[-1] > LARGEST_SHARE * lowest:
        return None
    of_users = requests[(of_keys[:, :-1] > 0).any(axis=1)].sum(axis=0)
    lost = bool(of_users[-1] <= of_users[:-1].min() - lowest / 2)
    return MissingPart(what, int(totals[-1]), int(lowest), users, lost)

"""Small panels for tests: a few keys, a few days, everything else sensible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from detector.model.panel import DailyCounts, Panel
from detector.model.usage import RECORD_COLUMNS, Fault
from detector.usage.aggregation import conform

DAY = date(2026, 3, 17)
UTC_ZONE = ZoneInfo("UTC")


def panel(
    counts: Mapping[str, Sequence[int]],
    *,
    errors: Mapping[str, Sequence[int]] | None = None,
    environment: Mapping[str, str] | None = None,
    names: Mapping[str, str] | None = None,
    deployments: Mapping[str, Mapping[str, int]] | None = None,
    earlier_deployments: Mapping[str, Mapping[str, int]] | None = None,
    endpoints: Mapping[str, Mapping[str, int]] | None = None,
    earlier_endpoints: Mapping[str, Mapping[str, int]] | None = None,
    last_seen: Mapping[str, date | None] | None = None,
    registered: Sequence[str] | None = None,
    unborn: Mapping[str, int] | None = None,
    missing: Sequence[int] = (),
    faults: tuple[Fault, ...] = (),
    team: str | None = "payments",
    day: date = DAY,
) -> Panel:
    """A panel from counts a day per key, the judged day last.

    ``unborn`` says for how many first days a key did not exist; ``missing`` lists days nobody saw as
    indices. ``last_seen`` is derived from the counts unless given.
    """
    keys = sorted(counts)
    requests = np.array([counts[key] for key in keys], dtype=np.int64).reshape(len(keys), -1)
    length = requests.shape[1]
    days = np.array([day - timedelta(days=length - 1 - index) for index in range(length)], dtype="datetime64[D]")
    known = np.ones(requests.shape, dtype=bool)
    for key, first in (unborn or {}).items():
        known[keys.index(key), :first] = False
    absent = np.isin(np.arange(length), np.array(missing, dtype=int) % max(length, 1))
    seen = {key: _last_seen(requests[row], days) for row, key in enumerate(keys)} | dict(last_seen or {})
    past = {"deployments": earlier_deployments or {}, "endpoint_distribution": earlier_endpoints or {}}
    return Panel(
        keys=pd.Index(keys, name="key_id", dtype=object),
        days=days,
        requests=requests,
        errors=np.array([(errors or {}).get(key, [0] * length) for key in keys], dtype=np.int64).reshape(
            requests.shape
        ),
        known=known,
        missing=absent,
        records=_records(
            keys, requests[:, -1], environment, names, deployments, endpoints, seen, registered, team
        ),
        last_uses=np.where(requests.any(axis=0), days + np.timedelta64(23, "h"), np.datetime64("NaT")),
        timezone=UTC_ZONE,
        maps=lambda column, wanted: [
            {key: dict(past[column].get(key, {})) for key in wanted} for _ in range(length - 1)
        ],
        endpoint_counts=lambda count: _daily_counts(
            keys, min(count, length), endpoints or {}, earlier_endpoints or {}
        ),
        deployment_counts=lambda count: _daily_counts(
            keys, min(count, length), deployments or {}, earlier_deployments or {}
        ),
        watermark=datetime(2026, 3, 18, 1, tzinfo=UTC),
        pulled_at=datetime(2026, 3, 18, 2, tzinfo=UTC),
        faults=faults,
    )


def _daily_counts(
    keys: list[str],
    count: int,
    current: Mapping[str, Mapping[str, int]],
    earlier: Mapping[str, Mapping[str, int]],
) -> DailyCounts:
    """The same ``earlier`` endpoint counts on every day before the judged one."""
    names = sorted({name for mix in (*current.values(), *earlier.values()) for name in mix})

    def matrix(mixes: Mapping[str, Mapping[str, int]]) -> csr_array:
        return csr_array([[mixes.get(key, {}).get(name, 0) for name in names] for key in keys])

    return DailyCounts(pd.Index(names, dtype=object), [matrix(earlier)] * (count - 1) + [matrix(current)])


def _last_seen(counts: np.ndarray, days: np.ndarray) -> date | None:
    used = np.flatnonzero(counts[:-1])
    return days[used[-1]].item() if len(used) else None


def _records(
    keys, current, environment, names, deployments, endpoints, last_seen, registered, team
) -> pd.DataFrame:
    def instants(days: list[date | None]) -> list[datetime | None]:
        return [day and datetime(day.year, day.month, day.day, 12, tzinfo=UTC) for day in days]

    frame = pd.DataFrame(
        {
            "key_id": keys,
            "name": [(names or {}).get(key, f"service {key}") for key in keys],
            "environment": [(environment or {}).get(key, "live") for key in keys],
            "team": team,
            "registered": [registered is None or key in registered for key in keys],
            "active": True,
            "request_count": current,
            "error_count": 0,
            "endpoint_distribution": [list((endpoints or {}).get(key, {}).items()) for key in keys],
            "deployments": [list((deployments or {}).get(key, {}).items()) for key in keys],
            "last_seen": instants([last_seen[key] for key in keys]),
            "longest_silence": 0,
        },
        index=pd.Index(keys, name="key_id", dtype=object),
    )
    return conform(frame, RECORD_COLUMNS)

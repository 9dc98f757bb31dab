"""A by-key answer as it is read: checked key by key, and turned into the records of a day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from detector.boundary.words import counted
from detector.model.day import Day
from detector.model.usage import GROUP_COLUMNS, INSTANT, MEASURED, REGISTER, Fault
from detector.sources.faults import BAD_ACTIVITY, TOO_MANY_ERRORS, Observation, sample
from detector.sources.http.paging import Endpoint, NotHeldError, Page
from detector.sources.values import from_micros, micros_of
from detector.sources.windows import ACTIVITY, within
from detector.usage.aggregation import by_key, clean_register, conform, empty, local_days

LARGEST_TOTAL = 10**15
"""A count above is an overflow or a mistake, even as the total of a key's whole life."""

TWICE = "key listed twice, first entry kept"
TOO_FEW = "keys counted in total_keys that did not come"
TOO_MANY = "keys beyond total_keys, used all the same"
FEWER_ENDPOINTS = "endpoint_distribution sums to less than request_count, the rest taken as (unknown)"
MORE_ENDPOINTS = "endpoint_distribution sums to more than request_count, its sum taken"
EARLIER = "last_activity before the day though the key has requests, taken as its start"
NOT_TEXT = "keys[].key_id: holds characters that are none"

Count = Annotated[int, Field(ge=0, le=LARGEST_TOTAL)]


class KeyRecord(BaseModel):
    """One key of the answer. Members of the contract must have their types; unknown members are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    key_id: str = Field(min_length=1)
    name: str | None = None
    environment: str | None = None
    request_count: Count
    endpoint_distribution: dict[str, Count]
    error_count: Count
    last_activity: str | None = None
    team: str | None = None
    application: str | None = None
    organization: str | None = None
    created_at: str | None = None
    revoked_at: str | None = None
    deployments: dict[str, Count] | None = None
    client_count: Count | None = None

    @property
    def last_used(self) -> datetime | None:
        """The last activity as an instant; None where there is none, or none that can be read."""
        micros = micros_of(self.last_activity) if self.last_activity else None
        return None if micros is None else from_micros(micros)


@dataclass(frozen=True)
class Answer:
    """The keys of an answer, each once, and what was wrong with it (of no day yet)."""

    keys: tuple[KeyRecord, ...]
    observations: tuple[Observation, ...] = ()

    def register(self) -> tuple[pd.DataFrame, tuple[Fault, ...]]:
        """The keys as a register, and what was wrong in it."""
        rows = [[_stated(getattr(key, name), name) for name in REGISTER] for key in self.keys]
        return clean_register(pd.DataFrame(rows, columns=[*REGISTER], dtype="object"))

    def measured(self, day: Day, deployment: str | None) -> pd.DataFrame:
        """``MEASURED`` records of a day; traffic that names no deployment was seen in the given one."""
        used = [key for key in self.keys if _requests(key)]
        if not used:
            return empty(MEASURED)
        endpoints = within(_groups(row for key in used for row in _endpoint_rows(key)), day)
        clients = pd.DataFrame(
            {
                "key_id": [key.key_id for key in used],
                "client_count": pd.array([key.client_count for key in used], "Int64"),
            }
        )
        records = by_key(endpoints, clients)
        places = by_key(within(_groups(row for key in used for row in _deployment_rows(key, deployment)), day))
        return conform(records.assign(deployments=places["deployments"]), MEASURED)

    def observed(self, day: Day) -> Iterator[Observation]:
        """Everything wrong with the answer, as of a day."""
        start = day.start
        for seen in self.observations:
            yield Observation(day.date, seen.reason, seen.count, seen.sample)
        for key in self.keys:
            used = key.last_used
            for reason in _contradictions(key, used is not None and used < start):
                yield Observation(day.date, reason, 1, sample(key.key_id))

    def activity_before(self, day: Day, covered: Day | None) -> pd.DataFrame:
        """``ACTIVITY`` before a day. An answer may tell of later use: that says nothing about before.

        ``covered`` is the day that the counts are of: a key with requests in it was used then. The first
        use is unknown; the creation stands for it, or else the last use.
        """
        rows = [(key.key_id, _last_before(key, day, covered), key.created_at) for key in self.keys]
        frame = pd.DataFrame(
            [row for row in rows if row[1] is not None], columns=["key_id", "last_seen", "created_at"]
        )
        last = frame["last_seen"].astype(INSTANT)
        created = pd.to_datetime(frame["created_at"], utc=True, errors="coerce", format="ISO8601").astype(INSTANT)
        first = created.where((created <= last).fillna(False), last)
        return conform(frame.assign(first_seen=local_days(first, day), last_seen=last), ACTIVITY)


def read_answer(endpoint: Endpoint, parameters: dict[str, str]) -> Answer:
    """Ask once and read every page. Raises NotHeldError, also for an answer without any key, and SourceError.

    No key at all, or none that can be used, is not a day on which nobody did anything.
    """
    observations: list[Observation] = []
    keys: dict[str, KeyRecord] = {}
    total, came = None, 0
    for number, page in enumerate(endpoint.pages(parameters), start=1):
        total, came = page.total_keys if page.total_keys is not None else total, came + len(page.keys)
        for key in _keys(page, number, observations):
            if key.key_id in keys:
                observations.append(Observation(None, TWICE, 1, sample(key.key_id)))
                came -= 1
            else:
                keys[key.key_id] = key
    if total is None:
        raise endpoint.error("the answer is not a by-key answer: $.total_keys is missing")
    if not keys:
        raise _nothing_usable(endpoint, observations)
    if total != came:
        text = f"{total:,} announced, {came:,} came"
        observations.append(Observation(None, TOO_FEW if came < total else TOO_MANY, abs(total - came), text))
    return Answer(tuple(keys.values()), tuple(observations))


def _nothing_usable(endpoint: Endpoint, observations: Sequence[Observation]) -> Exception:
    if not observations:
        return NotHeldError("an answer without any key")
    first = observations[0]
    return endpoint.error(
        f"none of its {counted(len(observations), 'key')} can be used; the first: {first.reason} ({first.sample})",
        "compare its answer with docs/sources.md",
    )


def _keys(page: Page, number: int, observations: list[Observation]) -> Iterator[KeyRecord]:
    """The keys of a page that can be used; the others are counted, with the path of what is wrong."""
    for index, raw in enumerate(page.keys):
        place = f"page {number} $.keys[{index}]"
        try:
            key = KeyRecord.model_validate(_clean(raw))
        except ValidationError as error:
            problem = error.errors()[0]
            what = f"{problem['msg'][0].lower()}{problem['msg'][1:]}"
            path = _path(problem["loc"])
            observations.append(Observation(None, f"keys[]{path}: {what}", 1, f"{place}{path}"))
            continue
        if not _is_text(key.key_id):
            observations.append(Observation(None, NOT_TEXT, 1, place))
            continue
        if key.last_activity and key.last_used is None:
            observations.append(Observation(None, BAD_ACTIVITY, 1, sample(key.last_activity, place)))
        yield key


def _path(location: Sequence[Any]) -> str:
    """The path of a fault within a key; names of endpoints are the customers' and stay out of it."""
    known = [str(part) for part in location[:1]] + ["*" for _ in location[1:2]]
    return "".join(f".{part}" for part in known)


def _is_text(text: str) -> bool:
    return "\0" not in text and "\ufffd" not in text


def _clean(raw: Any) -> Any:
    """A key whose texts hold no halves of surrogate pairs, which no file can hold: U+FFFD stands for them."""
    if not isinstance(raw, dict):
        return raw
    return {name: _whole_names(value) if isinstance(value, dict) else _whole(value) for name, value in raw.items()}


def _whole_names(counts: dict[str, Any]) -> dict[str, Any]:
    return {_whole(name): count for name, count in counts.items()}


def _whole(value: Any) -> Any:
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _stated(value: str | None, name: str) -> str | None:
    """What the register says; an environment of ``unknown`` says nothing."""
    return None if name == "environment" and (value or "").strip().lower() == "unknown" else value


def _requests(key: KeyRecord) -> int:
    """The larger of the count and the sum of its endpoints, so that no request is hidden."""
    return max(key.request_count, sum(key.endpoint_distribution.values()))


def _endpoint_rows(key: KeyRecord) -> Iterator[tuple[Any, ...]]:
    """Group rows by endpoint. The errors, which have no endpoint, stand in the first."""
    requests = _requests(key)
    rest = requests - sum(key.endpoint_distribution.values())
    errors = min(key.error_count, requests)
    for endpoint, count in ((None, rest), *key.endpoint_distribution.items()):
        if count:
            yield key.key_id, endpoint, None, count, errors, key.last_used
            errors = 0


def _deployment_rows(key: KeyRecord, everywhere: str | None) -> Iterator[tuple[Any, ...]]:
    """Group rows by deployment, one at least."""
    deployments: Mapping[Any, int] = key.deployments or {everywhere: _requests(key)}
    for deployment, count in deployments.items():
        yield key.key_id, None, deployment, count, 0, None


def _groups(rows: Iterable[tuple[Any, ...]]) -> pd.DataFrame:
    return conform(pd.DataFrame(list(rows), columns=[*GROUP_COLUMNS], dtype="object"), GROUP_COLUMNS)


def _contradictions(key: KeyRecord, used_earlier: bool) -> Iterator[str]:
    """The reasons for which a key's numbers do not go together."""
    total = sum(key.endpoint_distribution.values())
    if total < key.request_count:
        yield FEWER_ENDPOINTS
    if total > key.request_count:
        yield MORE_ENDPOINTS
    if key.error_count > _requests(key):
        yield TOO_MANY_ERRORS
    if used_earlier and _requests(key):
        yield EARLIER


def _last_before(key: KeyRecord, day: Day, covered: Day | None) -> datetime | None:
    used = key.last_used
    if used is not None and used < day.start:
        return used
    return covered.start if covered is not None and _requests(key) else None

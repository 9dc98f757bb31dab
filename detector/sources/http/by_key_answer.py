"""A by-key answer: every key of it is checked, and the usable keys become the records of a day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import pandas as pd
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from detector.boundary.text import whole
from detector.boundary.words import counted
from detector.model.day import Day
from detector.model.usage import GROUP_COLUMNS, INSTANT, MEASURED, REGISTER, Fault
from detector.sources.faults import BAD_ACTIVITY, TOO_MANY_ERRORS, Observation, sample
from detector.sources.http.paging import LARGEST_TOTAL, Endpoint, NotHeldError, Page
from detector.sources.instants import from_micros, micros_of
from detector.sources.reading import read_register
from detector.sources.values import ValueRules
from detector.sources.windows import ACTIVITY, clamp_last_use
from detector.usage.aggregation import by_key, clean_register, conform, empty, local_days

DUPLICATE_KEY = "key listed twice, the first entry counts"
MISSING_KEYS = "fewer keys in the answer than its total_keys says"
EXTRA_KEYS = "more keys in the answer than its total_keys says, all are used"
FEWER_ENDPOINTS = "endpoint_distribution sums to less than request_count, the rest counts as (unknown)"
MORE_ENDPOINTS = "endpoint_distribution sums to more than request_count, the sum counts"
ACTIVITY_BEFORE_DAY = "last_activity before the day although the key has requests, the start of the day counts"
NOT_A_KEY = "keys[].key_id: names no key"

_RULES = ValueRules(ZoneInfo("UTC"))
"""The endpoint states instants and no days, so the zone decides nothing."""

Count = Annotated[int, Field(ge=0, le=LARGEST_TOTAL)]


def _within_the_largest_total(counts: dict[str, int]) -> dict[str, int]:
    """Many counts may be too large together though each one is not."""
    if sum(counts.values()) > LARGEST_TOTAL:
        raise PydanticCustomError("largest_total", f"Input should sum to at most {LARGEST_TOTAL}")
    return counts


Counts = Annotated[dict[str, Count], AfterValidator(_within_the_largest_total)]
GroupRow = tuple[Any, ...]
"""The values of ``GROUP_COLUMNS``, in their order."""


class KeyRecord(BaseModel):
    """One key of the answer. The members must have these types; unknown members are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    key_id: str = Field(min_length=1)
    name: str | None = None
    environment: str | None = None
    request_count: Count
    endpoint_distribution: Counts
    error_count: Count
    last_activity: str | None = None
    team: str | None = None
    application: str | None = None
    organization: str | None = None
    created_at: str | None = None
    revoked_at: str | None = None
    deployments: Counts | None = None
    client_count: Count | None = None

    @property
    def last_used(self) -> datetime | None:
        """The last activity as an instant; None where it is missing or cannot be read."""
        if not self.last_activity:
            return None
        micros = micros_of(self.last_activity)
        return None if micros is None else from_micros(micros)

    @property
    def created(self) -> datetime | None:
        """The creation as an instant; None where it is missing or cannot be read."""
        micros = micros_of(self.created_at)
        return None if micros is None else from_micros(micros)


@dataclass(frozen=True)
class ByKeyAnswer:
    """The keys of an answer, each once, and its faults, which have no day yet."""

    keys: tuple[KeyRecord, ...]
    observations: tuple[Observation, ...] = ()

    def register(self) -> tuple[pd.DataFrame, tuple[Fault, ...]]:
        """The register of the keys, and its faults."""
        rows = [[_register_value(getattr(key, name), name) for name in REGISTER] for key in self.keys]
        raw = pd.DataFrame(rows, columns=[*REGISTER], dtype="object")
        return clean_register(read_register(raw, _RULES))

    def measured(self, day: Day, deployment: str | None) -> pd.DataFrame:
        """``MEASURED`` records of a day. ``deployment`` is that of keys that name no deployment."""
        used = [key for key in self.keys if _requests(key)]
        if not used:
            return empty(MEASURED)
        endpoint_rows: list[GroupRow] = []
        deployment_rows: list[GroupRow] = []
        for key in used:
            endpoint_rows += _endpoint_rows(key)
            deployment_rows += _deployment_rows(key, deployment)
        clients = pd.DataFrame(
            {
                "key_id": [key.key_id for key in used],
                "client_count": pd.array([key.client_count for key in used], "Int64"),
            }
        )
        # The answer counts by endpoint and by deployment, but not by both. So the records are made of the endpoint
        # groups, and their deployments come from a second aggregation.
        records = by_key(clamp_last_use(_groups(endpoint_rows), day), clients)
        by_deployment = by_key(clamp_last_use(_groups(deployment_rows), day))
        return conform(records.assign(deployments=by_deployment["deployments"]), MEASURED)

    def observed(self, day: Day) -> Iterator[Observation]:
        """The faults of the answer, as faults of a day."""
        start = day.start
        for observation in self.observations:
            yield replace(observation, day=day.date)
        for key in self.keys:
            used = key.last_used
            for reason in _contradictions(key, used is not None and used < start):
                yield Observation(day.date, reason, 1, sample(key.key_id), "note")

    def activity_before(self, day: Day, covered: Day | None) -> pd.DataFrame:
        """``ACTIVITY`` before a day.

        ``covered`` is the day, before the given one, whose requests the answer counts; None where it counts no
        such day.
        """
        rows = []
        for key in self.keys:
            last_used = _last_use_before(key, day, covered)
            if last_used is not None:
                rows.append((key.key_id, last_used, key.created))
        frame = pd.DataFrame(rows, columns=["key_id", "last_seen", "created_at"])
        last = frame["last_seen"].astype(INSTANT)
        created = frame["created_at"].astype(INSTANT)
        # No answer states the first use, so the creation counts as the first use, or else the last use.
        first = created.where((created <= last).fillna(False), last)
        return conform(frame.assign(first_seen=local_days(first, day), last_seen=last), ACTIVITY)


def read_answer(endpoint: Endpoint, parameters: dict[str, str]) -> ByKeyAnswer:
    """Ask once and read every page.

    Raises NotHeldError for an answer without any key, and SourceError where none of its keys can be used: neither
    is a day on which all keys were silent.
    """
    observations: list[Observation] = []
    keys: dict[str, KeyRecord] = {}
    total = None
    received = 0
    for number, page in enumerate(endpoint.pages(parameters), start=1):
        if page.total_keys is not None:
            total = page.total_keys
        received += len(page.keys)
        for key in _keys(page, number, observations):
            if key.key_id in keys:
                observations.append(Observation(None, DUPLICATE_KEY, 1, sample(key.key_id), "repeated"))
                received -= 1
            else:
                keys[key.key_id] = key
    if total is None:
        raise endpoint.error("the answer is not a by-key answer: $.total_keys is missing")
    if not keys:
        raise _nothing_usable(endpoint, observations)
    if total != received:
        reason = MISSING_KEYS if received < total else EXTRA_KEYS
        observations.append(
            Observation(
                None,
                reason,
                abs(total - received),
                f"total_keys {total:,}, received {received:,}",
                # Keys that never came cannot be used; keys that came are.
                kind="unusable" if received < total else "note",
            )
        )
    return ByKeyAnswer(tuple(keys.values()), tuple(observations))


def _nothing_usable(endpoint: Endpoint, observations: Sequence[Observation]) -> Exception:
    if not observations:
        return NotHeldError("an answer without any key")
    first = observations[0]
    return endpoint.wrong(
        f"none of its {counted(len(observations), 'key')} can be used; the first: {first.reason} ({first.sample})",
        "compare its answer with the by-key endpoint in docs/sources.md",
    )


def _keys(page: Page, number: int, observations: list[Observation]) -> Iterator[KeyRecord]:
    """The usable keys of a page. The faults of the other keys are added to the observations."""
    for index, raw in enumerate(page.keys):
        position = f"page {number} $.keys[{index}]"
        try:
            key = KeyRecord.model_validate(_clean(raw))
        except ValidationError as error:
            problem = error.errors()[0]
            text = f"{problem['msg'][0].lower()}{problem['msg'][1:]}"
            path = _path(problem["loc"])
            observations.append(Observation(None, f"keys[]{path}: {text}", 1, f"{position}{path}"))
            continue
        key_id = _RULES.key_of(key.key_id)
        if key_id is None:
            observations.append(Observation(None, NOT_A_KEY, 1, position))
            continue
        if key.last_activity and key.last_used is None:
            bad_activity = sample(key.last_activity, position)
            observations.append(Observation(None, BAD_ACTIVITY, 1, bad_activity, "note"))
        yield key.model_copy(update={"key_id": key_id})


def _path(location: Sequence[Any]) -> str:
    """The path of a fault within a key."""
    if not location:
        return ""
    # The second part is the name of an endpoint or a deployment. Customers choose it, so it is not shown.
    return f".{location[0]}.*" if len(location) > 1 else f".{location[0]}"


def _clean(raw: Any) -> Any:
    """The key with U+FFFD in place of every half of a surrogate pair, also in the names of its maps."""
    if not isinstance(raw, dict):
        return raw
    cleaned: dict[Any, Any] = {}
    for name, value in raw.items():
        if isinstance(value, dict):
            cleaned[name] = {_without_surrogates(key): count for key, count in value.items()}
        else:
            cleaned[name] = _without_surrogates(value)
    return cleaned


def _without_surrogates(value: Any) -> Any:
    return whole(value) if isinstance(value, str) else value


def _register_value(value: str | None, name: str) -> str | None:
    # The contract's word for an environment that the endpoint does not know is a missing value, not a fault.
    if name == "environment" and (value or "").strip().lower() == "unknown":
        return None
    return value


def _requests(key: KeyRecord) -> int:
    """The larger of the count and the sum of its endpoints, so that no request is hidden."""
    return max(key.request_count, sum(key.endpoint_distribution.values()))


def _endpoint_rows(key: KeyRecord) -> Iterator[GroupRow]:
    """One row for each endpoint with requests, and one for requests without an endpoint."""
    requests = _requests(key)
    without_endpoint = requests - sum(key.endpoint_distribution.values())
    # The answer does not count errors by endpoint, so the first row has all of them.
    errors = min(key.error_count, requests)
    for endpoint, count in ((None, without_endpoint), *key.endpoint_distribution.items()):
        if count:
            yield key.key_id, endpoint, None, count, errors, key.last_used
            errors = 0


def _deployment_rows(key: KeyRecord, default: str | None) -> Iterator[GroupRow]:
    """One row for each deployment; one row with the default where the key names no deployment."""
    deployments: Mapping[Any, int] = key.deployments or {default: _requests(key)}
    for deployment, count in deployments.items():
        yield key.key_id, None, deployment, count, 0, None


def _groups(rows: Iterable[GroupRow]) -> pd.DataFrame:
    return conform(pd.DataFrame(list(rows), columns=[*GROUP_COLUMNS], dtype="object"), GROUP_COLUMNS)


def _contradictions(key: KeyRecord, is_last_use_before_day: bool) -> Iterator[str]:
    """The faults of a key whose members contradict one another."""
    total = sum(key.endpoint_distribution.values())
    if total < key.request_count:
        yield FEWER_ENDPOINTS
    if total > key.request_count:
        yield MORE_ENDPOINTS
    if key.error_count > _requests(key):
        yield TOO_MANY_ERRORS
    if is_last_use_before_day and _requests(key):
        yield ACTIVITY_BEFORE_DAY


def _last_use_before(key: KeyRecord, day: Day, covered: Day | None) -> datetime | None:
    used = key.last_used
    if used is not None and used < day.start:
        return used
    # A last activity on the day or later does not tell whether the key was used before. But a key with requests
    # on the covered day was used on that day. The hour is unknown; the start of the day is the estimate.
    if covered is not None and _requests(key):
        return covered.start
    return None

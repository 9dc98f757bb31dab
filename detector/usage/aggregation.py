"""The by-key aggregation: groups of requests become one record per key, and records merge.

Every engine answers the same small question: rows of (key, endpoint, deployment) with counts. This module does
the rest once, so that all engines agree. A test holds every engine to this law::

    by_key(a + b) == merge(by_key(a), by_key(b))

- ``client_count`` is the one field outside the law. The distinct clients of two days overlap by an unknown
  amount, so a merged record carries the largest of its parts.
- Requests without an endpoint count as ``(unknown)``, so that an endpoint distribution always sums to the
  request count.
- Unregistered keys are in the answer, with environment ``unknown``, on days on which they have requests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from detector.model.day import Day
from detector.model.errors import SourceError
from detector.model.usage import (
    COUNT_MAP,
    DAY,
    GROUP_COLUMNS,
    INSTANT,
    KNOWN,
    MEASURED,
    RECORD_COLUMNS,
    REGISTER,
    TEXT,
    Fault,
)
from detector.usage.endpoints import fold_endpoint
from detector.usage.strangers import OTHER_KEYS, counted_together, remembered

OTHER = "(other)"
NO_ENDPOINT = "(unknown)"
ENVIRONMENTS = ("live", "test")
_FACTS = [*REGISTER, "registered", *KNOWN]
"""The columns of a record that are no usage."""
UNKNOWN = "unknown"
LISTED_TWICE = "key listed twice: the row that is not revoked counts, then the one created last"


def empty(columns: Mapping[str, Any]) -> pd.DataFrame:
    """An empty frame with the given columns and types."""
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})


def conform(frame: pd.DataFrame, columns: Mapping[str, Any]) -> pd.DataFrame:
    """The given columns of a frame, in their types and order. A column that the frame lacks is all null."""
    converted = {}
    for name, kind in columns.items():
        if name in frame:
            converted[name] = frame[name].astype(kind)
        else:
            converted[name] = pd.Series(pd.NA, index=frame.index, dtype=kind)
    return pd.DataFrame(converted, index=frame.index)


def by_key(groups: pd.DataFrame, clients: pd.DataFrame | None = None) -> pd.DataFrame:
    """Build one ``MEASURED`` record per key from rows of ``GROUP_COLUMNS``, sorted by key id.

    ``clients`` has key_id and client_count if the source knows client addresses. Endpoints are folded. Requests
    without an endpoint count as ``(unknown)``, so that the distribution adds up to the request count. Requests
    without a deployment count for no deployment.
    """
    groups = conform(groups, GROUP_COLUMNS)
    require_64_bits(groups["request_count"])
    totals = groups.groupby("key_id", sort=True).agg(
        request_count=("request_count", "sum"),
        error_count=("error_count", "sum"),
        last_used=("last_used", "max"),
    )
    records = totals.reset_index()
    folded = groups.assign(endpoint=_fold(groups["endpoint"]))
    records["endpoint_distribution"] = _collect(folded, "endpoint", records["key_id"])
    records["deployments"] = _collect(groups, "deployment", records["key_id"])
    if clients is not None:
        counts = clients.drop_duplicates("key_id").set_index("key_id")["client_count"]
        records["client_count"] = counts.reindex(records["key_id"]).to_numpy()
    return conform(records, MEASURED)


def merge(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Merge the records of disjoint parts of the usage: counts are added, and the latest instant is taken."""
    if not parts:
        return empty(MEASURED)
    stacked = pd.concat([conform(part, MEASURED) for part in parts], ignore_index=True)
    require_64_bits(stacked["request_count"])
    merged = (
        stacked.groupby("key_id", sort=True)
        .agg({"request_count": "sum", "error_count": "sum", "client_count": "max", "last_used": "max"})
        .reset_index()
    )
    for column in ("endpoint_distribution", "deployments"):
        merged[column] = _collect(explode(stacked, column), column, merged["key_id"])
    return conform(merged, MEASURED)


def require_64_bits(counts: pd.Series) -> None:
    """Raise SourceError where counts, none of them negative, sum to more than 64 bits hold.

    No sum of some of them wraps then, whatever they are grouped by.
    """
    # A float has no such limit, and its error is far below the last bit that matters here.
    if float(counts.astype("float64").sum()) >= 2**63:
        raise SourceError("the request counts sum to more than 64 bits hold; correct them in the source")


def explode(records: pd.DataFrame, column: str) -> pd.DataFrame:
    """Expand a map column to rows with key_id, the map's key (under the column's name) and request_count."""
    maps = _arrow(records[column])
    offsets = maps.offsets.to_numpy()
    inside = slice(offsets[0], offsets[-1])
    owners = np.repeat(np.arange(len(records)), np.diff(offsets))
    return pd.DataFrame(
        {
            "key_id": records["key_id"].astype(TEXT).take(owners).reset_index(drop=True),
            column: pd.Series(maps.keys[inside], dtype=TEXT),
            "request_count": pd.Series(maps.items[inside], dtype="int64"),
        }
    )


def limit_map(
    records: pd.DataFrame, column: str, most: int, group_of: Callable[[str], str | None] = lambda name: None
) -> pd.DataFrame:
    """Keep the ``most`` entries of each key's map with most requests (ties by name); the rest becomes ``(other)``.

    The groups of the entries take turns. So an entry is kept although a key has any number of busier ones in
    another group.
    """
    maps = _arrow(records[column])
    if not len(maps) or np.diff(maps.offsets.to_numpy()).max() <= most:
        return records
    rows = explode(records, column)
    groups = {name: group_of(name) or "" for name in rows[column].unique()}
    rows["group"] = rows[column].map(groups).astype("object")
    rows = rows.sort_values(["key_id", "request_count", column], ascending=[True, False, True])
    rows["turn"] = rows.groupby(["key_id", "group"]).cumcount()
    rows = rows.sort_values(["key_id", "turn", "request_count", column], ascending=[True, True, False, True])
    beyond = rows.groupby("key_id").cumcount() >= most
    rows[column] = rows[column].mask(beyond, OTHER)
    return records.assign(**{column: _collect(rows, column, records["key_id"])})


def gather_strangers(
    measured: pd.DataFrame, register: pd.DataFrame, known: pd.DataFrame, day: Day
) -> tuple[pd.DataFrame, int]:
    """The usage of a day, sorted by key id, with most strangers in one record, and their number."""
    together = counted_together(measured, _existing(register, day), known, day)
    if not together.any():
        return measured, 0
    bucket = merge([measured[together].assign(key_id=OTHER_KEYS)])
    gathered = pd.concat([measured[~together], bucket]).sort_values("key_id", ignore_index=True)
    return conform(gathered, MEASURED), int(together.sum())


def clean_register(raw: pd.DataFrame) -> tuple[pd.DataFrame, tuple[Fault, ...]]:
    """Convert a raw register (text or typed columns) to ``REGISTER`` types, and report its faults.

    Rows without a key id are left out. Of several rows of a key one that is not revoked counts before one that is,
    then the one created last, then the first by its text; so the order of the rows decides nothing. An environment
    that is neither live nor test becomes unknown, and an invalid time becomes null. Each of these is a counted
    fault.
    """
    faults: list[Fault] = []

    def note(reason: str, wrong: pd.Series, values: pd.Series) -> None:
        if wrong.any():
            samples = tuple(sorted(str(value)[:80] for value in values[wrong])[:3])
            faults.append(Fault(f"register: {reason}", int(wrong.sum()), samples, dated=False))

    frame = raw.reindex(columns=[*REGISTER]).replace("", None)
    times = {name: _instants(frame[name]) for name in ("created_at", "revoked_at")}
    for name, parsed in times.items():
        note(f"{name} is not a time", parsed.isna() & frame[name].notna(), frame[name])
    register = conform(frame.assign(**times), REGISTER)
    register["environment"] = register["environment"].str.strip().str.lower()
    invalid = register["environment"].notna() & ~register["environment"].isin(ENVIRONMENTS)
    note("environment is neither live nor test", invalid, frame["environment"])
    register["environment"] = register["environment"].mask(invalid).fillna(UNKNOWN)
    no_key = register["key_id"].isna()
    note("row without a key id", no_key, register["name"])
    repeated = _repeated(register) & ~no_key
    note(LISTED_TWICE, repeated, register["key_id"])
    return register[~no_key & ~repeated].reset_index(drop=True), tuple(faults)


def _repeated(register: pd.DataFrame) -> pd.Series:
    """Whether another row of the same key counts in place of a row."""
    several = register[register["key_id"].duplicated(keep=False)]
    if several.empty:
        return pd.Series(False, index=register.index)
    ranked = several.assign(
        is_revoked=several["revoked_at"].notna(),
        words=[str(row) for row in several.itertuples(index=False)],
    ).sort_values(["is_revoked", "created_at", "words"], ascending=[True, False, True], na_position="last")
    return pd.Series(register.index.isin(ranked.index[ranked["key_id"].duplicated()]), index=register.index)


def _instants(values: pd.Series) -> pd.Series:
    # pandas reads "now" and "today" too.
    written = values.where(values.astype("string").str.match(r"\d{4}-").fillna(False).astype(bool))
    return pd.to_datetime(written, utc=True, errors="coerce", format="ISO8601").astype(INSTANT)


def complete_day(measured: pd.DataFrame, register: pd.DataFrame, known: pd.DataFrame, day: Day) -> pd.DataFrame:
    """The records of a day: ``RECORD_COLUMNS``, sorted by key id.

    They are those of the registered keys, of the keys with requests, and of known keys that are not gone (see
    ``usage.strangers``). ``register`` has ``REGISTER`` columns, and no rows if there is no register. ``known`` has
    key_id and ``KNOWN`` as of the start of the day. Keys that are created after the day are left out.
    """
    register = _existing(register, day)
    silent = remembered(known, register, measured, day)
    keys = pd.concat([register["key_id"], measured["key_id"], silent["key_id"]]).astype(TEXT)
    base = pd.DataFrame({"key_id": np.sort(keys.unique())}).astype({"key_id": TEXT})
    base = base.merge(register.assign(registered=True), on="key_id", how="left")
    base = base.merge(known, on="key_id", how="left")
    return _assemble(base, measured, day.end)


def _existing(register: pd.DataFrame, day: Day) -> pd.DataFrame:
    """The registered keys that are created by the end of a day."""
    return register[register["created_at"].isna() | (register["created_at"] < day.end)]


def period_records(days: Sequence[pd.DataFrame], end: datetime) -> pd.DataFrame:
    """The records of one period from those of its consecutive days.

    The known facts of a key are those at the end of the period. If a key is gone by then, they are those of the
    last day that has it.
    """
    last, *earlier = reversed(days)
    base = last[_FACTS]
    for records in earlier:
        gone = ~records["key_id"].isin(base["key_id"])
        if gone.any():
            base = pd.concat([base, records.loc[gone, _FACTS]])
    return _assemble(base.sort_values("key_id", ignore_index=True), merge(list(days)), end)


def known_after(records: pd.DataFrame, day: Day) -> pd.DataFrame:
    """The known facts of each key after a day: key_id and ``KNOWN``. The next day's records hold them."""
    used = records["request_count"] > 0
    today = pd.Series([day.date] * len(records), index=records.index, dtype=DAY)
    last_day = local_days(records["last_seen"], day)
    silence = (np.datetime64(day.date) - last_day).astype("timedelta64[D]").astype("float64") - 1
    longest = records["longest_silence"].where(~(used & (silence > records["longest_silence"])), silence)
    return conform(
        pd.DataFrame(
            {
                "key_id": records["key_id"],
                "first_seen": records["first_seen"].fillna(today.where(used)),
                "last_seen": records["last_activity"],
                "longest_silence": longest.astype("int64"),
                "last_registered": records["last_registered"].mask(records["registered"], today),
            }
        )[records["key_id"] != OTHER_KEYS],
        {"key_id": TEXT, **KNOWN},
    )


def local_days(instants: pd.Series, day: Day) -> NDArray[np.datetime64]:
    """The local day of each instant; NaT for no instant."""
    local = pd.DatetimeIndex(instants.astype("datetime64[us, UTC]")).tz_convert(day.timezone)
    return local.tz_localize(None).to_numpy().astype("datetime64[D]")


def by_key_answer(records: pd.DataFrame) -> dict[str, Any]:
    """The answer of the by-key contract for the active keys, in plain JSON types."""
    active = in_answer_order(records)
    columns = [
        active["key_id"],
        active["name"].fillna(active["key_id"]),
        active["environment"],
        active["request_count"],
        _dictionaries(active["endpoint_distribution"]),
        active["error_count"],
        [format_instant(value) for value in active["last_activity"]],
    ]
    names = (
        "key_id",
        "name",
        "environment",
        "request_count",
        "endpoint_distribution",
        "error_count",
        "last_activity",
    )
    keys = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    return {"keys": keys, "total_keys": len(keys)}


def in_answer_order(records: pd.DataFrame) -> pd.DataFrame:
    """The active keys, most requests first, ties by key id."""
    active = records[records["active"]].reset_index(drop=True)
    return active.sort_values(["request_count", "key_id"], ascending=[False, True], ignore_index=True)


def format_instant(value: datetime | None) -> str | None:
    """Format an instant as RFC 3339 in UTC with a Z, to the second; None for no instant."""
    if value is None or pd.isna(value):
        return None
    return f"{pd.Timestamp(value).tz_convert('UTC'):%Y-%m-%dT%H:%M:%SZ}"


def map_of(value: Any) -> dict[str, int]:
    """Convert one cell of a map column to a dictionary, highest count first, ties by name."""
    if value is None or value is pd.NA:
        return {}
    pairs = value.items() if isinstance(value, dict) else value
    return dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))


def _dictionaries(maps: pd.Series) -> list[dict[str, int]]:
    return [map_of(value) for value in _arrow(maps).to_pylist()]


def _assemble(base: pd.DataFrame, measured: pd.DataFrame, end: datetime) -> pd.DataFrame:
    records = base.merge(conform(measured, MEASURED), on="key_id", how="left", validate="one_to_one")
    for column in ("request_count", "error_count", "longest_silence"):
        records[column] = records[column].fillna(0)
    records["registered"] = records["registered"].astype("boolean").fillna(False)
    records["environment"] = records["environment"].fillna(UNKNOWN)
    records["last_activity"] = records["last_used"].fillna(records["last_seen"])
    revoked = (records["revoked_at"] <= end).fillna(False).astype(bool)
    # An unregistered key is active if there is no register, or on days on which the key is used.
    belongs = records["registered"] | (not records["registered"].any()) | (records["request_count"] > 0)
    records["active"] = belongs & ~revoked & (records["key_id"] != OTHER_KEYS)
    return conform(records, RECORD_COLUMNS)


def _fold(endpoints: pd.Series) -> pd.Series:
    distinct = endpoints.dropna().unique()
    # A day has far fewer distinct endpoints than rows, so each endpoint is folded once.
    folded = endpoints.map({endpoint: fold_endpoint(endpoint) or NO_ENDPOINT for endpoint in distinct})
    return folded.astype(TEXT).fillna(NO_ENDPOINT)


def _collect(rows: pd.DataFrame, column: str, keys: pd.Series) -> pd.Series:
    """Collect rows of (key, entry, request_count) to one map per key of ``keys`` (sorted), entries by name."""
    counts = rows.dropna(subset=[column]).groupby(["key_id", column], sort=True)["request_count"].sum()
    counts = counts[counts > 0]
    owners = pd.Index(keys).get_indexer(counts.index.get_level_values(0))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=len(keys)))])
    entries = pa.array(counts.index.get_level_values(1), type=pa.string(), from_pandas=True)
    numbers = pa.array(counts.to_numpy(), type=pa.int64())
    maps = pa.MapArray.from_arrays(pa.array(offsets, type=pa.int32()), _one_array(entries), numbers)
    return pd.Series(maps, dtype=COUNT_MAP, index=keys.index)


def _arrow(maps: pd.Series) -> pa.MapArray:
    return _one_array(pa.array(maps.astype(COUNT_MAP), type=pa.map_(pa.string(), pa.int64())))


def _one_array(array: pa.Array | pa.ChunkedArray) -> Any:
    """Combine the chunks of an array."""
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array

"""The files source: formats, columns, shapes and, above all, the faults of files."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd
import pytest

from detector.config.source import FilesSource
from detector.model.day import Day
from detector.model.errors import SourceError
from detector.sources.faults import BAD_STATUS
from detector.sources.files import reader as files
from detector.sources.files.reader import FilesReader
from detector.sources.windows import Window
from detector.usage.aggregation import map_of

UTC_ZONE = ZoneInfo("UTC")
DAY = date(2026, 1, 2)
HEADER = "timestamp,key_id,endpoint,status"


def reader(usage: Any, zone: ZoneInfo = UTC_ZONE, **options: Any) -> FilesReader:
    """A source over these files."""
    return FilesReader(FilesSource(usage=usage, **options), zone)


def written(folder: Path, name: str, content: str | bytes) -> str:
    """Write a file, gzipped where its suffix says so; its path."""
    raw = content.encode() if isinstance(content, str) else content
    path = folder / name
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return str(path)


def lines(*rows: str) -> str:
    """CSV text of event rows."""
    return "\n".join([HEADER, *rows]) + "\n"


def day(source: FilesReader, day: date = DAY) -> dict[str, tuple[int, int]]:
    """Requests and errors by key on one day."""
    ((_, frame),) = source.usage(day, day)
    return {key: (requests, errors) for key, requests, errors in frame.iloc[:, :3].itertuples(index=False)}


def faults(source: FilesReader, day: date = DAY) -> dict[str, int]:
    """Faults of one day, which is pulled: reason to count."""
    list(source.usage(day, day))
    return {fault.reason: fault.count for fault in source.faults(day)}


def samples(source: FilesReader) -> Sequence[str]:
    """The samples of all faults of the day."""
    list(source.usage(DAY, DAY))
    return [sample for fault in source.faults(DAY) for sample in fault.samples]


@pytest.mark.parametrize(
    "name", ["e.csv", "e.csv.gz", "e.tsv", "e.jsonl", "e.ndjson.gz", "e.json", "e.log", "e.parquet"]
)
def test_every_format_is_read_by_its_name(tmp_path: Path, name: str) -> None:
    """The suffix gives the format; .gz may follow."""
    rows = [("2026-01-02T10:00:00Z", "a", "/x", 200), ("2026-01-02T11:00:00Z", "a", "/x", 500)]
    frame = pd.DataFrame(rows, columns=HEADER.split(","))
    path = tmp_path / name
    if "csv" in name or "tsv" in name:
        frame.to_csv(path, index=False, sep="\t" if "tsv" in name else ",")
    elif "parquet" in name:
        frame.to_parquet(path)
    else:
        frame.to_json(path, orient="records", lines=True)
    source = reader(str(path))
    assert day(source) == {"a": (2, 1)}
    assert source.watermark() == datetime(2026, 1, 2, 11, tzinfo=UTC)


def test_files_of_several_formats_and_column_orders_are_one_source(tmp_path: Path) -> None:
    """A list of patterns is one source. A file that two patterns match counts once."""
    written(tmp_path, "a.csv", lines("2026-01-02T10:00:00Z,a,/x,200"))
    written(tmp_path, "b.csv.gz", "status;key_id;timestamp\n500;a;2026-01-02T10:00:00Z\n")
    written(tmp_path, "c.jsonl", '{"key_id": "b", "timestamp": 1767348000}\n')
    source = reader([f"{tmp_path}/*.csv", f"{tmp_path}/a*", f"{tmp_path}/*.gz", f"{tmp_path}/c.jsonl"])
    assert day(source) == {"a": (2, 1), "b": (1, 0)}


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T23:30:00",
        "2026-01-02 23:30:00",
        "2026-01-02T23:30:00Z",
        "2026-01-03T00:30:00+01:00",
        "2026-01-03 00:30:00.000+0100",
        "20260102T233000Z",
        "1767396600",
        "1767396600.0",
        "1767396600000",
    ],
)
def test_times_in_every_iso_format_and_in_epochs_are_read(tmp_path: Path, text: str) -> None:
    """Text without a zone is UTC; numbers are seconds or milliseconds by their size."""
    source = reader(written(tmp_path, "e.csv", lines(f"{text},a,/x,200")))
    assert source.watermark() == datetime(2026, 1, 2, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "0", "-1", "nan", "infinity", "9999-12-31", "20260102", "12:00"]
)
def test_a_time_that_is_not_plausible_is_a_fault_of_every_day(tmp_path: Path, text: str) -> None:
    """The row belongs to no day, so every day of the pull counts and shows the fault."""
    source = reader(written(tmp_path, "e.csv", lines(f"{text},a,/x,200", "2026-01-02T10:00:00Z,b,/x,200")))
    pulled = dict(source.usage(date(2026, 1, 1), DAY))
    assert [len(frame) for frame in pulled.values()] == [0, 1]
    for day in pulled:
        (fault,) = source.faults(day)
        assert (fault.reason, fault.count, fault.dated) == ("missing or unreadable timestamp", 1, False)
        assert fault.samples == (f"e.csv: timestamp {text or 'is empty'}",)


def test_every_day_comes_in_order_also_without_rows(tmp_path: Path) -> None:
    """The days are consecutive, also where one window ends and the next begins."""
    source = reader(written(tmp_path, "e.csv", lines("2026-03-01T10:00:00Z,a,/x,200")))
    days = [(day, len(frame)) for day, frame in source.usage(date(2026, 1, 1), date(2026, 3, 2))]
    assert days == [
        (day.date(), int(day.date() == date(2026, 3, 1))) for day in pd.date_range("2026-01-01", "2026-03-02")
    ]


def test_broken_lines_are_counted_and_the_other_lines_are_read(tmp_path: Path) -> None:
    """Wrong width and an open quote each break one line and no other line; invalid UTF-8 is replaced."""
    good = [f"2026-01-02T10:00:00Z,a,/x/{number},200" for number in range(3000)]
    bad = ["2026-01-02T10:00:00Z,a", "2026-01-02T10:00:00Z,a,/x,200,more", '2026-01-02T10:00:00Z,"a,/x,200']
    text = lines(*good[:1500], *bad, *good[1500:]).encode() + b"2026-01-02T10:00:00Z,a,/\xff\xfe,200\n"
    source = reader(written(tmp_path, "e.csv", text))
    assert day(source) == {"a": (3001, 0)}
    assert faults(source) == {
        "wrong number of columns": 2,
        "quoted value not closed on its line": 1,
        "characters that are not text, replaced": 2,
    }
    assert 'e.csv: 2026-01-02T10:00:00Z,"a,/x,200' in samples(source)


def test_more_broken_lines_than_any_limit_are_all_counted(tmp_path: Path) -> None:
    """The count has no limit, and a fault keeps three samples."""
    text = HEADER.encode() + b"\n" + b"".join(b"%d,x\n" % number for number in range(5000))
    source = reader(written(tmp_path, "e.csv.gz", text))
    list(source.usage(DAY, DAY))
    (fault,) = source.faults(DAY)
    assert (fault.reason, fault.count, len(fault.samples)) == ("wrong number of columns", 5000, 3)


def test_quotes_hold_delimiters_and_quotes(tmp_path: Path) -> None:
    """A quoted value may hold the delimiter and doubled quotes. A quote within a plain value is a character."""
    source = reader(written(tmp_path, "e.csv", lines('2026-01-02T10:00:00Z,"a,""b""",x"y,200')))
    ((_, frame),) = source.usage(DAY, DAY)
    assert frame["key_id"].tolist() == ['a,"b"']
    assert map_of(frame["endpoint_distribution"][0]) == {'x"y': 1}


def test_windows_line_ends_and_a_byte_order_mark_are_harmless(tmp_path: Path) -> None:
    """Spreadsheets write both."""
    text = "\ufeff" + lines("2026-01-02T10:00:00Z,a,/x,404").replace("\n", "\r\n") + "\r\n\r\n"
    source = reader(written(tmp_path, "e.csv", text))
    assert day(source) == {"a": (1, 1)}
    assert faults(source) == {}


def test_broken_json_lines_are_counted(tmp_path: Path) -> None:
    """A line without a JSON object is a fault; a blank line is not."""
    good = '{"timestamp": "2026-01-02T10:00:00Z", "key_id": "a", "status": 500}'
    text = f'{good}\n\n{{"timestamp":\n[1]\n"x"\n  {good}  \n'.encode() + b'{"key_id": "a", "timestamp": \xff}\n'
    source = reader(written(tmp_path, "e.jsonl", text))
    assert day(source) == {"a": (2, 2)}
    assert faults(source) == {"not a JSON object": 4, "characters that are not text, replaced": 1}


def test_requests_without_a_key_are_counted_on_their_day(tmp_path: Path) -> None:
    """A request without a key is no usage. It is a fault of its day."""
    source = reader(
        written(tmp_path, "e.csv", lines("2026-01-02T10:00:00Z,  ,/x,200", "2026-01-03T10:00:00Z,,/y,200"))
    )
    list(source.usage(DAY, date(2026, 1, 3)))
    (fault,) = source.faults(DAY)
    assert (fault.reason, fault.count, fault.dated) == ("no key id, not attributable to a key", 1, True)
    assert fault.samples == ("e.csv: /x",)


def test_samples_hold_no_secret(tmp_path: Path) -> None:
    """A text that looks like a token is cut to four characters. A sample is one line of at most 80 characters."""
    secret = "sk_live_4eC39HqLyjWDarjtT1zdp7dc"
    rows = [f"2026-01-02T10:00:00Z,{secret}", f"{secret},a,/x,200", f"2026-01-02T10:00:00Z,,/{secret},200"]
    found = samples(reader(written(tmp_path, "e.csv", lines(*rows))))
    assert len(found) == 3
    for sample in found:
        assert "sk_l…" in sample
        assert secret[:8] not in sample
        assert len(sample) <= 80


def test_errors_come_from_the_status_and_the_error_column(tmp_path: Path) -> None:
    """A status of 400 or above is an error, and so is a text in the error column that does not mean no."""
    marks = ["", "false", "0", "no", "True", "1", "AccessDenied", "null"]
    rows = [{"timestamp": 1767348000, "key_id": f"k{n}", "error": mark} for n, mark in enumerate(marks)]
    rows += [
        {"timestamp": 1767348000, "key_id": "j0", "error": True},
        {"timestamp": 1767348000, "key_id": "j1", "status": 400},
    ]
    source = reader(written(tmp_path, "e.jsonl", "\n".join(map(json.dumps, rows))))
    assert {key for key, (_, errors) in day(source).items() if errors} == {"k4", "k5", "k6", "j0", "j1"}


def test_a_request_whose_status_is_no_number_counts(tmp_path: Path) -> None:
    """What is no code and no known word must not pass for a success. A dash is no status at all."""
    rows = lines("2026-01-02T10:00:00Z,a,/x,VALID", "2026-01-02T10:00:00Z,b,/x,-")
    source = reader(written(tmp_path, "e.csv", rows))
    assert day(source) == {"a": (1, 1), "b": (1, 0)}
    assert faults(source) == {BAD_STATUS: 1}


def test_an_event_that_was_delivered_twice_counts_once(tmp_path: Path) -> None:
    """An event id is unique within a day, so that a day counts the same whatever days are read with it. Events
    without an id are all different."""
    rows = [
        ("2026-01-02T10:00:00Z", "e1"),
        ("2026-01-03T10:00:00Z", "e1"),
        ("2026-01-03T11:00:00Z", ""),
        ("2026-01-03T11:00:00Z", ""),
    ]
    text = "timestamp,key_id,event_id\n" + "".join(f"{time},a,{identity}\n" for time, identity in rows)
    paths = [written(tmp_path, "one.csv", text), written(tmp_path, "two.csv", text)]
    source = reader(paths, columns={"event_id": "event_id"})
    counted = [frame["request_count"].tolist() for _, frame in source.usage(DAY, date(2026, 1, 3))]
    assert counted == [[1], [5]]
    alone = [frame["request_count"].tolist() for _, frame in source.usage(date(2026, 1, 3), date(2026, 1, 3))]
    assert alone == [[5]]


def test_clients_are_counted_once_per_key_and_day(tmp_path: Path) -> None:
    """Distinct addresses over all endpoints; null where none is known."""
    rows = ["a,/x,10.0.0.1", "a,/y,10.0.0.1", "a,/y,10.0.0.2", "b,/x,"]
    text = "timestamp,key_id,endpoint,ip\n" + "".join(f"2026-01-02T10:00:00Z,{row}\n" for row in rows)
    source = reader(written(tmp_path, "e.csv", text), columns={"client": "ip"})
    ((_, frame),) = source.usage(DAY, DAY)
    assert frame["client_count"].fillna(-1).tolist() == [2, -1]


def test_a_constant_deployment_replaces_a_missing_one(tmp_path: Path) -> None:
    """source.deployment replaces a missing column and missing values."""
    path = written(tmp_path, "e.csv", lines("2026-01-02T10:00:00Z,a,/x,200"))
    ((_, frame),) = reader(path, deployment="it's production").usage(DAY, DAY)
    assert map_of(frame["deployments"][0]) == {"it's production": 1}


def test_hostile_column_names_are_only_names(tmp_path: Path) -> None:
    """Quotes, brackets and SQL in a column's name do no harm in any format."""
    name = """k" FROM x; DROP TABLE 'y' -- ~/{}"""
    row = {"timestamp": "2026-01-02T10:00:00Z", name: "a"}
    frame = pd.DataFrame([row])
    frame.to_csv(tmp_path / "e.csv", index=False)
    frame.to_parquet(tmp_path / "it's [1] {x}.parquet")
    written(tmp_path, "e.jsonl", json.dumps(row))
    for path in ("e.csv", "it's [1] {x}.parquet", "e.jsonl"):
        assert day(reader(f"{tmp_path}/{path}", columns={"key_id": name})) == {"a": (1, 0)}


@pytest.mark.parametrize("name", ["e.csv", "e.jsonl", "e.parquet"])
def test_a_mapped_column_that_is_missing_names_the_nearest(tmp_path: Path, name: str) -> None:
    """The error names the file, its columns and the nearest one."""
    frame = pd.DataFrame([{"timestamp": "2026-01-02T10:00:00Z", "api_key": "a"}])
    path = tmp_path / name
    {"e.csv": frame.to_csv, "e.parquet": frame.to_parquet}.get(name, frame.to_json)(
        path, **({"orient": "records", "lines": True} if name == "e.jsonl" else {"index": False})
    )
    with pytest.raises(
        SourceError, match=r"e\.\w+ has no column 'api_kee' for key_id, did you mean api_key\?.*timestamp"
    ):
        day(reader(str(path), columns={"key_id": "api_kee"}))


def test_the_error_lists_no_member_that_the_lines_do_not_have(tmp_path: Path) -> None:
    """A member such as ``error`` may appear in a later line, but the error lists only what was found."""
    written(tmp_path, "e.jsonl", '{"ts": "2026-01-02T10:00:00Z", "api_key": "a"}')
    with pytest.raises(SourceError, match=r"It has: api_key, ts$"):
        day(reader(f"{tmp_path}/e.jsonl", columns={"key_id": "api_key", "timestamp": "tss"}))


def test_a_json_member_that_first_appears_late_is_found(tmp_path: Path) -> None:
    """JSON lines need not have the same members, so a member is searched in all lines."""
    plain = '{"timestamp": 1767348000, "key_id": "a"}\n'
    late = '{"timestamp": 1767348000, "key_id": "b", "where": "production"}\n'
    source = reader(written(tmp_path, "e.jsonl", plain * 500 + late), columns={"deployment": "where"})
    assert day(source) == {"a": (500, 0), "b": (1, 0)}


def test_a_glob_without_files_is_an_error(tmp_path: Path) -> None:
    """A misspelt path must not look like a day without requests."""
    with pytest.raises(SourceError, match=r"no file matches .*nothing-\*\.csv"):
        day(reader(f"{tmp_path}/nothing-*.csv"))


def test_an_unknown_format_is_an_error(tmp_path: Path) -> None:
    """The error lists the known suffixes."""
    with pytest.raises(SourceError, match=r"name of .*e\.xlsx does not show its format.*\.parquet"):
        day(reader(written(tmp_path, "e.xlsx", "x")))


def test_damaged_files_are_errors_that_name_them(tmp_path: Path) -> None:
    """A gzip file may be cut off, altered or no gzip file at all; a Parquet file may be none."""
    whole = gzip.compress(
        lines(*(f"2026-01-02T10:00:00Z,key{n},/x/{n * 7919},200" for n in range(50_000))).encode()
    )
    middle = len(whole) // 2
    damaged = {
        "cut.csv.gz": whole[:middle],
        "altered.csv.gz": whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :],
        "plain.csv.gz": b"timestamp,key_id\n",
        "none.parquet": b"not parquet at all",
    }
    for name, content in damaged.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SourceError, match=name):
            day(reader(f"{tmp_path}/{name}"))


def test_empty_files_have_no_usage(tmp_path: Path) -> None:
    """A rotated log may be empty, with or without a header."""
    paths = [
        written(tmp_path, "a.csv", ""),
        written(tmp_path, "b.csv", HEADER),
        written(tmp_path, "c.jsonl", ""),
    ]
    source = reader(paths)
    assert day(source) == {}
    assert source.watermark() is None
    assert len(source.activity_before(DAY)) == 0


def test_local_days_are_those_of_the_zone(tmp_path: Path) -> None:
    """In Lord Howe the clocks go back half an hour. The local midnight bounds the day."""
    zone = ZoneInfo("Australia/Lord_Howe")
    rows = ["2026-04-04T12:59:59Z,a,/x,200", "2026-04-04T13:00:00Z,b,/x,200", "2026-04-05T13:29:59Z,c,/x,200"]
    source = reader(written(tmp_path, "e.csv", lines(*rows, "2026-04-05T13:30:00Z,d,/x,200")), zone)
    days = {day.day: frame["key_id"].tolist() for day, frame in source.usage(date(2026, 4, 4), date(2026, 4, 6))}
    assert days == {4: ["a"], 5: ["b", "c"], 6: ["d"]}


DAILY = "day,key_id,endpoint,deployment,request_count,error_count,last_activity"


def test_daily_rows_are_already_local_and_counted(tmp_path: Path) -> None:
    """The day is the local day as written. Without a last activity the last use is the start of that day."""
    rows = [
        "2026-01-02,a,/x,production,7,2,2026-01-02T08:00:00Z",
        "2026-01-02,a,/y,,3,,",
        "2026-01-02,b,/x,,4,1,",
    ]
    source = reader(
        written(tmp_path, "d.csv", "\n".join([DAILY, *rows])), ZoneInfo("Europe/Berlin"), shape="daily"
    )
    ((_, frame),) = source.usage(DAY, DAY)
    assert frame["request_count"].tolist() == [10, 4]
    assert frame["error_count"].tolist() == [2, 1]
    assert map_of(frame["endpoint_distribution"][0]) == {"/x": 7, "/y": 3}
    assert frame["last_used"].tolist() == [
        pd.Timestamp("2026-01-02T08:00Z"),
        pd.Timestamp("2026-01-01T23:00Z"),
    ]
    assert source.watermark() == datetime(2026, 1, 2, 8, tzinfo=UTC)


def test_daily_values_that_are_no_counts_are_faults(tmp_path: Path) -> None:
    """Negative, broken, infinite and missing counts are faults. More errors than requests are cut."""
    counts = ["-1,0", "x,0", "nan,0", "inf,0", "1.5,0", ",0", "1e99,0", "5,9", "5,-1", "5,x", "0,0", "6.0,1"]
    rows = [f"2026-01-02,k{number:02},/x,,{count}," for number, count in enumerate(counts)]
    source = reader(written(tmp_path, "d.csv", "\n".join([DAILY, *rows])), shape="daily")
    assert day(source) == {"k07": (5, 5), "k08": (5, 0), "k09": (5, 0), "k11": (6, 1)}
    assert faults(source) == {
        "request_count is not a count": 7,
        "error_count above request_count, taken as request_count": 1,
        "error_count is not a count, taken as 0": 2,
    }


def test_a_daily_row_without_a_day_belongs_to_no_day(tmp_path: Path) -> None:
    """Its fault is repeated with every day of the pull."""
    source = reader(written(tmp_path, "d.csv", f"{DAILY}\nsoon,a,/x,,1,0,\n"), shape="daily")
    assert faults(source) == {"missing or unreadable day": 1}


def test_the_past_of_a_rollup_includes_the_last_activity_of_silent_keys(tmp_path: Path) -> None:
    """A row of zero requests may state an older use. Rows of later days do not count."""
    rows = [
        "2026-01-02,a,,,3,0,",
        "2026-01-03,a,,,2,0,2026-01-03T09:00:00Z",
        "2026-01-03,b,,,0,0,2025-06-01T12:00:00Z",
    ]
    rows += ["2026-01-03,c,,,0,0,", "2026-01-04,a,,,9,0,2026-01-04T09:00:00Z"]
    source = reader(written(tmp_path, "d.csv", "\n".join([DAILY, *rows])), shape="daily")
    past = source.activity_before(date(2026, 1, 4))
    assert past["key_id"].tolist() == ["a", "b"]
    assert past["first_seen"].tolist() == [date(2026, 1, 2), date(2025, 6, 1)]
    assert past["last_seen"].tolist() == [
        pd.Timestamp("2026-01-03T09:00Z"),
        pd.Timestamp("2025-06-01T12:00Z"),
    ]


def test_the_past_ends_at_the_local_midnight(tmp_path: Path) -> None:
    """First use is a local day, last use is an instant."""
    rows = ["2026-01-01T23:30:00Z,a,/x,200", "2026-01-02T22:59:59Z,a,/x,200", "2026-01-02T23:00:00Z,a,/x,200"]
    source = reader(written(tmp_path, "e.csv", lines(*rows)), ZoneInfo("Europe/Berlin"))
    past = source.activity_before(date(2026, 1, 3))
    assert past.to_numpy().tolist() == [["a", date(2026, 1, 2), pd.Timestamp("2026-01-02T22:59:59Z")]]


@pytest.mark.parametrize("name", ["keys.csv", "keys.jsonl", "keys.parquet"])
def test_the_register_may_be_in_any_format(tmp_path: Path, name: str) -> None:
    """Its key id has the name that it has in the usage, or key_id. Times are read as in the usage."""
    frame = pd.DataFrame(
        [{"key_id": "a", "label": "shop", "environment": "Live", "created_at": "2026-01-02 10:00:00+01:00"}]
    )
    path = tmp_path / name
    if name == "keys.jsonl":
        frame.to_json(path, orient="records", lines=True)
    elif name == "keys.csv":
        frame.to_csv(path, index=False)
    else:
        frame.assign(created_at=pd.to_datetime(frame["created_at"])).to_parquet(path)
    usage = written(tmp_path, "e.csv", "timestamp,api_key\n2026-01-02T10:00:00Z,a\n")
    source = reader(usage, keys=str(path), columns={"key_id": "api_key", "name": "label"})
    (row,) = source.keys().to_dict("records")
    assert (row["key_id"], row["name"], row["environment"]) == ("a", "shop", "live")
    assert row["created_at"] == pd.Timestamp("2026-01-02T09:00Z")
    assert day(source) == {"a": (1, 0)}


def test_faults_of_the_register_come_with_every_day(tmp_path: Path) -> None:
    """Broken lines, unknown environments and wrong times are faults; the other values are used."""
    text = "key_id,environment,created_at\na,live,soon\nb,prod,2026-01-02\nc,live\n,live,\na,test,\n"
    usage = written(tmp_path, "e.csv", lines("2026-01-02T10:00:00Z,a,/x,200"))
    source = reader(usage, keys=written(tmp_path, "keys.csv", text))
    assert source.keys()["key_id"].tolist() == ["a", "b"]
    assert faults(source) == {
        "register: wrong number of columns": 1,
        "register: created_at is not a time": 1,
        "register: environment is neither live nor test": 1,
        "register: row without a key id": 1,
        "register: key listed twice: the row that is not revoked counts, then the one created last": 1,
    }


def test_without_a_register_the_source_has_no_keys(tmp_path: Path) -> None:
    """The register is empty; keys come from the usage alone."""
    assert len(reader(written(tmp_path, "e.csv", HEADER)).keys()) == 0


def test_a_mapped_register_column_that_is_missing_is_an_error(tmp_path: Path) -> None:
    """Without the error all teams would be unknown."""
    source = reader(
        str(tmp_path),
        keys=written(tmp_path, "keys.csv", "key_id,team_name\na,x\n"),
        columns={"team": "team_nam"},
    )
    with pytest.raises(SourceError, match=r"keys\.csv has no column 'team_nam' for team, did you mean team_name"):
        source.keys()


def test_days_that_do_not_fit_into_memory_are_counted_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With too little memory for all days at once, each day is still read once and whole."""
    path = tmp_path / "events.parquet"
    duckdb.execute(
        f"""COPY (SELECT TIMESTAMP '2026-01-01' + to_hours(i % 192) AS timestamp, 'key_' || (i // 192) AS key_id,
            'GET /x' || (i % 7) AS endpoint FROM range(400000) AS numbers(i)) TO '{path}' (FORMAT parquet)"""
    )
    monkeypatch.setattr(files, "MEMORY_LIMIT", "20MB")
    window_lengths: list[int] = []
    scan = FilesReader._scan

    def counting(reader: FilesReader, window: Window) -> Iterator[tuple[Day, pd.DataFrame]]:
        window_lengths.append(len(window.days))
        return scan(reader, window)

    monkeypatch.setattr(FilesReader, "_scan", counting)
    source = FilesReader(FilesSource(usage=str(path)), ZoneInfo("UTC"))
    days = source.usage(date(2026, 1, 1), date(2026, 1, 8))
    requests = {day: int(frame["request_count"].sum()) for day, frame in days}
    assert list(requests) == [date(2026, 1, day) for day in range(1, 9)]
    assert sum(requests.values()) == 400_000
    assert window_lengths[0] == 8
    assert len(window_lengths) > 1

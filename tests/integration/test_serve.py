"""The served by-key endpoint: what it answers, to whom, and what it refuses."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from detector.config.plugins import REPORTERS
from detector.config.urls import BY_KEY_PATH
from detector.reports import reporter
from detector.sources.pull import usage_between
from detector.state.tokens import revoke_tokens
from detector.usage.aggregation import by_key_answer
from tests.serving import DAY, HOSTILE, NOW, Served, serving, usage

ONE_DAY = timedelta(days=1)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """An application over three days."""
    with serving(tmp_path) as application:
        yield application


def pages(served: Served, token: str, **query: Any) -> list[dict[str, Any]]:
    """All pages of an answer, by their links."""
    found, path = [], BY_KEY_PATH
    while path:
        response = served.get(path, token, **query)
        assert response.status_code == 200, response.text
        found.append(response.json())
        path, query = found[-1].get("next"), {}
    return found


def problem(response: httpx.Response, status: int, kind: str) -> str:
    """The detail of a problem of this kind."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert (document["type"], document["status"]) == (f"urn:detector:problem:{kind}", status)
    detail: str = document["detail"]
    return detail


def test_the_answer_is_the_histories_by_key_answer(served: Served) -> None:
    """On one page, and the last day where none is named."""
    (page,) = pages(served, served.token(), limit=1000)
    assert page == by_key_answer(served.history.read(DAY))
    assert page["total_keys"] == 60


def test_several_days_are_one_period(served: Served) -> None:
    """Both included, as days or as the instants that bound them."""
    expected = by_key_answer(usage_between(served.history, DAY - 2 * ONE_DAY, DAY))
    token = served.token()
    assert pages(served, token, limit=1000, **{"from": "2026-03-15", "to": "2026-03-17"}) == [expected]
    instants = {"from": "2026-03-15T00:00:00Z", "to": "2026-03-18T01:00:00+01:00"}
    assert pages(served, token, limit=1000, **instants) == [expected]


def test_pages_are_in_order_and_end(served: Served) -> None:
    """Most requests first, ties by id; the last page names no next one."""
    token = served.token()
    found = pages(served, token, limit=25)
    assert [len(page["keys"]) for page in found] == [25, 25, 10]
    keys = [(-key["request_count"], key["key_id"]) for page in found for key in page["keys"]]
    assert keys == sorted(keys)
    assert {page["total_keys"] for page in found} == {60}
    assert "next_cursor" not in found[-1]
    second = served.get(token=token, limit=25, cursor=found[0]["next_cursor"])
    assert second.json() == found[1]


def test_names_come_through_as_they_are(served: Served) -> None:
    """In plain ASCII on the wire, so that printing the body does nothing."""
    response = served.get(token=served.token(), limit=1000)
    assert set(HOSTILE) <= {key["name"] for key in response.json()["keys"]}
    assert response.content.isascii()
    assert b"\x1b" not in response.content


def test_an_environment_narrows_the_answer(served: Served) -> None:
    """And the total with it."""
    (page,) = pages(served, served.token(), environment="test")
    assert {key["environment"] for key in page["keys"]} == {"test"}
    assert page["total_keys"] == len(page["keys"]) == 12


def test_more_is_told_on_request(served: Served) -> None:
    """What the register and the source know beside the contract."""
    (page,) = pages(served, served.token(), detail="true")
    key = next(key for key in page["keys"] if key["key_id"] == "key04")
    further = {name: key[name] for name in ("team", "organization", "created_at", "deployments")}
    assert further == {
        "team": "payments",
        "organization": "acme",
        "created_at": "2026-01-05T10:00:00Z",
        "deployments": {"production": key["request_count"] - 1, "staging": 1},
    }


def test_a_token_sees_its_organizations_keys_alone(served: Served) -> None:
    """In keys, totals and ETags."""
    acme, globex, everyone = (served.token(name, name or "all") for name in ("acme", "globex", None))
    seen = {token: pages(served, token)[0] for token in (acme, globex, everyone)}
    ids = {token: {key["key_id"] for key in page["keys"]} for token, page in seen.items()}
    assert (len(ids[acme]), len(ids[globex])) == (40, 20)
    assert ids[acme] | ids[globex] == ids[everyone]
    assert not ids[acme] & ids[globex]
    assert seen[acme]["total_keys"] == 40
    tags = {served.get(token=token).headers["etag"] for token in (acme, globex, everyone)}
    assert len(tags) == 3
    other = served.get(token=globex, headers={"If-None-Match": served.get(token=acme).headers["etag"]})
    assert other.status_code == 200
    stranger = served.get(token=served.token("initech", "stranger"))
    assert stranger.json() == {"keys": [], "total_keys": 0}


def test_use_under_another_organization_stays_with_it(served: Served) -> None:
    """A key that changes hands takes no usage with it."""
    records = served.history.read(DAY)
    moved = records["key_id"] == "key00"
    assert records.loc[moved, "organization"].item() == "globex"
    records["organization"] = records["organization"].mask(moved, "acme")
    served.history.write(DAY, records, served.history.notes(DAY))
    query = {"from": str(DAY - ONE_DAY), "to": str(DAY), "limit": 1000}
    keys = {key["key_id"]: key for key in served.get(token=served.token("acme"), **query).json()["keys"]}
    assert keys["key00"]["request_count"] == records.loc[moved, "request_count"].item()


def test_an_unchanged_answer_is_not_sent_again(served: Served) -> None:
    """Until one of its days is stored again; other days do not matter."""
    token = served.token()
    query = {"from": str(DAY - ONE_DAY), "to": str(DAY)}
    first = served.get(token=token, **query)
    known = {"If-None-Match": first.headers["etag"]}
    again = served.get(token=token, headers=known, **query)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert served.get(token=token, headers=known, limit=7, **query).status_code == 200
    rewrite(served, DAY - 2 * ONE_DAY)
    assert served.get(token=token, headers=known, **query).status_code == 304
    rewrite(served, DAY)
    assert served.get(token=token, headers=known, **query).status_code == 200


def rewrite(served: Served, day: date) -> None:
    """Store a day again, with more requests."""
    records = served.history.read(day)
    served.history.write(
        day, records.assign(request_count=records["request_count"] * 2), served.history.notes(day)
    )


def test_a_rewritten_day_is_answered_anew(served: Served) -> None:
    """Nothing old is kept."""
    token = served.token()
    before = pages(served, token, limit=1000)[0]["keys"][0]["request_count"]
    rewrite(served, DAY)
    assert pages(served, token, limit=1000)[0]["keys"][0]["request_count"] == 2 * before


def test_pages_of_two_versions_do_not_mix(served: Served) -> None:
    """A cursor is good for the answer it came with."""
    token = served.token()
    cursor = served.get(token=token, limit=25).json()["next_cursor"]
    rewrite(served, DAY)
    assert "stored again" in problem(served.get(token=token, limit=25, cursor=cursor), 409, "answer-changed")
    other = served.get(token=token, limit=25, environment="live").json()["next_cursor"]
    problem(served.get(token=token, limit=25, cursor=other), 409, "answer-changed")


def test_answers_are_private_and_packed_on_request(served: Served) -> None:
    """A shared cache must not hand one token's answer to another."""
    token = served.token()
    plain = served.get(token=token, headers={"Accept-Encoding": "identity"})
    assert plain.headers["cache-control"] == "private, no-cache"
    assert plain.headers["vary"] == "Authorization, Accept-Encoding"
    assert "content-encoding" not in plain.headers
    packed = served.get(token=token, headers={"Accept-Encoding": "br, gzip;q=0.5"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.json() == plain.json()
    assert int(packed.headers["content-length"]) == len(gzip.compress(plain.content, 5, mtime=0))
    refused = served.get(token=token, headers={"Accept-Encoding": "gzip;q=0"})
    assert "content-encoding" not in refused.headers


def test_every_answer_has_the_headers_that_protect_a_browser(served: Served) -> None:
    """Also the refusals."""
    for response in (served.get("/healthz"), served.get(), served.get("/nothing")):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["content-security-policy"].startswith("default-src 'none'")
        assert response.headers["cache-control"] == "no-store"
        assert "server" not in response.headers


@pytest.mark.parametrize(
    ("query", "status", "detail"),
    [
        ({"from": "2026-03-10", "to": "2026-03-17"}, 404, "does not hold 2026-03-10, 2026-03-11, 2026-03-12"),
        ({"from": "2026-03-18"}, 404, "2026-03-18. A day that is not stored is unknown, not zero."),
        ({"from": "0001-01-01"}, 404, "0001-01-01"),
        ({"to": "9999-12-31"}, 404, "9999-12-31"),
        ({"from": "2026-03-17", "to": "2026-03-16"}, 422, "from: lies after to"),
        ({"from": "2020-01-01", "to": "2026-03-16"}, 422, "at most 92 days"),
        ({"from": "yesterday"}, 422, "from: not a day"),
        ({"from": "2026-02-30"}, 422, "from: not a day"),
        ({"from": "2026-03-17", "to": "2026-03-18T00:00:00Z"}, 422, "to: not a day"),
        ({"from": "2026-03-17T05:00:00Z", "to": "2026-03-18T00:00:00Z"}, 422, "not the start of a day in UTC"),
        ({"from": "2026-03-17T00:00:00", "to": "2026-03-18T00:00:00"}, 422, "not the start of a day in UTC"),
        ({"from": "2026-03-17T00:00:00Z", "to": "2026-03-17T00:00:00Z"}, 422, "must lie after from"),
        ({"from": "0001-01-01T00:00:00+14:00", "to": "9999-12-31T23:59:59-14:00"}, 422, "neither a day"),
        ({"limit": "0"}, 422, "limit: input should be greater"),
        ({"limit": "1001"}, 422, "limit: input should be less"),
        ({"environment": "prod"}, 422, "environment: input should be"),
        ({"cursor": "not a cursor"}, 422, "cursor: not one that this endpoint gave"),
        ({"cursor": "x" * 201}, 422, "cursor: string should have at most 200"),
        ({"enviroment": "live"}, 422, "unknown parameter enviroment, did you mean environment?"),
        ({"\x1b": "live"}, 422, "unknown parameter \x1b; allowed: cursor, detail"),
        ({"cursor": "☃"}, 422, "cursor: not one"),
    ],
)
def test_what_cannot_be_answered_is_a_problem(
    served: Served, query: dict[str, str], status: int, detail: str
) -> None:
    """That says which parameter, and never zeros for a day nobody stored."""
    kind = "day-not-stored" if status == 404 else "invalid-parameter"
    assert detail in problem(served.get(token=served.token(), **query), status, kind)


def test_an_empty_history_holds_no_day(tmp_path: Path, served: Served) -> None:
    """It is not an answer without keys."""
    for path in served.history.root.glob("day=*/usage.parquet"):
        path.unlink()
    assert problem(served.get(token=served.token()), 404, "day-not-stored") == "The history holds no day yet."


def test_a_damaged_day_is_a_failure_that_tells_no_path(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    """The log of the server has it."""
    (served.history.root / f"day={DAY}" / "usage.parquet").write_bytes(b"damaged")
    response = served.get(token=served.token())
    problem(response, 500, "failure")
    assert str(served.history.root) not in response.text
    assert str(served.history.root) in caplog.text


def test_without_a_token_there_is_nothing(served: Served) -> None:
    """For no path but the health and the description."""
    for path in (BY_KEY_PATH, "/v1/reports", f"/v1/reports/{DAY}/report.json"):
        response = served.get(path, limit="x")
        problem(response, 401, "unauthorized")
        assert response.headers["www-authenticate"] == 'Bearer realm="detector"'
    assert served.get("/healthz").json() == {"status": "ok"}
    assert BY_KEY_PATH in served.get("/openapi.json").json()["paths"]


def test_unknown_expired_and_revoked_tokens_are_told_the_same(served: Served) -> None:
    """Nobody learns which of them a token is."""
    expired = served.token(name="expired", expires_at=NOW - ONE_DAY)
    revoked = served.token(name="revoked", revoked_at=NOW - ONE_DAY)
    answers = [served.get(token=token) for token in (expired, revoked, "dtk_unknown", "x" * 3000)]
    assert {(answer.status_code, answer.text, answer.headers["www-authenticate"]) for answer in answers} == {
        (401, answers[0].text, 'Bearer realm="detector", error="invalid_token"')
    }


def test_a_token_ends_when_it_is_revoked_or_expires(served: Served) -> None:
    """Within seconds, while the server runs."""
    token = served.token(expires_at=NOW + ONE_DAY)
    assert served.get(token=token).status_code == 200
    served.time.day = NOW + ONE_DAY
    assert served.get(token=token).status_code == 401
    served.time.day = NOW
    revoke_tokens(served.state, "test", NOW)
    served.time.seconds += 6
    assert served.get(token=token).status_code == 401


def test_a_token_that_asks_too_often_has_to_wait(tmp_path: Path) -> None:
    """Before anything is looked at, and others need not."""
    with serving(tmp_path, "serve: {requests_per_second: 0.5, burst: 3}\n") as served:
        busy, other = served.token(name="busy"), served.token(name="other")
        assert [served.get(token=busy).status_code for _ in range(4)] == [200, 200, 200, 429]
        refused = served.get(token=busy, limit="x")
        assert problem(refused, 429, "too-many-requests") == "Come back in 2 seconds."
        assert refused.headers["retry-after"] == "2"
        assert served.get(token=other).status_code == 200
        served.time.seconds += 2
        assert served.get(token=busy).status_code == 200


def test_an_address_that_guesses_has_to_wait(tmp_path: Path) -> None:
    """And good tokens at the same address need not."""
    with serving(tmp_path, "serve: {refusals_per_minute: 3}\n") as served:
        token = served.token()
        codes = [served.get(token=f"guess{number}").status_code for number in range(5)]
        assert codes == [401, 401, 401, 429, 429]
        assert served.get(token=token).status_code == 200


def test_the_access_log_names_the_token_and_never_holds_it(served: Served) -> None:
    """One JSON line a request, without the query."""
    token = served.token("acme", "warehouse")
    served.get(token=token, cursor="hush")
    served.get("/v1/reports/x%0a%1b[31m☃", "dtk_guessed")
    first, second = served.lines()
    assert first | {"duration_ms": 0} == {
        "time": "2026-03-18T08:00:00.000Z",
        "method": "GET",
        "path": BY_KEY_PATH,
        "status": 422,
        "duration_ms": 0,
        "token": "warehouse",
        "address": "127.0.0.1",
    }
    assert (second["status"], second["token"]) == (404, None)
    text = served.log.getvalue()
    assert text.isascii()
    assert "\x1b" not in text
    assert token not in text
    assert "dtk_guessed" not in text
    assert "hush" not in text


def test_bodies_and_long_queries_are_refused_unread(served: Served) -> None:
    """Nothing here needs them."""
    token = served.token()
    problem(served.get(token=token, headers={"Content-Length": "5"}), 413, "body")
    problem(served.get(token=token, headers={"Transfer-Encoding": "chunked"}), 413, "body")
    problem(served.get(token=token, cursor="x" * 5000), 414, "long-query")


@pytest.fixture
def reported(served: Served) -> Served:
    """Two days with reports, and a file beside them that is none of anybody's business."""
    directory = Path(served.config.report.directory)
    for day in (DAY - ONE_DAY, DAY):
        (directory / str(day)).mkdir(parents=True)
        (directory / str(day) / "report.json").write_text(json.dumps({"day": str(day)}))
    (directory / str(DAY) / "report.html").write_text("<!doctype html><p>report")
    (directory / "secret.txt").write_text("hush")
    (directory / "not-a-day").mkdir()
    return served


def test_reports_are_listed_and_served(reported: Served) -> None:
    """To a token for all organizations, newest first, with a policy that lets them do nothing else."""
    token = reported.token()
    listed = reported.get("/v1/reports", token).json()["reports"]
    assert [entry["day"] for entry in listed] == ["2026-03-17", "2026-03-16"]
    assert listed[0]["files"] == ["/v1/reports/2026-03-17/report.html", "/v1/reports/2026-03-17/report.json"]
    html, document = (reported.get(path, token) for path in listed[0]["files"])
    assert html.headers["content-type"] == "text/html; charset=utf-8"
    assert html.headers["content-security-policy"].startswith("sandbox allow-scripts")
    assert document.json() == {"day": "2026-03-17"}
    again = reported.get(listed[0]["files"][1], token, headers={"If-None-Match": document.headers["etag"]})
    assert again.status_code == 304


def test_every_file_that_is_listed_is_served(reported: Served) -> None:
    """As what its format says it is; a page alone may run scripts, in a sandbox."""
    token = reported.token()
    folder = Path(reported.config.report.directory) / str(DAY)
    formats = {form.filename: form for form in map(reporter, REPORTERS)}
    for name in formats:
        (folder / name).write_text("{}")
    listed = reported.get("/v1/reports", token).json()["reports"][0]["files"]
    assert [path.rpartition("/")[2] for path in listed] == list(formats)
    for path, form in zip(listed, formats.values(), strict=True):
        answer = reported.get(path, token)
        assert (answer.status_code, answer.headers["content-type"]) == (200, form.media_type)
        assert answer.headers["content-security-policy"].startswith("sandbox") == form.is_page


def test_reports_are_for_tokens_that_see_everything(tmp_path: Path) -> None:
    """Or whose organization is the only one there is."""
    with serving(tmp_path, "organization: acme\n") as served:
        assert served.get("/v1/reports", served.token("acme", "own")).status_code == 200
        other = served.token("globex", "other")
        for path in ("/v1/reports", f"/v1/reports/{DAY}/report.json"):
            problem(served.get(path, other), 403, "other-organizations")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/reports/../secret.txt",
        "/v1/reports/%2e%2e/secret.txt",
        "/v1/reports/2026-03-17/../../secret.txt",
        "/v1/reports/2026-03-17/..%2f..%2fsecret.txt",
        "/v1/reports/2026-03-17%2f..%2f..%2f/report.json",
        "/v1/reports/..%2f2026-03-17/report.json",
        "/v1/reports/2026-03-17/secret.txt",
        "/v1/reports/2026-03-17/report.json%00.txt",
        "/v1/reports/2026-02-30/report.json",
        "/v1/reports/2026-03-01/report.json",
        "/v1/reports/２０２６-03-17/report.json",
        "/v1/reports/2026-03-16/report.html",
    ],
)
def test_nothing_but_reports_is_served(reported: Served, path: str) -> None:
    """Whatever the path says."""
    response = reported.get(path, reported.token())
    assert response.status_code == 404
    assert "hush" not in response.text


def test_a_link_that_leads_out_of_the_reports_is_not_followed(reported: Served, tmp_path: Path) -> None:
    """Even where its name is right."""
    (tmp_path / "elsewhere.json").write_text('{"hush": 1}')
    folder = Path(reported.config.report.directory) / "2026-03-10"
    folder.mkdir()
    (folder / "report.json").symlink_to(tmp_path / "elsewhere.json")
    problem(reported.get("/v1/reports/2026-03-10/report.json", reported.token()), 404, "no-report")


def test_the_description_tells_every_problem(served: Served) -> None:
    """In one shape."""
    document = served.get("/openapi.json").json()
    responses = document["paths"][BY_KEY_PATH]["get"]["responses"]
    assert set(responses) == {"200", "304", "401", "404", "409", "413", "414", "422", "429", "431", "500", "503"}
    assert set(document["components"]["schemas"]["Problem"]["required"]) == {"type", "title", "status", "detail"}
    assert "ValidationError" not in json.dumps(document)


def test_the_example_usage_is_not_trivial() -> None:
    """Counts differ from day to day, or the tests above would prove little."""
    assert not usage(DAY).equals(usage(DAY - ONE_DAY))

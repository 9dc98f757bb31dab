"""Webhooks, PagerDuty, Splunk, Elasticsearch and chat against real servers on loopback."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from detector.config.channels import (
    ChatDelivery,
    ElasticsearchDelivery,
    PagerDutyDelivery,
    SplunkDelivery,
    WebhookDelivery,
)
from detector.config.load import load
from detector.delivery import Channel, Origin, open_channels
from detector.delivery.chat import ChatChannel
from detector.delivery.elasticsearch import ElasticsearchChannel
from detector.delivery.outbox import Outbox
from detector.delivery.pagerduty import PagerDutyChannel
from detector.delivery.splunk import SplunkChannel
from detector.delivery.webhook import WebhookChannel
from detector.model.errors import ConfigError, DeliveryError
from detector.model.finding import Severity
from detector.state.database import State
from detector.state.messages import Outgoing
from detector.state.outbox import queue
from tests.fakes import OWNER
from tests.receiver import Receiver, dripping, receiver
from tests.report_examples import DAY, clear_day, findings_day, not_judged_day

NOW = datetime(2026, 11, 23, 2, 31, 7, tzinfo=UTC)
ORIGIN = Origin("main", "Acme", "https://reports.example.com/{day}/report.html")
KEY = bytes(range(32))
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
HOSTILE = "<!channel> @here [x](https://evil.example) `a`\r\nBcc: x\u202e\ud800 {{7*7}} <script>"


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiver() as kept:
        yield kept


def webhook(server: Receiver, **changes: Any) -> WebhookChannel:
    settings = {"name": "siem", "url": f"{server.url}/hook/token-in-path", "secret": SECRET, **changes}
    return WebhookChannel(WebhookDelivery.model_validate(settings), ORIGIN, clock=NOW.timestamp)


def pagerduty(server: Receiver, **changes: Any) -> PagerDutyChannel:
    settings = {"url": f"{server.url}/v2/enqueue", "routing_key": "R" * 32, **changes}
    return PagerDutyChannel(PagerDutyDelivery.model_validate(settings), ORIGIN)


def splunk(server: Receiver, **changes: Any) -> SplunkChannel:
    settings = {"url": server.url, "token": "splunk-token-1234", "index": "security", **changes}
    return SplunkChannel(SplunkDelivery.model_validate(settings), ORIGIN)


def elastic(server: Receiver, **changes: Any) -> ElasticsearchChannel:
    server.usual = b'{"errors": false}'
    settings = {"url": server.url, "authorization": "ApiKey elastic-key-1234", **changes}
    return ElasticsearchChannel(ElasticsearchDelivery.model_validate(settings), ORIGIN)


def chat(server: Receiver, **changes: Any) -> ChatChannel:
    address = server.url.replace("http://", "json://") + "/chat-token-1234"
    return ChatChannel(ChatDelivery.model_validate({"name": "ops", "url": address, **changes}), ORIGIN)


def send_all(channel: Channel, *reports) -> None:
    for message in channel.messages(reports):
        channel.send(message)


def failure(channel: Channel) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        channel.send(channel.messages([findings_day()])[0])
    return caught.value


def hostile():
    report = findings_day()
    named = {"name": HOSTILE, "team": HOSTILE, "reason": HOSTILE, "changes": (HOSTILE,), "title": HOSTILE}
    findings = tuple(replace(finding, **named) for finding in report.findings)
    return replace(report, findings=findings)


# Webhooks


def test_a_webhook_is_signed_so_that_the_receiver_can_verify_it(server: Receiver) -> None:
    """By id, timestamp and the very bytes of the body."""
    send_all(webhook(server), findings_day())
    (request,) = server.requests
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{expected}"
    assert request.headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert "." not in request.headers["webhook-id"]
    event = json.loads(request.body)
    assert event["type"] == "detector.day.judged"
    assert event["data"]["day"] == DAY.isoformat()
    assert event["data"]["summary"]["verdict"] == findings_day().summary.verdict
    assert len(event["data"]["findings"]) == 7


def test_a_webhook_that_is_tried_again_keeps_its_id(server: Receiver, tmp_path: Path) -> None:
    """And has a new timestamp, so that it is not taken for a replay."""
    server.answer(503, b"busy", Retry_After="120")
    state, channel = State(f"sqlite:///{tmp_path}/state.db", OWNER), webhook(server)
    queue(state, [DAY], Outgoing(channel.messages([findings_day()]), NOW))
    outbox = Outbox(state, [channel])
    assert "HTTP 503: busy" in outbox.drain(NOW).failures[0]
    assert outbox.drain(NOW, everything=True).sent == 1
    first, second = server.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


def test_a_large_day_is_sent_in_parts_and_loses_nothing(server: Receiver) -> None:
    """Each part says which of how many it is."""
    report = findings_day()
    first = replace(report.findings[0], reason="x" * 900)
    many = tuple(replace(first, finding_id=f"f-{number}") for number in range(600))
    send_all(webhook(server), replace(report, findings=many))
    events = [json.loads(request.body)["data"] for request in server.requests]
    assert [event["part"] for event in events] == list(range(1, len(events) + 1))
    assert {event["parts"] for event in events} == {len(events)}
    assert len({finding["finding_id"] for event in events for finding in event["findings"]}) == 600
    assert len(events) > 1


def test_redirects_are_not_followed(server: Receiver) -> None:
    """A receiver cannot lead us to an address within."""
    server.answer(307, b"", Location=f"{server.url}/elsewhere")
    error = failure(webhook(server))
    assert "redirects are not followed" in str(error)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "permanent"), [(400, True), (410, True), (401, False), (429, False), (500, False)]
)
def test_what_is_refused_for_good_and_what_for_now(server: Receiver, status: int, permanent: bool) -> None:
    """What the operator or time may mend is tried again."""
    server.answer(status)
    assert failure(webhook(server)).permanent is permanent


def test_secrets_are_in_no_error_and_no_log(server: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    """Not even where the receiver sends them back."""
    caplog.set_level(logging.DEBUG)
    secrets = [SECRET, "token-in-path", "R" * 32, "splunk-token-1234", "elastic-key-1234", "chat-token-1234"]
    said = []
    for channel in (webhook(server), pagerduty(server), splunk(server), elastic(server), chat(server)):
        server.answer(403, " ".join(secrets).encode() + server.url.encode() + b"/hook/token-in-path")
        said += [str(failure(channel)), channel.describe()]
    own = {0: secrets[:2], 1: secrets[2:3], 2: secrets[3:4], 3: secrets[4:5], 4: secrets[5:]}
    for index, kept in own.items():
        assert not any(secret in text for secret in kept for text in said[2 * index : 2 * index + 2])
    assert not any(secret in caplog.text for secret in secrets)


def test_addresses_must_be_encrypted_except_on_the_same_machine() -> None:
    """And the message does not repeat the address."""
    for url in ("http://hooks.example.com/secret", "ftp://x/secret", "https://user:secret@x.example"):
        with pytest.raises(ValueError, match="must") as caught:
            WebhookDelivery.model_validate({"url": url, "secret": SECRET})
        assert "secret@" not in str(caught.value.errors(include_input=False))


# PagerDuty


def test_pagerduty_opens_new_findings_and_closes_resolved_ones(server: Receiver) -> None:
    """By the finding's id; ongoing ones and those below the severity are left alone."""
    send_all(pagerduty(server), findings_day())
    events = [json.loads(request.body) for request in server.requests]
    assert [(event["event_action"], event["dedup_key"]) for event in events] == [
        ("trigger", "f-7f3a-spike"),
        ("trigger", "f-02c9-woke"),
        ("resolve", "f-0003-spike"),
    ]
    assert {event["routing_key"] for event in events} == {"R" * 32}
    assert events[0]["payload"]["severity"] == "error"
    assert events[0]["client_url"] == "https://reports.example.com/2026-11-22/report.html"


def test_the_routing_key_is_not_in_the_outbox(server: Receiver) -> None:
    """It is added when an event is sent."""
    for message in pagerduty(server).messages([findings_day()]):
        assert b"RRRR" not in (message.payload or b"")


def test_pagerduty_events_stay_within_their_limits(server: Receiver) -> None:
    """A summary of 1,024 characters, 512 KB in all."""
    report = findings_day()
    worst = replace(report.findings[0], reason="x" * 1_000_000, name="n" * 1_000_000, changes=("c" * 10**6,) * 40)
    send_all(pagerduty(server), replace(report, findings=(worst,)))
    (request,) = server.requests
    assert len(json.loads(request.body)["payload"]["summary"]) <= 1024
    assert len(request.body) < 100_000


# Splunk


def test_splunk_gets_the_day_and_every_finding(server: Receiver) -> None:
    """One line each, with the token in the header."""
    send_all(splunk(server), findings_day())
    (request,) = server.requests
    assert request.path == "/services/collector/event"
    assert request.headers["authorization"] == "Splunk splunk-token-1234"
    events = [json.loads(line) for line in request.body.splitlines()]
    assert [event["sourcetype"] for event in events] == ["detector:day"] + ["detector:finding"] * 7
    assert {event["index"] for event in events} == {"security"}
    assert events[0]["time"] == int(datetime(2026, 11, 23, tzinfo=UTC).timestamp())


def test_splunk_leaves_out_a_refused_event_and_sends_those_behind_it(server: Receiver) -> None:
    """The refused one is reported for good, none is sent twice."""
    server.answer(400, b'{"text": "Invalid data format", "code": 6, "invalid-event-number": 2}')
    error = failure(splunk(server))
    assert error.permanent
    assert "1 event was refused" in str(error)
    first, second = (request.body.splitlines() for request in server.requests)
    assert second == first[3:]


def test_splunk_that_gets_busy_half_way_is_sent_the_rest(server: Receiver) -> None:
    """What it took before is not repeated."""
    server.answer(400, b'{"invalid-event-number": 2}')
    server.answer(503, b'{"text": "Server is busy", "code": 9}')
    error = failure(splunk(server))
    assert not error.permanent
    assert error.rest == b"\n".join(server.requests[0].body.splitlines()[3:])


# Elasticsearch


def test_elasticsearch_gets_documents_with_stable_ids(server: Receiver) -> None:
    """Sent twice, they are there once."""
    for _ in range(2):
        send_all(elastic(server), findings_day())
    first, second = (request.body for request in server.requests)
    assert first == second
    lines = [json.loads(line) for line in first.splitlines()]
    assert [set(line) for line in lines[::2]] == [{"create"}] * 8
    assert len({line["create"]["_id"] for line in lines[::2]}) == 8
    assert server.requests[0].path.startswith("/_bulk?")
    assert first.endswith(b"\n")


def test_elasticsearch_documents_that_are_there_already_are_fine(server: Receiver) -> None:
    """A conflict is what the second of two sends meets."""
    items = [{"create": {"status": 409, "error": {"type": "version_conflict_engine_exception"}}}] * 8
    server.answer(200, json.dumps({"errors": True, "items": items}).encode())
    send_all(elastic(server), findings_day())
    assert len(server.requests) == 1


def test_elasticsearch_takes_a_part_and_is_sent_the_rest(server: Receiver) -> None:
    """Those it had no room for go again, those it took do not."""
    items = [{"create": {"status": 201}}] * 6 + [{"create": {"status": 429, "error": {"type": "busy"}}}] * 2
    server.answer(200, json.dumps({"errors": True, "items": items}).encode())
    error = failure(elastic(server))
    assert not error.permanent
    assert error.rest == b"".join(server.requests[0].body.splitlines(keepends=True)[12:])


def test_elasticsearch_refusing_a_document_is_told_for_good(server: Receiver) -> None:
    """A mapping that does not fit will not fit tomorrow."""
    items = [{"create": {"status": 201}}] * 7 + [{"create": {"status": 400, "error": {"type": "mapper_parsing"}}}]
    server.answer(200, json.dumps({"errors": True, "items": items}).encode())
    error = failure(elastic(server))
    assert error.permanent
    assert "1 of 8 documents refused" in str(error)
    assert "mapper_parsing" in str(error)


def test_an_answer_that_is_not_one_of_bulk_is_no_success(server: Receiver) -> None:
    """A proxy's friendly page, say."""
    server.answer(200, b"<html>Welcome</html>")
    assert "not one of _bulk" in str(failure(elastic(server)))


# Chat


def test_chat_tells_the_verdict_and_the_worst_findings(server: Receiver) -> None:
    """Through Apprise to a service on loopback."""
    send_all(chat(server), findings_day())
    (request,) = server.requests
    content = json.loads(request.body)
    assert content["title"].startswith("Findings: high: Five keys need a look")
    assert "HIGH Usage spike: billing-prod-07" in content["message"]
    assert content["message"].rstrip().endswith("https://reports.example.com/2026-11-22/report.html")


def test_a_chat_service_that_drips_is_given_up() -> None:
    """Apprise has a limit for each step only."""
    with dripping(b"HTTP/1.1 200 OK\r\nX-Slow: ") as slow:
        (message,) = chat(Receiver(slow.url)).messages([findings_day()])
        with pytest.raises(DeliveryError, match=r"did not answer within 0\.3 s") as error:
            chat(Receiver(slow.url), timeout=0.3).send(message)
    assert not error.value.permanent


def test_chat_to_a_team_has_its_keys_alone(server: Receiver) -> None:
    """And nothing on a day without any."""
    channel = chat(server, teams=["checkout"])
    send_all(channel, findings_day())
    assert channel.messages([clear_day()]) == []
    message = json.loads(server.requests[0].body)["message"]
    assert "checkout-staging" in message
    assert "billing" not in message


def test_chat_that_could_not_judge_says_why(server: Receiver) -> None:
    """It is no all-clear."""
    send_all(chat(server), not_judged_day())
    content = json.loads(server.requests[0].body)
    assert content["title"].startswith("Could not judge")
    assert "did not answer" in content["message"]


# All of them


@pytest.mark.parametrize("open_channel", [webhook, pagerduty, splunk, elastic, chat])
def test_hostile_names_add_no_line_and_no_field(server: Receiver, open_channel) -> None:
    """Requests, lines and fields are those of a benign day; half characters do not break the JSON."""
    channel = open_channel(server)
    send_all(channel, findings_day())
    usual = [request.body for request in server.requests]
    server.requests.clear()
    send_all(channel, hostile())
    found = [request.body for request in server.requests]
    assert [body.count(b"\n") for body in found] == [body.count(b"\n") for body in usual]
    for before, after in zip(usual, found, strict=True):
        for old, new in zip(before.splitlines(), after.splitlines(), strict=True):
            assert set(json.loads(new)) == set(json.loads(old))


def test_chat_mentions_and_links_do_nothing(server: Receiver) -> None:
    """No channel is called, no link is clickable but ours."""
    send_all(chat(server), hostile())
    content = json.loads(server.requests[0].body)
    text = content["title"] + content["message"]
    assert not any(sign in text for sign in ("<", ">", "@", "`", "[", "]", "\u202e", "https://evil"))


@pytest.mark.parametrize("open_channel", [webhook, splunk, elastic, chat])
def test_severity_is_routed(server: Receiver, open_channel) -> None:
    """Below the configured one, findings are not sent."""
    send_all(open_channel(server, minimum_severity="high"), findings_day())
    body = server.requests[0].body.decode()
    assert "billing-prod-07" in body
    assert "checkout-staging" not in body


@pytest.mark.parametrize("open_channel", [webhook, pagerduty, splunk, elastic, chat])
def test_a_trial_is_one_harmless_message(server: Receiver, open_channel) -> None:
    """It is accepted, and says that it is a test."""
    channel = open_channel(server)
    (message,) = channel.trial(NOW)
    channel.send(message)
    assert b"est" in server.requests[0].body


@pytest.mark.parametrize("open_channel", [webhook, pagerduty, splunk, elastic, chat])
def test_a_critical_finding_reaches_every_channel(server: Receiver, open_channel) -> None:
    """Whatever the others look like."""
    report = findings_day()
    worst = replace(report.findings[0], severity=Severity.CRITICAL)
    send_all(open_channel(server), replace(report, findings=(worst,)))
    assert b"billing-prod-07" in b"".join(request.body for request in server.requests)


def test_every_configured_channel_can_be_opened(tmp_path: Path) -> None:
    """A fault names its place and not the secret."""
    (tmp_path / "config.yaml").write_text(
        f"""
source: {{kind: files, usage: none.csv}}
delivery:
  mail: {{host: localhost, from: a@example.com, to: [b@example.com]}}
  webhooks: [{{url: "https://hooks.example.com/t0ken", secret: "{SECRET}"}}]
  chat: [{{url: "slack://t0ken"}}]
  pagerduty: [{{routing_key: t0ken}}]
  splunk: [{{url: "https://splunk.example.com:8088", token: t0ken}}]
  elasticsearch: [{{url: "https://elastic.example.com:9200"}}]
"""
    )
    channels = open_channels(load(tmp_path / "config.yaml"))
    assert [channel.name for channel in channels] == [
        "mail", "webhook main", "chat main", "pagerduty main", "splunk main", "elasticsearch main",
    ]  # fmt: skip
    assert not any("t0ken" in channel.describe() for channel in channels)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "config.yaml", ["delivery.webhooks=[{url: 'http://x/t0ken', secret: s3cret}]"])
    assert "delivery.webhooks.0.url" in str(caught.value)
    assert "t0ken" not in str(caught.value)
    assert "s3cret" not in str(caught.value)

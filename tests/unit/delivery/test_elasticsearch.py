"""Documents for Elasticsearch, and what ``_bulk`` answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from detector.config.channels import ElasticsearchDelivery
from detector.delivery import Origin
from detector.delivery.elasticsearch import ElasticsearchChannel, _results
from detector.model.errors import DeliveryError
from tests.report_examples import findings_day

REPORT = findings_day()


def channel() -> ElasticsearchChannel:
    """A channel that sends nothing here."""
    settings = ElasticsearchDelivery.model_validate({"url": "https://elastic.example"})
    return ElasticsearchChannel(settings, Origin("main", "Acme"))


def item(status: int, error: str = "") -> dict[str, Any]:
    """One document's part of an answer."""
    return {"create": {"status": status, **({"error": error} if error else {})}}


def test_every_document_is_created_under_its_own_id() -> None:
    """What is sent twice is there once."""
    (message,) = channel().messages([REPORT])
    lines = [json.loads(line) for line in (message.payload or b"").splitlines()]
    actions, documents = lines[::2], lines[1::2]
    assert {next(iter(action)) for action in actions} == {"create"}
    assert len({action["create"]["_id"] for action in actions}) == len(actions)
    assert [document["event"]["kind"] for document in documents] == ["day"] + ["finding"] * (len(documents) - 1)
    assert message.subject == f"{len(documents)} documents"


def test_an_answer_without_errors_names_no_document() -> None:
    """All of them were taken."""
    assert _results(b'{"errors": false}') == []


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[]", b'{"errors": true, "items": [{}]}'])
def test_another_answer_is_none_of_bulk(body: bytes) -> None:
    """As from a proxy in between."""
    assert _results(body) is None


def test_documents_that_are_there_already_are_taken() -> None:
    """A conflict says that they were sent before."""
    channel()._check([b"1", b"2"], [(201, ""), (409, "exists")])


def test_documents_that_the_cluster_is_too_busy_for_are_sent_again() -> None:
    """Only those, and those that were refused, for another look."""
    with pytest.raises(DeliveryError, match="1 document not taken yet") as error:
        channel()._check([b"1", b"2", b"3"], [(201, ""), (429, "busy"), (400, "bad")])
    assert (error.value.permanent, error.value.rest) == (False, b"23")


def test_documents_that_are_refused_are_reported() -> None:
    """With what the cluster says of the first."""
    with pytest.raises(DeliveryError, match="1 of 2 documents refused: no such field") as error:
        channel()._check([b"1", b"2"], [(201, ""), (400, "no such field")])
    assert error.value.permanent


def test_an_answer_about_other_documents_is_tried_again() -> None:
    """Nobody knows what became of these."""
    with pytest.raises(DeliveryError, match="not one of _bulk") as error:
        channel()._check([b"1", b"2"], [(201, "")])
    assert not error.value.permanent

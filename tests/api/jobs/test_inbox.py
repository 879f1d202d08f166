"""Webhook inboxes: bounded in their number, in the deliveries they keep, and in the size of one."""

import pytest
from fastapi import FastAPI

from demo.api.openapi.reports import InboxDelivery
from demo.api.routes.webhook_inbox import MAX_BYTES, MAX_DELIVERIES, MAX_INBOXES, InboxStore
from tests.api.client import ask, assert_refused


def make_delivery(body: str = "") -> InboxDelivery:
    return {"received": 0.0, "headers": {}, "body": body}


def test_the_inbox_least_recently_delivered_to_is_dropped_beyond_the_limit() -> None:
    inboxes = InboxStore()
    ids = [str(number) for number in range(MAX_INBOXES + 2)]
    for id in [*ids[:-2], ids[0], *ids[-2:]]:
        inboxes.add(id, make_delivery())
    kept = [id for id in ids if inboxes.read(id)]
    assert kept == [ids[0], *ids[3:]]
    assert len(kept) == MAX_INBOXES == 64


def test_an_inbox_keeps_its_last_deliveries_oldest_first() -> None:
    inboxes = InboxStore()
    deliveries = [make_delivery(str(number)) for number in range(MAX_DELIVERIES + 2)]
    for delivery in deliveries:
        inboxes.add("mine", delivery)
    assert inboxes.read("mine") == deliveries[-MAX_DELIVERIES:]
    assert MAX_DELIVERIES == 4


def test_an_inbox_that_is_only_read_takes_no_place() -> None:
    inboxes = InboxStore()
    inboxes.add("mine", make_delivery())
    for number in range(MAX_INBOXES):
        assert inboxes.read(str(number)) == []
    inboxes.add("other", make_delivery())
    assert inboxes.read("mine")


@pytest.mark.parametrize(("size", "status"), [(MAX_BYTES, 204), (MAX_BYTES + 1, 413)])
def test_one_delivery_is_bounded(app: FastAPI, size: int, status: int) -> None:
    path = f"/webhooks/inbox/size-{size}"
    response = ask(app, "POST", path, content=b"x" * size)
    deliveries = ask(app, "GET", path).json()["deliveries"]
    assert response.status_code == status
    assert [len(delivery["body"]) for delivery in deliveries] == ([MAX_BYTES] if status == 204 else [])


def test_of_the_headers_only_those_of_a_webhook_are_kept(app: FastAPI) -> None:
    headers = {"webhook-id": "1", "content-type": "text/plain", "authorization": "Bearer secret", "x-large": "x" * 1000}
    ask(app, "POST", "/webhooks/inbox/headers", content=b"\xff", headers=headers)
    (delivery,) = ask(app, "GET", "/webhooks/inbox/headers").json()["deliveries"]
    assert delivery["headers"] == {"webhook-id": "1", "content-type": "text/plain"}
    assert delivery["body"] == "\ufffd"


@pytest.mark.parametrize("id", ["a b", "ä", "x" * 65])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_id_is_refused(app: FastAPI, method: str, id: str) -> None:
    path = f"/webhooks/inbox/{id}"
    assert_refused(ask(app, method, path), path, 422, "validation", "id")

"""Webhooks: signed, sent again when not accepted, and never an open door to internal addresses."""

import asyncio
import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from demo.api.jobs import webhook_sender
from demo.api.jobs.webhook import Webhook, sign
from demo.api.jobs.webhook_sender import WebhookSender
from demo.errors import BadRequest
from tests.api.serving import serve_api
from tests.scripted import ScriptedEngine

PATIENCE = 20.0
SERVER = "http://127.0.0.1:7860"


class Receiver:
    """Answers each POST with the next of `statuses`, and remembers what came."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.url = ""


@contextmanager
def receive(*statuses: int, location: str = "") -> Iterator[Receiver]:
    """A receiver on a port of its own, until the block ends."""
    receiver = Receiver(*statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.requests.append((self.path, {name.lower(): text for name, text in self.headers.items()}, body))
            self.send_response(receiver.statuses.pop(0))
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join(PATIENCE)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_sender, "BACKOFF_SECONDS", (0.0, 0.0))


def deliver(webhook: Webhook, *allowed: str) -> Webhook:
    asyncio.run(WebhookSender(SERVER, allowed).deliver(webhook, "msg", b"{}"))
    return webhook


def test_a_signature_is_that_of_the_specification() -> None:
    # The example of Standard Webhooks 1.0.
    headers = sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_result_of_a_job_arrives_once_signed_at_the_own_inbox() -> None:
    engine = ScriptedEngine()
    with serve_api(engine) as url, httpx.Client(base_url=url, trust_env=False) as client:
        job = client.post("/jobs", json={"inputs": "hello", "webhook_url": "/webhooks/inbox/mine"}).json()
        ticket = engine.wait_for_ticket()
        ticket.start()
        ticket.write("one ", "two")
        ticket.finish("eos_token")
        deliveries: list[dict[str, Any]] = []
        while not deliveries:
            deliveries = client.get("/webhooks/inbox/mine").json()["deliveries"]
        report = client.get(f"/jobs/{job['id']}/report").json()
        while report["webhook"]["report"] is None:
            report = client.get(f"/jobs/{job['id']}/report").json()
        told = report["webhook"]
    (delivery,) = deliveries
    headers, body = delivery["headers"], delivery["body"]
    result = json.loads(body)
    assert result["type"] == "job.ended"
    assert (result["data"]["state"], result["data"]["generated_text"]) == ("done", "one two")
    key = base64.b64decode(job["webhook_secret"].removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(headers["webhook-timestamp"]) - delivery["received"]) < 60
    assert told["state"] == "delivered"
    assert [attempt["status"] for attempt in told["attempts"]] == [204]
    assert told["report"]["requests"] == 1
    ((at, count),) = told["report"]["arrivals"]
    assert count == 2
    assert told["report"]["mean_staleness"] == pytest.approx(sum(at - made for made in report["tokens"]) / 2)
    assert at > max(report["tokens"])


def test_a_result_that_is_not_accepted_is_sent_again() -> None:
    with receive(500, 404, 200) as receiver:
        webhook = deliver(Webhook(receiver.url), "127.0.0.1")
    assert [attempt.status for attempt in webhook.attempts] == [500, 404, 200]
    assert webhook.state == "delivered"
    assert len({headers["webhook-id"] for _, headers, _ in receiver.requests}) == 1


def test_after_the_last_attempt_a_delivery_has_failed() -> None:
    with receive(500, 500, 500) as receiver:
        webhook = deliver(Webhook(receiver.url), "127.0.0.1")
    assert (webhook.state, len(webhook.attempts)) == ("failed", 3)


def test_no_redirect_is_followed() -> None:
    with receive(200) as forbidden, receive(302, 302, 302, location=forbidden.url) as receiver:
        webhook = deliver(Webhook(receiver.url), "127.0.0.1")
    assert webhook.state == "failed"
    assert not forbidden.requests


def test_a_host_that_is_not_there_is_told_on_the_job() -> None:
    webhook = deliver(Webhook("http://127.0.0.1:9/"), "127.0.0.1")
    assert webhook.state == "failed"
    assert all(attempt.error for attempt in webhook.attempts)


def test_a_name_that_means_an_internal_address_is_not_sent_to_though_the_name_is_allowed() -> None:
    with receive(200, 200, 200) as receiver:
        url = receiver.url.replace("127.0.0.1", "localhost")
        webhook = deliver(Webhook(url), "localhost")
        assert not receiver.requests
        assert all("internal address" in (attempt.error or "") for attempt in webhook.attempts)
        allowed = deliver(Webhook(url), "localhost", "127.0.0.0/8", "::1")
    assert allowed.state == "delivered" or "Connect" in (allowed.attempts[0].error or "")


def test_the_address_that_was_checked_is_the_one_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    with receive(200) as receiver:
        port = int(receiver.url.split(":")[2].split("/")[0])

        async def find(*arguments: Any, **more: Any) -> list[Any]:
            return [(None, None, None, "", ("127.0.0.1", port))]

        async def run(webhook: Webhook) -> None:
            monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", find)
            await WebhookSender(SERVER, ["nowhere.invalid", "127.0.0.1"]).deliver(webhook, "msg", b"{}")

        webhook = Webhook(f"http://nowhere.invalid:{port}/hook")
        asyncio.run(run(webhook))
    assert webhook.state == "delivered", webhook.attempts
    assert receiver.requests[0][1]["host"] == f"nowhere.invalid:{port}"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.0.0.1:7861/webhooks/inbox/a",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://10.0.0.1/",
        "http://other.example/",
        "http://hooks.example.evil.example/",
        "http://user@hooks.example/",
        "http://2130706433/",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "/generate",
        "/webhooks/inbox/../../jobs",
        "/webhooks/inbox/",
        "hooks.example",
        "http://127.0.0.1:7860@evil.example/webhooks/inbox/a",
        "http://127.0.0.1:7860.evil.example/webhooks/inbox/a",
        "",
        "http://",
        "http://\x00/",
    ],
)
def test_an_address_that_the_operator_did_not_allow_is_refused_in_one_sentence(url: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        WebhookSender(SERVER, ["hooks.example"]).make_webhook(url)
    assert "webhook_url" in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("/webhooks/inbox/a", ()),
        (f"{SERVER}/webhooks/inbox/a", ()),
        ("https://hooks.example/x", ("hooks.example",)),
        ("https://HOOKS.example:8443/x", ("hooks.example",)),
        ("http://10.1.2.3/", ("10.0.0.0/8",)),
        ("http://[::ffff:10.1.2.3]/", ("10.0.0.0/8",)),
    ],
)
def test_the_own_inbox_and_what_the_operator_allowed_are_taken(url: str, allowed: tuple[str, ...]) -> None:
    WebhookSender(SERVER, allowed).make_webhook(url)


@pytest.mark.parametrize("base", ["/demo", "https://a.example/demo"])
def test_the_own_inbox_is_known_by_the_name_that_the_sender_knows(base: str) -> None:
    postman = WebhookSender(SERVER, ())
    webhook = postman.make_webhook(f"{base}/webhooks/inbox/a", "/demo", "https://a.example/demo")
    assert webhook.url == f"{SERVER}/webhooks/inbox/a"
    with pytest.raises(BadRequest):
        postman.make_webhook(f"{base}/generate", "/demo", "https://a.example/demo")

"""Webhooks: signed, sent again until accepted, and never to an address that the operator did not allow."""

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
import re
import socket
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from demo.api.jobs.webhook import Webhook, WebhookSender, sign
from demo.errors import BadRequest
from tests.api.serving import receive, serve_api, write_reply
from tests.scripted import ScriptedEngine

SERVER = "http://127.0.0.1:7860"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.api.jobs.webhook.BACKOFF_SECONDS", (0.0, 0.0))


def deliver(webhook: Webhook, *allowed: str) -> Webhook:
    asyncio.run(WebhookSender(SERVER, allowed).deliver(webhook, "msg", b"{}"))
    return webhook


def find_header(request: bytes, name: str) -> str:
    (text,) = re.findall(rf"(?im)^{name}: (.*)\r$", request.decode())
    return str(text)


def test_a_signature_is_that_of_the_specification() -> None:
    # The example of Standard Webhooks 1.0.
    headers = sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_result_of_a_job_arrives_once_signed_at_the_own_inbox() -> None:
    engine = ScriptedEngine()
    with serve_api(engine) as url, httpx2.Client(base_url=url, trust_env=False) as client:
        job = client.post("/jobs", json={"inputs": "hello", "webhook_url": "/webhooks/inbox/mine"}).json()
        ticket = engine.wait_for_ticket()
        ticket.start_with("one ", "two")
        ticket.finish("eos_token")
        while (report := client.get(f"/jobs/{job['id']}/report").json())["webhook"]["report"] is None:
            pass
        (delivery,) = client.get("/webhooks/inbox/mine").json()["deliveries"]
    webhook = report["webhook"]
    headers, body = delivery["headers"], delivery["body"]
    result = json.loads(body)
    assert result["type"] == "job.ended"
    assert (result["data"]["state"], result["data"]["generated_text"]) == ("done", "one two")
    key = base64.b64decode(job["webhook_secret"].removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(headers["webhook-timestamp"]) - delivery["received"]) < 60
    assert webhook["state"] == "delivered"
    assert [attempt["status"] for attempt in webhook["attempts"]] == [204]
    assert webhook["report"]["requests"] == 1
    ((at, count),) = webhook["report"]["arrivals"]
    assert count == 2
    assert webhook["report"]["mean_staleness"] == pytest.approx(sum(at - made for made in report["tokens"]) / 2)
    assert at > max(report["tokens"])


def test_a_result_that_is_not_accepted_is_sent_again() -> None:
    with receive(*map(write_reply, (500, 404, 200))) as (url, received):
        webhook = deliver(Webhook(url), "127.0.0.1")
    assert [attempt["status"] for attempt in webhook.attempts] == [500, 404, 200]
    assert webhook.state == "delivered"
    assert len({find_header(request, "webhook-id") for request in received}) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed_even_to_an_allowed_host(status: int) -> None:
    with receive(write_reply(200)) as (target, followed):
        redirect = write_reply(status, f"Location: {target}")
        with receive(redirect, redirect, redirect) as (url, _):
            webhook = deliver(Webhook(url), "127.0.0.1")
    assert [attempt["status"] for attempt in webhook.attempts] == [status] * 3
    assert webhook.state == "failed"
    assert not followed


def test_a_host_that_cannot_be_reached_is_reported_on_the_job() -> None:
    webhook = deliver(Webhook("http://127.0.0.1:9/"), "127.0.0.1")
    assert (webhook.state, len(webhook.attempts)) == ("failed", 3)
    assert all(attempt["error"] for attempt in webhook.attempts)


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Makes "hooks.example" resolve to the next list of addresses; the last list stays. Returns the names asked for."""

    def install(*answers: Sequence[str]) -> list[str]:
        remaining, names, find = list(answers), [], socket.getaddrinfo

        def getaddrinfo(host: Any, port: Any, *arguments: Any, **more: Any) -> Any:
            if host not in ("hooks.example", b"hooks.example"):
                return find(host, port, *arguments, **more)
            names.append("hooks.example")
            addresses = remaining.pop(0) if len(remaining) > 1 else remaining[0]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return names

    return install


def test_the_connection_goes_to_the_address_that_was_checked_though_the_name_then_resolves_to_another(
    resolve: Callable[..., list[str]],
) -> None:
    with receive(write_reply(200)) as (url, checked):
        port = urlsplit(url).port or 0
        with receive(write_reply(200), host="127.0.0.2", port=port) as (_, rebound):
            names = resolve(["127.0.0.1"], ["127.0.0.2"])
            webhook = deliver(Webhook(f"http://hooks.example:{port}/hook"), "hooks.example", "127.0.0.0/8")
    assert (webhook.state, len(checked), len(rebound)) == ("delivered", 1, 0)
    assert names == ["hooks.example"]
    assert find_header(checked[0], "host") == f"hooks.example:{port}"


@pytest.mark.parametrize("order", [*itertools.permutations(["127.0.0.1", "127.0.0.2", "127.0.0.3"])], ids=str)
def test_one_internal_address_among_several_is_enough_for_a_refusal(
    resolve: Callable[..., list[str]], order: tuple[str, ...]
) -> None:
    with receive(*[write_reply(200)] * 3) as (url, received):
        resolve(order)
        named = url.replace("127.0.0.1", "hooks.example")
        webhook = deliver(Webhook(named), "hooks.example", "127.0.0.1", "127.0.0.3")
    assert not received
    sentence = "hooks.example is the internal address 127.0.0.2, which is not allowed."
    assert {attempt["error"] for attempt in webhook.attempts} == {sentence}


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "::1",
        "fd00::1",
        "fe80::1",
        "::ffff:10.0.0.1",
    ],
)
def test_an_allowed_name_does_not_allow_the_internal_address_it_resolves_to(
    resolve: Callable[..., list[str]], address: str
) -> None:
    resolve([address])
    webhook = deliver(Webhook("http://hooks.example:9/"), "hooks.example")
    sentence = f"hooks.example is the internal address {address.removeprefix('::ffff:')}, which is not allowed."
    assert all(attempt["error"] == sentence for attempt in webhook.attempts)
    assert len(webhook.attempts) == 3


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


@pytest.mark.parametrize("prefix", ["/demo", "https://a.example/demo"])
def test_the_own_inbox_is_recognised_under_the_addresses_that_the_client_uses(prefix: str) -> None:
    sender = WebhookSender(SERVER, ())
    webhook = sender.make_webhook(f"{prefix}/webhooks/inbox/a", "/demo", "https://a.example/demo")
    assert webhook.url == f"{SERVER}/webhooks/inbox/a"
    with pytest.raises(BadRequest):
        sender.make_webhook(f"{prefix}/generate", "/demo", "https://a.example/demo")

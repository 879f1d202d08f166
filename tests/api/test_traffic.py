"""Bytes of HTTP: what a report counts is what passed the sockets, to the byte."""

import json
from typing import Any

import httpx2

from demo.settings import Settings
from tests.api.serving import connect, exchange, read_to_end, receive, serve_api, write_reply
from tests.scripted import ScriptedEngine


def write_get(path: str, more: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: test\r\nUser-Agent: a reader\r\n{more}\r\n".encode()


def begin(url: str, **more: Any) -> str:
    return str(httpx2.post(f"{url}/jobs", json={"inputs": "hello", **more}, trust_env=False).json()["id"])


def read_report(url: str, id: str) -> Any:
    return httpx2.get(f"{url}/jobs/{id}/report", trust_env=False).json()


def test_polls_are_counted_with_their_heads_pipelined_ones_too_and_nothing_else_on_their_connection() -> None:
    with serve_api(ScriptedEngine()) as url:
        id = begin(url)
        poll, last = write_get(f"/jobs/{id}"), write_get(f"/jobs/{id}", "Connection: close\r\n")
        sent, received = 2 * len(poll) + len(last), len(exchange(url, poll, poll, last))
        polled = read_report(url, id)["polled"]
        assert (polled["requests"], polled["request_bytes"], polled["reply_bytes"]) == (3, sent, received)
        both = exchange(url, write_get("/health"), last)
        again = read_report(url, id)["polled"]
        assert again["request_bytes"] - sent == len(last)
        assert 0 < again["reply_bytes"] - received < len(both)


def test_a_stream_is_counted_with_its_head_and_the_framing_of_its_chunks() -> None:
    engine = ScriptedEngine()
    with serve_api(engine) as url:
        id = begin(url)
        ticket = engine.wait_for_ticket()
        ticket.start_with("Grüße ", "日本 ")
        with connect(url) as connection:
            request = write_get(f"/jobs/{id}/events", "Connection: close\r\n")
            connection.sendall(request)
            received = connection.recv(65536)
            ticket.write_last("!", "length")
            received += read_to_end(connection)
        streamed = read_report(url, id)["streamed"]
        assert b"transfer-encoding: chunked" in received.lower()
        assert (streamed["requests"], streamed["request_bytes"]) == (1, len(request))
        assert streamed["reply_bytes"] == len(received)


def test_a_webhook_is_counted_as_its_receiver_saw_it(monkeypatch: Any) -> None:
    monkeypatch.setattr("demo.api.jobs.webhook.BACKOFF_SECONDS", (0.0,))
    replies = [write_reply(500), write_reply(204)]
    engine = ScriptedEngine()
    settings = Settings(port=0, webhook_allow=("127.0.0.1",))
    with receive(*replies) as (hook, requests), serve_api(engine, settings) as url:
        id = begin(url, webhook_url=hook)
        ticket = engine.wait_for_ticket()
        ticket.start()
        ticket.write_last("one", "length")
        while (report := read_report(url, id)["webhook"]["report"]) is None:
            pass
    assert report["requests"] == 2
    assert report["request_bytes"] == sum(map(len, requests))
    assert report["reply_bytes"] == sum(map(len, replies))
    assert json.loads(requests[1].split(b"\r\n\r\n")[1])["data"]["generated_text"] == "one"

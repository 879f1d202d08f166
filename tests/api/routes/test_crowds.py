"""Admission of load tests: one at a time, with the key, in a sandbox beside which others are served."""

import logging
import threading
import time
from contextlib import suppress
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from demo.api.crowd.request import MAX_CLIENTS
from demo.settings import Settings
from tests.api.client import PATIENCE, ask, assert_refused, parse
from tests.api.gathering import CountingEngine, answer_all, gather, outcomes, read_until, run
from tests.api.serving import exchange, serve_api
from tests.scripted import ScriptedEngine


@pytest.mark.parametrize("retry", [False, True])
def test_a_disconnect_stops_all_its_clients(retry: bool) -> None:
    engine = ScriptedEngine()
    with serve_api(engine) as url:
        with gather(url, clients=20, limit=4, retry=retry) as events:
            read_until(events, "refused", 16)
            assert len(engine.tickets) == 4
        for ticket in engine.tickets:
            assert ticket.stopped.wait(PATIENCE)
        assert_next_may_come(url, engine)
        assert all(ticket.cancelled for ticket in engine.tickets[:4])


def assert_next_may_come(url: str, engine: ScriptedEngine) -> None:
    """Soon: the disconnect is noticed first."""
    came, deadline = len(engine.tickets), time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with httpx2.stream("POST", f"{url}/crowds", json={"clients": 1}, trust_env=False) as response:
            if response.status_code == 200:
                engine.wait_for_ticket(came + 1)
                answer_all(engine.tickets)
                assert list(response.iter_lines())
                return
    raise AssertionError("the first load test is still running")


def test_one_load_test_runs_at_a_time_and_the_next_as_soon_as_it_has_ended() -> None:
    engine = ScriptedEngine()
    with serve_api(engine) as url:
        with gather(url, clients=2, limit=2) as events:
            read_until(events, "admitted", 2)
            second = httpx2.post(f"{url}/crowds", json={}, trust_env=False)
            sentence = "Another load test is running: try again when it has ended"
            assert_refused(second, "/crowds", 429, "overloaded", sentence)
            assert second.headers["retry-after"] == "1"
            answer_all(engine.tickets)
            read_until(events, "ended", 1)
            third = threading.Thread(target=lambda: run(url, clients=1))
            third.start()
            engine.wait_for_ticket(3)
            answer_all(engine.tickets)
        third.join(PATIENCE)
        assert not third.is_alive()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("clients", value) for value in (0, MAX_CLIENTS + 1, "5", 2.5)],
        *[("limit", value) for value in (0, 9, None)],
        *[("max_new_tokens", value) for value in (3, 65)],
        *[("retry", value) for value in (1, "yes")],
        ("seed", "x"),
    ],
)
def test_what_is_out_of_range_is_refused_in_one_sentence(app: FastAPI, field: str, value: Any) -> None:
    assert_refused(ask(app, "POST", "/crowds", json={field: value}), "/crowds", 422, "validation", f"`{field}`")


def test_a_load_test_needs_the_key_that_generating_needs() -> None:
    with serve_api(CountingEngine(0.001), Settings(port=0, api_key="secret")) as url:
        refused = httpx2.post(f"{url}/crowds", json={}, trust_env=False)
        assert_refused(refused, "/crowds", 401, "authentication")
        assert outcomes(run(url, headers={"authorization": "Bearer secret"}, clients=2)) == {"served": 2}


def test_beside_forty_clients_others_are_admitted_and_answered() -> None:
    engine = CountingEngine(0.05, limit=8)
    with serve_api(engine) as url, gather(url, clients=40, limit=8, max_new_tokens=64) as events:
        seen = read_until(events, "gave_up", 38)
        assert seen[0]["limit"] == 2  # a quarter of the server's eight
        asked = {"inputs": "hi", "parameters": {"max_new_tokens": 4}}
        for path in ("/generate", "/generate_stream"):
            assert httpx2.post(url + path, json=asked, trust_env=False).status_code == 200
        assert not any(ticket.ended for ticket in engine.tickets[:2])  # the sandbox was full all the while
        seen += events
    assert outcomes(seen) == {"served": 2, "gave_up": 38}
    assert engine.most == 3


def find_place(log: pytest.LogCaptureFixture) -> str:
    """The path that a crowd's clients ask."""
    lines = [parse(record.getMessage()) for record in log.records if record.name == "demo.access"]
    return str(next(line["path"] for line in lines if line["path"].startswith("/crowds/")))


def test_the_sandbox_refuses_before_it_reads_the_body_and_ends_with_its_load_test(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="demo.access")
    engine = ScriptedEngine()
    with serve_api(engine) as url:
        with gather(url, clients=2, limit=1) as events:
            read_until(events, "gave_up", 1)
            path = find_place(caplog)
            assert announce_body(url, path).startswith(b"HTTP/1.1 429 ")
            answer_all(engine.tickets)
            read_until(events, "ended", 1)
        assert announce_body(url, path).startswith(b"HTTP/1.1 404 ")
        assert announce_body(url, "/crowds/guessed/generate_stream").startswith(b"HTTP/1.1 404 ")
    assert len(engine.tickets) == 1


def announce_body(url: str, path: str) -> bytes:
    """The answer to a request whose body is not sent before it is answered."""
    head = f"POST {path}?client=1 HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 9\r\n\r\n"
    return exchange(url, head.encode())


def test_the_server_stops_in_order_during_a_load_test() -> None:
    engine = ScriptedEngine()
    began, waiting = time.monotonic(), threading.Event()

    def follow(url: str) -> None:
        with suppress(httpx2.HTTPError), gather(url, clients=6, limit=2, retry=True) as events:
            read_until(events, "backing_off", 4)
            waiting.set()
            list(events)  # until the server's end cuts it off

    with serve_api(engine) as url:
        following = threading.Thread(target=follow, args=(url,))
        following.start()
        assert waiting.wait(PATIENCE)
    following.join(PATIENCE)
    assert not following.is_alive()
    assert time.monotonic() - began < PATIENCE
    assert all(ticket.ended for ticket in engine.tickets)

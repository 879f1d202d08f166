"""SIGTERM drains a real server: what has begun ends, what is new is refused, and a second signal ends everything."""

import json
import signal
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Any

import pytest

from demo.engines.draining import Drain
from demo.errors import NotReady
from tests.test_app import HTTP, PATIENCE, SHUTDOWN_SECONDS, environment, read_until, start, url_in

__all__ = ["environment"]  # a fixture

PROMPT = "How do you make cheese?"  # of which there is a recorded run
SERVED = ["--port", "0", "--replay-only", "--no-ui"]


def open_stream(url: str) -> HTTPResponse:
    """Twelve tokens, eight a second; the first has come."""
    sampling = {"do_sample": True, "temperature": 0.2, "top_p": 0.9, "repetition_penalty": 1.1, "seed": 1}
    parameters = {"max_new_tokens": 12, "max_tokens_per_second": 8, "details": True, **sampling}
    body = json.dumps({"inputs": PROMPT, "parameters": parameters}).encode()
    request = urllib.request.Request(f"{url}/generate_stream", body, {"Content-Type": "application/json"})
    stream: HTTPResponse = urllib.request.urlopen(request, timeout=PATIENCE)
    assert stream.readline().startswith(b"data:")
    return stream


def read_events(stream: HTTPResponse) -> list[Any]:
    """What is left of it."""
    return [json.loads(line.removeprefix(b"data:")) for line in stream if line.startswith(b"data:")]


@contextmanager
def streaming(environment: dict[str, str], *arguments: str) -> Iterator[tuple[Any, str, HTTPResponse]]:
    """A server that is answering one request."""
    with start([*SERVED, *arguments], environment) as process:
        url = url_in(read_until(process, "Listening on"))
        with open_stream(url) as stream:
            yield process, url, stream


def test_what_has_begun_ends_and_what_is_new_is_refused_in_one_sentence(environment: dict[str, str]) -> None:
    with streaming(environment) as (process, url, stream):
        process.send_signal(signal.SIGTERM)
        read_until(process, "Draining")
        posted = [HTTP.post(url + path, json={"inputs": "Hello"}) for path in ("/generate", "/jobs")]
        for refusal in (HTTP.get(f"{url}/health"), *posted):
            assert (refusal.status_code, refusal.json()["error_type"]) == (503, "healthcheck")
            assert "The server is draining" in refusal.json()["error"]
            assert 1 <= int(refusal.headers["Retry-After"]) <= 30
        *_, last = read_events(stream)
        since = time.monotonic()
        process.communicate(timeout=PATIENCE)
    assert last["details"]["finish_reason"] == "length"
    assert last["index"] == 12
    assert time.monotonic() - since < SHUTDOWN_SECONDS
    assert process.returncode == -signal.SIGTERM


@pytest.mark.parametrize(
    ("seconds", "first", "second"),
    [
        ("30", signal.SIGTERM, signal.SIGTERM),
        ("30", signal.SIGTERM, signal.SIGINT),
        ("1", signal.SIGTERM, None),
        ("0", signal.SIGTERM, None),
        ("30", signal.SIGINT, None),
    ],
    ids=str,
)
def test_the_second_signal_the_time_limit_and_ctrl_c_end_each_answer_with_its_true_last_event(
    seconds: str, first: signal.Signals, second: signal.Signals | None, environment: dict[str, str]
) -> None:
    with streaming(environment, "--drain-timeout", seconds) as (process, _, stream):
        process.send_signal(first)
        if second is not None:
            read_until(process, "Draining")
            process.send_signal(second)
        *_, last = read_events(stream)
        _, rest = process.communicate(timeout=PATIENCE)
    assert "shutting down" in last["error"]
    assert "Traceback" not in rest
    assert process.returncode == -first


def test_by_ctrl_c_a_phone_is_told_that_its_room_is_closed(environment: dict[str, str]) -> None:
    with start(["--port", "0", "--replay-only"], environment) as process:
        url = url_in(read_until(process, "Listening on"))
        code = HTTP.post(f"{url}/rooms", json={}).json()["code"]
        phones = f"{url}/rooms/{code}/phones"
        phone = HTTP.post(phones, json={}).json()["phone"]
        with urllib.request.urlopen(f"{phones}/{phone}/events", timeout=PATIENCE) as events:
            assert events.readline() == b"event: state\n"
            process.send_signal(signal.SIGINT)
            assert b'event: closed\nid: 1\ndata: {"why":"server"}' in events.read()
        process.communicate(timeout=PATIENCE)


def test_a_drain_tells_how_long_it_still_takes_and_begins_once() -> None:
    now = [100.0]
    drain = Drain(30, lambda: now[0])
    drain.require_open()
    drain.begin()
    now[0] = 110.5
    drain.begin()
    with pytest.raises(NotReady, match="in 20 s") as refusal:
        drain.require_open()
    assert refusal.value.retry_after == 20
    assert not drain.is_over
    now[0] = 130.0
    assert drain.is_over

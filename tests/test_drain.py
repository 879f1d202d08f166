"""SIGTERM drains a real server: what has begun ends, what is new is refused, and a second signal ends everything."""

import json
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Any

import pytest

from demo.drain import Drain
from demo.errors import NotReady
from tests.test_app import PATIENCE, SHUTDOWN_SECONDS, environment, read_until, start, url_in

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


def ask_refused(url: str, path: str, body: Any = None) -> tuple[int, Any, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(request, timeout=PATIENCE)
    with refusal.value as reply:
        return reply.code, json.load(reply), reply.headers


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
        for path, body in (("/health", None), ("/generate", {"inputs": "Hello"}), ("/jobs", {"inputs": "Hello"})):
            status, error, headers = ask_refused(url, path, body)
            assert (status, error["error_type"]) == (503, "healthcheck")
            assert "The server is draining" in error["error"]
            assert 1 <= int(headers["Retry-After"]) <= 30
        *_, last = read_events(stream)
        since = time.monotonic()
        process.communicate(timeout=PATIENCE)
    assert last["details"]["finish_reason"] == "length"
    assert last["index"] == 12
    assert time.monotonic() - since < SHUTDOWN_SECONDS
    assert process.returncode == -signal.SIGTERM


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT, None], ids=["SIGTERM", "SIGINT", "timeout"])
def test_the_second_signal_or_the_time_limit_ends_each_answer_with_its_true_last_event(
    second: signal.Signals | None, environment: dict[str, str]
) -> None:
    arguments = ["--drain-timeout", "1"] if second is None else []
    with streaming(environment, *arguments) as (process, _, stream):
        process.send_signal(signal.SIGTERM)
        read_until(process, "Draining")
        if second is not None:
            process.send_signal(second)
        *_, last = read_events(stream)
        _, rest = process.communicate(timeout=PATIENCE)
    assert "shutting down" in last["error"]
    assert "Traceback" not in rest
    assert process.returncode == -signal.SIGTERM


@pytest.mark.parametrize(("arguments", "by"), [(["--drain-timeout", "0"], signal.SIGTERM), ([], signal.SIGINT)])
def test_without_time_and_by_ctrl_c_it_ends_at_once(
    arguments: list[str], by: signal.Signals, environment: dict[str, str]
) -> None:
    with streaming(environment, *arguments) as (process, _, stream):
        process.send_signal(by)
        *_, last = read_events(stream)
        process.communicate(timeout=PATIENCE)
    assert "shutting down" in last["error"]
    assert process.returncode == -by


def test_by_ctrl_c_a_phone_is_told_that_its_room_is_closed(environment: dict[str, str]) -> None:
    with start(["--port", "0", "--replay-only"], environment) as process:
        url = url_in(read_until(process, "Listening on"))
        room = post(f"{url}/rooms")
        phone = post(f"{url}/rooms/{room['code']}/phones")
        with urllib.request.urlopen(
            f"{url}/rooms/{room['code']}/phones/{phone['phone']}/events", timeout=PATIENCE
        ) as events:
            assert events.readline() == b"event: state\n"
            process.send_signal(signal.SIGINT)
            assert b'event: closed\nid: 1\ndata: {"why":"server"}' in events.read()
        process.communicate(timeout=PATIENCE)


def post(url: str) -> Any:
    request = urllib.request.Request(url, b"{}", {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
        return json.load(reply)


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

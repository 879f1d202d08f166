"""Real sockets: clients that dawdle, leave, reset, or do not read, and many at once; and what uvicorn lends for it."""

import json
import logging
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psutil
import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol

from demo.api import server, uvicorn_tuning
from demo.engine import Log, Ticket
from demo.engines.local.engine import LocalEngine
from demo.request import Request
from demo.settings import Settings
from tests.api.client import PATIENCE
from tests.api.serving import connect, exchange, read_to_end, read_until, serve_api, write_post
from tests.engines.local.conftest import wait_until_loaded
from tests.engines.local.tiny import make_model
from tests.scripted import ScriptedEngine

SHORT = 0.3
STREAM = write_post("/generate_stream", b'{"inputs": "a"}')


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def url(engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server of little patience."""
    for name in ("HEADER_SECONDS", "BODY_SECONDS", "IDLE_SECONDS"):
        monkeypatch.setattr(uvicorn_tuning, name, SHORT)
    monkeypatch.setattr(server, "IDLE_SECONDS", SHORT)
    monkeypatch.setattr(server, "UNREAD_SECONDS", 1)
    with serve_api(engine) as url:
        yield url


def read_status(answer: bytes) -> int:
    return int(answer.split()[1])


def read_body(answer: bytes) -> dict[str, str]:
    body: dict[str, str] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return body


@pytest.mark.parametrize(
    "beginning",
    [b"GET /health HT", b"GET /health HTTP/1.1\r\nHost: test\r\n", STREAM[:-3]],
    ids=["line", "headers", "body"],
)
def test_a_request_that_is_not_finished_in_time_is_answered_408(url: str, beginning: bytes) -> None:
    answer = exchange(url, beginning)
    assert read_status(answer) == 408
    assert read_body(answer)["error_type"] == "request_timeout"


def test_headers_that_trickle_in_are_late_all_the_same(url: str) -> None:
    with connect(url) as client:
        client.settimeout(SHORT / 10)
        answer = b""
        while not answer:
            client.sendall(b"x")
            with suppress(TimeoutError):
                answer = client.recv(65536)
    assert read_status(answer) == 408


@pytest.mark.parametrize("count", [0, 3])
def test_a_connection_may_ask_again_until_it_has_been_idle_too_long_and_is_closed_without_a_word(
    url: str, count: int
) -> None:
    with connect(url) as client:
        for _ in range(count):
            client.sendall(b"GET /health HTTP/1.1\r\nHost: test\r\n\r\n")
            assert read_status(read_until(client, b"}")) == 200
        assert read_to_end(client) == b""


@pytest.mark.parametrize(
    ("junk", "status"), [(b"GARBAGE\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nx: " + b"a" * 70_000, 431)]
)
def test_bad_http_is_answered_in_json(url: str, junk: bytes, status: int) -> None:
    answer = exchange(url, junk)
    assert read_status(answer) == status
    assert "send HTTP/1.1" in read_body(answer)["error"]


def test_a_reset_connection_stops_the_work(url: str, engine: ScriptedEngine) -> None:
    client = connect(url)
    client.sendall(STREAM)
    ticket = engine.wait_for_ticket()
    ticket.start_with("one ", "two ")
    assert b"two " in read_until(client, b"two ")
    # Lingering for no time at all: the close is a reset.
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    assert ticket.stopped.wait(PATIENCE)


def wait_until(holds: Callable[[], bool]) -> bool:
    """Whether it came true before patience ran out."""
    end, moment = time.perf_counter() + PATIENCE, threading.Event()
    while not holds() and time.perf_counter() < end:
        moment.wait(0.01)
    return holds()


class FloodingEngine(ScriptedEngine):
    """Has far more to say, at once, than any buffer holds."""

    def submit(self, request: Request, log: Log) -> Ticket:
        ticket = super().submit(request, log)
        self.tickets[-1].start_with(*["x" * 1000] * 20_000)
        return ticket


def test_a_client_that_stops_reading_is_cut_off_and_slows_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "UNREAD_SECONDS", 1)
    engine = FloodingEngine()
    with serve_api(engine) as url, connect(url) as stuck, connect(url) as reading:
        stuck.sendall(STREAM)
        stuck_ticket = engine.wait_for_ticket()
        reading.sendall(STREAM)
        reading_ticket = engine.wait_for_ticket(2)
        received = 0
        while received < 20_000_000:
            received += len(reading.recv(1 << 20))
        reading_ticket.finish()
        assert stuck_ticket.stopped.wait(PATIENCE)
        assert not reading_ticket.cancelled


def test_200_clients_against_a_limit_of_16_each_get_all_their_tokens_or_a_429_and_leave_nothing_open() -> None:
    worker = LocalEngine(lambda report: make_model(), 16)
    wait_until_loaded(worker)
    body = b'{"inputs": "hello", "parameters": {"max_new_tokens": 40}}'
    asked = write_post("/generate_stream", body, "Connection: close")
    begin = threading.Barrier(200)

    def ask(url: str) -> bytes:
        with connect(url) as client:
            begin.wait(PATIENCE)
            client.sendall(asked)
            return read_to_end(client)

    with serve_api(worker, Settings(port=0)) as url:
        exchange(url, asked)
        open_files = psutil.Process().num_fds()
        with ThreadPoolExecutor(200) as pool:
            answers = list(pool.map(ask, [url] * 200))
        assert worker.load.running == worker.load.waiting == 0
        assert wait_until(lambda: psutil.Process().num_fds() <= open_files), "connections were left open"
    statuses = [read_status(answer) for answer in answers]
    assert set(statuses) == {200, 429}
    assert statuses.count(200) >= 16
    for status, answer in zip(statuses, answers, strict=True):
        if status == 200:
            assert answer.count(b'data: {"index":') == 40
        else:
            assert b"retry-after: 1" in answer.lower()


def test_a_token_does_not_wait_for_the_next_one_and_a_client_that_does_not_read_is_reset() -> None:
    served = server.Server(Settings(port=0), {})
    with served._socket, connect(served.url):
        accepted = served._socket.accept()[0]
    with accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == server.UNREAD_SECONDS * 1000


def test_the_installed_uvicorn_has_every_name_that_is_used() -> None:
    assert uvicorn_tuning.list_missing_names() == []
    assert uvicorn_tuning.choose_protocol() is uvicorn_tuning.Connection


def test_a_name_that_uvicorn_lacks_is_logged_and_its_own_protocol_serves(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(uvicorn_tuning, "USED_NAMES", {H11Protocol: ("conn", "renamed", "handle_events")})
    with caplog.at_level(logging.WARNING):
        assert uvicorn_tuning.choose_protocol() == "h11"
    assert "has no H11Protocol.renamed: connections have no time limits" in caplog.text

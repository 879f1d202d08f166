"""Real sockets: clients that dawdle, leave, reset, or do not read, and many at once."""

import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import psutil
import pytest

from demo.api import server, uvicorn_tuning
from demo.engine import Log, Ticket
from demo.engines.local.engine import LocalEngine
from demo.request import Request
from demo.settings import Settings
from tests.api.serving import connect, read_to_end, serve_api, write_post
from tests.engines.local.conftest import wait_until_loaded
from tests.engines.local.tiny import make_model
from tests.scripted import ScriptedEngine

SHORT = 0.3
PATIENCE = 20.0
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
    with connect(url) as client:
        client.sendall(beginning)
        answer = read_to_end(client)
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


def test_a_connection_on_which_nothing_is_asked_is_closed_without_a_word(url: str) -> None:
    with connect(url) as client:
        assert read_to_end(client) == b""


def test_a_connection_may_ask_again_until_it_has_been_idle_too_long(url: str) -> None:
    with connect(url) as client:
        for _ in range(3):
            client.sendall(b"GET /health HTTP/1.1\r\nHost: test\r\n\r\n")
            assert read_status(read_until(client, b"}")) == 200
        assert read_to_end(client) == b""


@pytest.mark.parametrize(
    ("junk", "status"), [(b"GARBAGE\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nx: " + b"a" * 70_000, 431)]
)
def test_bad_http_is_answered_in_json(url: str, junk: bytes, status: int, caplog: pytest.LogCaptureFixture) -> None:
    with connect(url) as client:
        client.sendall(junk)
        answer = read_to_end(client)
    assert read_status(answer) == status
    assert "send HTTP/1.1" in read_body(answer)["error"]


def test_a_reset_connection_stops_the_work(url: str, engine: ScriptedEngine) -> None:
    client = connect(url)
    client.sendall(STREAM)
    ticket = engine.wait_for_ticket()
    ticket.start()
    ticket.write("one ", "two ")
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


def read_until(client: socket.socket, words: bytes) -> bytes:
    received = b""
    while words not in received:
        piece = client.recv(65536)
        assert piece, received
        received += piece
    return received


class FloodingEngine(ScriptedEngine):
    """Has far more to say, at once, than any buffer holds."""

    def submit(self, request: Request, log: Log) -> Ticket:
        super().submit(request, log)
        ticket = self.tickets[-1]
        ticket.start()
        ticket.write(*["x" * 1000] * 20_000)
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
    answers: list[bytes] = []
    begin = threading.Barrier(200)

    asked = write_post("/generate_stream", body).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)

    def ask(url: str) -> None:
        with connect(url) as client:
            begin.wait(PATIENCE)
            client.sendall(asked)
            answers.append(read_to_end(client))

    with serve_api(worker, Settings(port=0)) as url:
        with connect(url) as first:
            first.sendall(asked)
            read_to_end(first)
        open_files = psutil.Process().num_fds()
        threads = [threading.Thread(target=ask, args=(url,)) for _ in range(200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert worker.load.running == worker.load.waiting == 0
        assert wait_until(lambda: psutil.Process().num_fds() <= open_files), "connections were left open"
    statuses = [read_status(answer) for answer in answers]
    assert len(statuses) == 200
    assert set(statuses) == {200, 429}
    assert statuses.count(200) >= 16
    for answer in answers:
        if read_status(answer) == 200:
            assert len(re.findall(rb'data: {"index":', answer)) == 40
        else:
            assert b"Retry-After: 1" in answer or b"retry-after: 1" in answer

"""Bare connections: one side closed, absolute targets, and what two servers could read differently."""

import socket
from collections.abc import Iterator

import pytest

from tests.api.client import PATIENCE, parse
from tests.api.serving import connect, exchange, read_to_end, read_until, serve_api, write_post
from tests.scripted import ScriptedEngine

BODY = b'{"inputs": "hi"}'


@pytest.fixture(scope="module")
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture(scope="module")
def url(engine: ScriptedEngine) -> Iterator[str]:
    """A real server; its engine does what a test says."""
    with serve_api(engine) as url:
        yield url


def ask_half_closed(url: str, request: bytes) -> socket.socket:
    """A client that has said all it will say."""
    client = connect(url)
    client.sendall(request)
    client.shutdown(socket.SHUT_WR)
    return client


@pytest.mark.parametrize(("version", "count"), [(b"1.0", 1), (b"1.1", 1), (b"1.1", 3)])
def test_all_requests_of_a_half_closed_connection_are_answered(version: bytes, count: int, url: str) -> None:
    with ask_half_closed(url, b"GET /health HTTP/%b\r\nHost: test\r\n\r\n" % version * count) as client:
        assert read_to_end(client).count(b"200 OK") == count


@pytest.mark.parametrize("path", ["/generate", "/generate_stream"])
def test_a_half_closed_request_waits_for_its_whole_answer(path: str, url: str, engine: ScriptedEngine) -> None:
    number = len(engine.tickets) + 1
    with ask_half_closed(url, write_post(path, BODY)) as client:
        ticket = engine.wait_for_ticket(number)
        ticket.start_with("one ")
        assert not ticket.stopped.wait(0.2)
        ticket.write_last("two", "length")
        answer = read_to_end(client)
    assert b"two" in answer
    assert answer.endswith((b"}]", b"0\r\n\r\n", b"}"))


@pytest.mark.parametrize("path", ["/generate", "/generate_stream"])
@pytest.mark.parametrize("began", [False, True], ids=["before", "after"])
def test_a_closed_connection_still_stops_the_work_though_it_looks_half_closed(
    path: str, began: bool, url: str, engine: ScriptedEngine
) -> None:
    number = len(engine.tickets) + 1
    client = connect(url)
    client.sendall(write_post(path, BODY))
    ticket = engine.wait_for_ticket(number)
    if began:
        ticket.start_with("one ")
        if path == "/generate_stream":
            read_until(client, b"one ")
    client.close()
    assert ticket.stopped.wait(PATIENCE)


def test_an_absolute_target_is_that_path(url: str) -> None:
    answer = exchange(url, b"GET http://test:1/info?x=1 HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n")
    assert parse(answer.partition(b"\r\n\r\n")[2])["model_id"] == "scripted"


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 4\r\nContent-Length: 5\r\n",
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Content-Length: +4\r\n",
    ],
)
def test_what_two_servers_could_read_differently_is_refused(head: bytes, url: str) -> None:
    smuggled = b"0\r\n\r\nGET /info HTTP/1.1\r\nHost: test\r\n\r\n"
    with ask_half_closed(url, b"POST /tokenize HTTP/1.1\r\nHost: test\r\n" + head + b"\r\n" + smuggled) as client:
        answer = read_to_end(client)
    assert b"scripted" not in answer
    assert answer.split()[1] in (b"400", b"422", b"501")

import socket

import pytest

from demo.bench.peers.streams import Address, post_together, read_address
from demo.bench.sample import Unmeasured
from tests.bench.fake import FakeServer, Script, serve

PATH = "/v1/chat/completions"
BODY = {"stream": True}


def address_of(server: FakeServer) -> Address:
    return read_address(server.url)


def test_streams_are_under_way_together_and_none_reads_anothers_bytes() -> None:
    with serve(Script(capacity=8)) as server:
        replies = post_together(address_of(server), PATH, [BODY] * 8, 0.0, 10.0)
    assert [status for status, _ in replies] == [200] * 8
    assert len({b"".join(piece for _, piece in arrivals.reads) for _, arrivals in replies}) == 1
    assert max(arrivals.sent for _, arrivals in replies) < min(arrivals.end for _, arrivals in replies)


def test_streams_that_join_are_sent_that_far_apart() -> None:
    with serve() as server:
        replies = post_together(address_of(server), PATH, [BODY] * 3, 0.02, 10.0)
    first, second, third = (arrivals.sent for _, arrivals in replies)
    assert second - first >= 0.02
    assert third - first >= 0.04


def test_no_read_is_stamped_before_the_server_wrote_it() -> None:
    with serve() as server:
        ((_, arrivals),) = post_together(address_of(server), PATH, [BODY], 0.0, 10.0)
        reply = server.replies[0]
    times = [time for time, piece in arrivals.reads if piece]
    assert arrivals.sent < reply.begun
    assert all(seen > written for seen, written in zip(times, reply.tokens, strict=False))


def test_silence_and_absence_are_said_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        there = Address("127.0.0.1", silent.getsockname()[1])
        with pytest.raises(Unmeasured, match="was silent"):
            post_together(there, PATH, [BODY], 0.0, 0.05)
    with pytest.raises(Unmeasured, match="can't be reached"):
        post_together(there, PATH, [BODY], 0.0, 0.05)


def test_an_address_is_read_and_what_is_none_refused() -> None:
    assert read_address("http://x:81/under/").url == "http://x:81/under"
    for url in ("https://x", "x:80", "http://", "http://x:port"):
        with pytest.raises(Unmeasured, match="http://localhost:8080"):
            read_address(url)

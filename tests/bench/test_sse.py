from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from demo.bench.sse import EventStream

BODY = (
    'data: {"a": "é🌊 ทะเล"}\n\n: a comment\r\n\r\ndata:no space\r\n\r\n'
    "event: token\nid: 7\ndata: one\ndata:  two\n\ndata: with CR only\r\rdata:\n\n"
    "data: a: b\n\n\n\ndata: [DONE]\n\ndata: never ended"
).encode()
PAYLOADS = ['{"a": "é🌊 ทะเล"}', "no space", "one\n two", "with CR only", "", "a: b", "[DONE]"]


def cut(body: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[start:end] for start, end in pairwise(edges)]


@settings(deadline=None)
@given(st.lists(st.integers(0, 10_000), max_size=40))
def test_any_cut_of_the_bytes_gives_the_same_events(places: list[int]) -> None:
    stream = EventStream()
    assert [payload for read in cut(BODY, places) for payload in stream.feed(read)] == PAYLOADS


def test_single_bytes_give_the_same_events() -> None:
    stream = EventStream()
    assert [payload for byte in BODY for payload in stream.feed(bytes([byte]))] == PAYLOADS


def test_an_event_comes_with_the_read_that_completes_it() -> None:
    stream = EventStream()
    assert stream.feed(b"data: one\n") == []
    assert stream.feed(b"\ndata: two\n\ndata: thr") == ["one", "two"]
    assert stream.feed(b"ee\r\n\r") == ["three"]
    assert stream.feed(b"\n") == []


def test_a_comment_is_no_event() -> None:
    assert EventStream().feed(b": keep-alive\n\n") == []

"""What goes over the line is what h11 alone would write, whatever the pieces of a body and whoever asked."""

import h11
import pytest

from demo.api.framing import Framing

PIECES = [b"data: 1\n\n", b"", b"x" * 5000, b"\xf0\x9f\xa7\x80"]


def answer(conversation: h11.Connection, request: bytes, headers: list[tuple[str, str]]) -> list[bytes | None]:
    """What is written to the one who sent `request`, piece by piece."""
    conversation.receive_data(request)
    while conversation.next_event() not in (h11.NEED_DATA, h11.PAUSED):
        pass
    pieces = PIECES if not request.startswith(b"HEAD") else [b""]
    events = [h11.Response(status_code=200, headers=headers), *map(make_piece, pieces), h11.EndOfMessage()]
    return [conversation.send(event) for event in events]


def make_piece(data: bytes) -> h11.Data:
    return h11.Data(data=data)


@pytest.mark.parametrize("headers", [[], [("Content-Length", str(sum(map(len, PIECES))))]], ids=["streamed", "whole"])
@pytest.mark.parametrize("line", [b"GET / HTTP/1.1", b"HEAD / HTTP/1.1", b"GET / HTTP/1.0"])
def test_every_byte_is_h11s_own(line: bytes, headers: list[tuple[str, str]]) -> None:
    request = line + b"\r\nHost: test\r\n\r\n"
    assert answer(Framing(h11.SERVER), request, headers) == answer(h11.Connection(h11.SERVER), request, headers)


def test_a_connection_answers_a_whole_reply_after_a_stream() -> None:
    ours, h11s = Framing(h11.SERVER), h11.Connection(h11.SERVER)
    request = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
    for conversation in (ours, h11s):
        answer(conversation, request, [])
        conversation.start_next_cycle()
    headers = [("Content-Length", str(sum(map(len, PIECES))))]
    assert answer(ours, request, headers) == answer(h11s, request, headers)


def test_a_piece_after_the_end_is_refused() -> None:
    conversation = Framing(h11.SERVER)
    answer(conversation, b"GET / HTTP/1.1\r\nHost: test\r\n\r\n", [])
    with pytest.raises(h11.LocalProtocolError):
        conversation.send(make_piece(b"late"))

import pytest

from demo.bench.recorded import has_ended, parse_response
from demo.bench.sample import MeasurementError, TimedResponse

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Kind: Test\r\n\r\n"
CHUNKS = b"4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n"


def parse(*reads: tuple[float, bytes], is_cut: bool = False) -> TimedResponse:
    response = parse_response(1.0, 0.25, reads, is_cut)
    assert isinstance(response, TimedResponse), response
    return response


@pytest.mark.parametrize("cut", range(1, len(HEAD + CHUNKS)))
def test_wherever_the_bytes_were_cut_each_piece_has_the_time_of_the_read_that_completed_it(cut: int) -> None:
    raw = HEAD + CHUNKS
    response = parse((2.0, raw[:cut]), (3.0, raw[cut:]))
    assert (response.status, response.body, response.fields["x-kind"]) == (200, b"one two", "Test")
    assert (response.sent, response.lag, response.end) == (1.0, 0.25, 3.0)
    assert response.headers == (2.0 if cut >= len(HEAD) else 3.0)
    last = len(HEAD)
    for time, piece in response.reads:
        last = raw.index(piece, last) + len(piece)
        assert time == (2.0 if last <= cut else 3.0)


def test_a_body_of_a_known_length_and_one_that_ends_with_the_connection_are_read() -> None:
    assert parse((1.0, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"), (2.0, b"c")).reads == [
        (1.0, b"ab"),
        (2.0, b"c"),
    ]
    assert parse((1.0, b"HTTP/1.1 200 OK\r\n\r\nab"), (2.0, b"c")).reads == [(1.0, b"ab"), (2.0, b"c")]


@pytest.mark.parametrize("raw", [b"", b"HTTP/1.1 200", b"nonsense\r\n\r\n", HEAD + CHUNKS[:-8], HEAD + b"x\r\n"])
def test_what_is_no_whole_response_is_an_error(raw: bytes) -> None:
    assert isinstance(parse_response(1.0, 0.0, [(2.0, raw)] if raw else []), MeasurementError)


def test_of_a_stream_that_goes_on_there_is_what_has_come() -> None:
    assert parse((2.0, HEAD + CHUNKS[:9]), is_cut=True).body == b"one "


def test_a_whole_response_is_known_without_waiting_for_the_end_of_the_connection() -> None:
    fixed = b"HTTP/1.1 429 Too Many\r\ncontent-LENGTH: 10\r\n\r\n0123456789"
    for raw in (HEAD + CHUNKS, fixed):
        for cut in range(1, len(raw)):
            assert not has_ended([(1.0, raw[:cut])])
            assert has_ended([(1.0, raw[:cut]), (2.0, raw[cut:])])
        assert has_ended([(1.0, bytes([byte])) for byte in raw])
    assert not has_ended([(1.0, b"HTTP/1.1 200 OK\r\n\r\nabc")])

import json
from typing import Any

import pytest

from demo.bench.dialects import DIALECTS
from demo.bench.sample import MeasurementError, TimedResponse, describe_error, read_sample, split_events

NATIVE = DIALECTS["native"]


def write_events(*events: Any) -> bytes:
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()


def token(text: str, special: bool = False) -> dict[str, Any]:
    return {"token": {"text": text, "special": special}, "details": None}


def test_ttft_stops_at_the_first_visible_text_and_the_first_event_is_kept_beside_it() -> None:
    reads = [
        (10.2, write_events(token(""))),
        (10.3, write_events(token("é"))),
        (10.5, write_events(token("a"), token("</s>", special=True))),
    ]
    sample = read_sample(NATIVE, "streamed", TimedResponse(200, 10.0, 10.1, reads, 10.6))
    assert sample.headers == pytest.approx(0.1)
    assert sample.first_event == pytest.approx(0.2)
    assert sample.timeline.ttft == pytest.approx(0.3)
    assert sample.timeline.tokens == pytest.approx((0.2, 0.3, 0.5, 0.5))
    assert sample.timeline.tpot == pytest.approx(0.1)
    assert sample.total == pytest.approx(0.6)
    assert (sample.text, sample.count) == ("éa", 4)


def test_a_whole_replys_first_text_is_its_total_and_it_has_no_gaps() -> None:
    reads = [(1.0, b'{"generated_'), (1.1, b'text": "Hi"}')]
    sample = read_sample(NATIVE, "whole", TimedResponse(200, 0.0, 0.9, reads, 1.2))
    assert (sample.text, sample.total, sample.timeline.ttft, sample.timeline.gaps) == ("Hi", 1.2, 1.2, ())
    assert sample.count is None


def test_done_is_not_a_token() -> None:
    reads = [(1.0, write_events({"choices": [{"text": "Hi"}]}) + b"data: [DONE]\n\n")]
    assert read_sample(DIALECTS["completions"], "streamed", TimedResponse(200, 0.0, 0.5, reads, 1.0)).count == 1


@pytest.mark.parametrize(
    "error", [{"error": "out of memory", "error_type": "generation"}, {"error": {"message": "out of memory"}}]
)
def test_an_error_event_fails_the_request_with_its_sentence(error: Any) -> None:
    with pytest.raises(MeasurementError, match="out of memory"):
        read_sample(NATIVE, "streamed", TimedResponse(200, 0.0, 0.1, [(0.2, write_events(token("Hi"), error))], 0.3))


def test_a_stream_without_a_token_is_an_error() -> None:
    with pytest.raises(MeasurementError, match="without a token"):
        read_sample(NATIVE, "streamed", TimedResponse(200, 0.0, 0.1, [(0.2, b": nothing\n\n")], 0.3))


@pytest.mark.parametrize("payload", [b"{}", b"[]", b"null", b"<html>", b'"text"'])
@pytest.mark.parametrize("mode", ["streamed", "whole"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_reply_of_another_dialect_is_an_error_in_one_sentence(payload: bytes, mode: Any, dialect: str) -> None:
    read = b"data: " + payload + b"\n\n" if mode == "streamed" else payload
    with pytest.raises(MeasurementError, match="choose another --dialect"):
        read_sample(DIALECTS[dialect], mode, TimedResponse(200, 0.0, 0.1, [(0.2, read)], 0.3))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": {"message": "out of\\nmemory"}}', "answered 503: out of memory"),
        (b"<html>down</html>", "answered 503: <html>down</html>"),
        (b"", "answered 503: nothing more"),
    ],
)
def test_an_error_response_is_described_by_its_status_and_sentence(body: bytes, words: str) -> None:
    assert describe_error(TimedResponse(503, 0.0, 0.1, [(0.2, body)], 0.3)) == words


BODY = (
    'data: {"a": "é🌊 ทะเล"}\n\n: a comment\r\n\r\ndata:no space\r\n\r\n'
    "event: token\nid: 7\ndata: one\ndata:  two\n\ndata: with CR only\r\rdata:\n\n"
    "data: a: b\n\n\n\ndata: [DONE]\n\ndata: never ended"
).encode()
PAYLOADS = ['{"a": "é🌊 ทะเล"}', "no space", "one\n two", "with CR only", "", "a: b", "[DONE]"]


def test_however_the_bytes_are_cut_the_events_are_the_same() -> None:
    for size in range(1, len(BODY) + 1):
        reads = [(float(at), BODY[at : at + size]) for at in range(0, len(BODY), size)]
        assert [payload for _, payload in split_events(reads)] == PAYLOADS, size


def test_an_event_has_the_time_of_the_read_that_completed_it() -> None:
    reads = [(1.0, b"data: one\n"), (2.0, b"\ndata: two\n\ndata: thr"), (3.0, b"ee\r\n\r\n"), (4.0, b": comment\n\n")]
    assert list(split_events(reads)) == [(2.0, "one"), (2.0, "two"), (3.0, "three")]

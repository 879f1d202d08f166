import json
from typing import Any

import pytest

from demo.bench.dialects import DIALECTS
from demo.bench.sample import Arrivals, Unmeasured, read_sample

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
    sample = read_sample(NATIVE, "streamed", Arrivals(sent=10.0, headers=10.1, reads=reads, end=10.6))
    assert sample.headers == pytest.approx(0.1)
    assert sample.first_event == pytest.approx(0.2)
    assert sample.timeline.ttft == pytest.approx(0.3)
    assert sample.timeline.tokens == pytest.approx((0.2, 0.3, 0.5, 0.5))
    assert sample.timeline.tpot == pytest.approx(0.1)
    assert sample.total == pytest.approx(0.6)
    assert (sample.text, sample.count) == ("éa", 4)


def test_a_whole_replys_first_text_is_its_total_and_it_has_no_gaps() -> None:
    reads = [(1.0, b'{"generated_'), (1.1, b'text": "Hi"}')]
    sample = read_sample(NATIVE, "whole", Arrivals(0.0, 0.9, reads, 1.2))
    assert (sample.text, sample.total, sample.timeline.ttft, sample.timeline.gaps) == ("Hi", 1.2, 1.2, ())
    assert sample.count is None


def test_the_closing_mark_is_no_token() -> None:
    reads = [(1.0, write_events({"choices": [{"text": "Hi"}]}) + b"data: [DONE]\n\n")]
    assert read_sample(DIALECTS["completions"], "streamed", Arrivals(0.0, 0.5, reads, 1.0)).count == 1


@pytest.mark.parametrize(
    "error", [{"error": "out of memory", "error_type": "generation"}, {"error": {"message": "out of memory"}}]
)
def test_an_error_event_fails_the_request_with_its_sentence(error: Any) -> None:
    with pytest.raises(Unmeasured, match="out of memory"):
        read_sample(NATIVE, "streamed", Arrivals(0.0, 0.1, [(0.2, write_events(token("Hi"), error))], 0.3))


def test_a_stream_without_a_token_is_not_measured() -> None:
    with pytest.raises(Unmeasured, match="without a single token"):
        read_sample(NATIVE, "streamed", Arrivals(0.0, 0.1, [(0.2, b": nothing\n\n")], 0.3))


@pytest.mark.parametrize("payload", [b"{}", b"[]", b"null", b"<html>", b'"text"'])
@pytest.mark.parametrize("mode", ["streamed", "whole"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_reply_of_another_dialect_is_said_in_a_sentence(payload: bytes, mode: Any, dialect: str) -> None:
    read = b"data: " + payload + b"\n\n" if mode == "streamed" else payload
    with pytest.raises(Unmeasured, match="choose another --dialect"):
        read_sample(DIALECTS[dialect], mode, Arrivals(0.0, 0.1, [(0.2, read)], 0.3))

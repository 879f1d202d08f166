"""Where the time of an answer went: each figure from events with known times."""

from types import SimpleNamespace
from typing import Any, Final, cast

from demo.api.dialects.answer import Timings
from demo.events import Done, EngineReport, Event, Sent, Started, Token
from demo.run import Run

SUBMITTED: Final = 10.0
HERE: Final[list[Event]] = [
    Started(10.1, 3, 0),
    Token(10.3512341, 1, 1, "a", -0.5, False),
    Token(10.6, 2, 2, "b", -0.5, False),
    Done(10.7004567, "length", 2),
]


def measure(events: list[Event]) -> Timings:
    """Of a run that was admitted after 2 ms."""
    return Timings.measure(cast(Run, SimpleNamespace(submitted=SUBMITTED, admitted=10.0021234)), events)


def test_a_whole_reply_has_them_in_headers() -> None:
    assert measure(HERE).as_headers() == {
        "x-total-time": "700",
        "x-validation-time": "2",
        "x-queue-time": "98",
        "x-inference-time": "600",
        "x-time-per-token": "300",
        "x-time-to-first-token": "351.234",
        "Server-Timing": "queue;dur=97.877, prefill;dur=251.234, decode;dur=248.766, total;dur=700.457",
    }


def test_a_stream_has_them_at_its_end_in_microseconds() -> None:
    assert measure(HERE).as_details() == {
        "validation_time": 2.123,
        "queue_time": 97.877,
        "inference_time": 600.457,
        "total_time": 700.457,
        "time_per_token": 300.228,
        "time_to_first_token": 351.234,
    }


def test_an_engine_elsewhere_hides_its_queue_and_tells_figures_of_its_own() -> None:
    report = EngineReport(10.7, 3, 0, (("queue_time_ms", 0.25),))
    timings = measure([Sent(10.05), *HERE[1:-1], report, HERE[-1]])
    details: dict[str, Any] = {**timings.as_details()}
    assert (details["queue_time"], details["inference_time"]) == (None, 650.457)
    assert details["engine"] == {"queue_time_ms": 0.25}
    assert "x-queue-time" not in timings.as_headers()
    assert timings.as_headers()["Server-Timing"] == "decode;dur=248.766, total;dur=700.457"


def test_a_request_that_ended_in_the_queue_has_no_stage_after_it() -> None:
    timings = measure([Done(10.5, "cancelled", 0)])
    assert [timings.as_headers()[f"x-{name}-time"] for name in ("queue", "inference", "total")] == ["498", "0", "500"]
    assert (timings.prefill, timings.decode, timings.time_to_first_token, timings.time_per_token) == (None,) * 4
    assert timings.as_headers()["x-time-per-token"] == "0"


def test_the_first_token_of_an_answer_after_reasoning_has_a_time_of_its_own() -> None:
    start = Started(10.1, 3, 0, reasoning="inside")
    tokens = [Token(10.3, 1, 1, "Hm</think>", -0.5, False), Token(10.6004567, 2, 2, "Yes", -0.5, False)]
    timings = measure([start, *tokens, HERE[-1]])
    details = timings.as_details()
    assert (details["time_to_first_token"], details["time_to_first_answer"]) == (300.0, 600.457)
    assert timings.as_headers()["x-time-to-first-answer"] == "600.457"

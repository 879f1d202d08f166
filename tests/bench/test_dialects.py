from dataclasses import replace
from typing import Any

import pytest

from demo.bench.dialects import DIALECTS, Mode, Request, ServerTimes, read_count, read_error, read_server_times

REQUEST = Request(model="m", prompt="Hello", new_tokens=8)


def test_native_requests_are_greedy_with_the_length_and_a_route_for_each_mode() -> None:
    native = DIALECTS["native"]
    assert (native.path("streamed"), native.path("whole")) == ("/generate_stream", "/generate")
    parameters = {"max_new_tokens": 8, "details": True, "do_sample": False, "raw": True}
    assert native.body(REQUEST, "streamed") == {"inputs": "Hello", "parameters": parameters}


@pytest.mark.parametrize("name", DIALECTS)
def test_the_cache_parameters_are_written_anew_for_each_request(name: str) -> None:
    count = iter(range(9))
    request = replace(REQUEST, write_cache_parameters=lambda: {"cache_salt": next(count)})
    bodies = [DIALECTS[name].body(request, "streamed") for _ in range(2)]
    assert [body.get("parameters", body)["cache_salt"] for body in bodies] == [0, 1]
    assert "cache_salt" not in str(DIALECTS[name].body(REQUEST, "streamed"))


def test_completions_ask_for_the_raw_prompt() -> None:
    assert DIALECTS["completions"].body(REQUEST, "whole")["raw"] is True


@pytest.mark.parametrize("name", ["chat", "completions"])
@pytest.mark.parametrize("mode", ["streamed", "whole"])
def test_openai_requests_are_greedy_with_the_length_and_one_route(name: str, mode: Mode) -> None:
    body = DIALECTS[name].body(REQUEST, mode)
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("m", 8, 0)
    assert body["stream"] == (mode == "streamed")


@pytest.mark.parametrize(
    ("name", "event", "text"),
    [
        ("native", {"token": {"text": " sea", "special": False}}, " sea"),
        ("native", {"token": {"text": "", "special": False}}, ""),
        ("native", {"token": {"text": "</s>", "special": True}, "generated_text": "x"}, ""),
        ("chat", {"choices": [{"delta": {"role": "assistant", "content": "Hi"}}]}, "Hi"),
        ("chat", {"choices": [{"delta": {"content": ""}, "finish_reason": "stop"}]}, ""),
        ("chat", {"choices": [{"delta": {"role": "assistant", "content": ""}}]}, None),
        ("chat", {"choices": [{"delta": {"role": "assistant", "content": None}}]}, None),
        ("chat", {"choices": [{"delta": {}, "finish_reason": "stop"}]}, None),
        ("chat", {"choices": [], "usage": {"completion_tokens": 8}}, None),
        ("completions", {"choices": [{"text": "Hi"}]}, "Hi"),
        ("completions", {"choices": [], "usage": {}}, None),
    ],
)
def test_one_event_is_one_token_and_other_events_do_not_count(name: str, event: Any, text: str | None) -> None:
    assert DIALECTS[name].read_event(event) == text


@pytest.mark.parametrize(
    ("name", "reply"),
    [
        ("native", {"generated_text": "Hi"}),
        ("native", [{"generated_text": "Hi"}]),
        ("chat", {"choices": [{"message": {"content": "Hi"}}]}),
        ("completions", {"choices": [{"text": "Hi"}]}),
    ],
)
def test_a_whole_reply_is_its_text(name: str, reply: Any) -> None:
    assert DIALECTS[name].read_whole(reply) == "Hi"


@pytest.mark.parametrize("payload", [{"error": "broken", "error_type": "generation"}, {"error": {"message": "broken"}}])
def test_an_error_reads_the_same_in_both_shapes(payload: Any) -> None:
    assert read_error(payload) == "broken"


@pytest.mark.parametrize("payload", [{"choices": []}, {"error": None}, [{}], "text"])
def test_a_payload_without_an_error_is_none(payload: Any) -> None:
    assert read_error(payload) is None


def test_the_count_is_the_reported_one_or_none() -> None:
    assert read_count({"usage": {"completion_tokens": 3}}) == 3
    assert read_count([{"details": {"generated_tokens": 0}}]) == 0
    assert read_count({"usage": None, "details": None}) is None


def test_a_servers_own_times_are_seconds_and_none_where_not_reported() -> None:
    timings = {"details": {"timings": {"time_to_first_token": 12.5, "total_time": 100}}}
    assert read_server_times(timings, {}) == ServerTimes(0.0125, 0.1)
    assert read_server_times({}, {"x-total-time": "100"}) == ServerTimes(None, 0.1)
    assert read_server_times({"details": None}, {}) == ServerTimes(None, None)

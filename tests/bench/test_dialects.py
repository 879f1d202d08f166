from dataclasses import replace
from typing import Any

import pytest

from demo.bench.dialects import DIALECTS, Ask, Mode, ServerTimes, read_count, read_error, read_server_times

ASK = Ask(model="m", prompt="Hello", new_tokens=8)


def test_native_asks_greedily_for_the_length_on_a_route_a_mode() -> None:
    native = DIALECTS["native"]
    assert (native.path("streamed"), native.path("whole")) == ("/generate_stream", "/generate")
    parameters = {"max_new_tokens": 8, "details": True, "do_sample": False, "raw": True}
    assert native.body(ASK, "streamed") == {"inputs": "Hello", "parameters": parameters}


@pytest.mark.parametrize("name", DIALECTS)
def test_what_prevents_reuse_of_a_prefix_is_a_parameter_of_each_request(name: str) -> None:
    count = iter(range(9))
    ask = replace(ASK, write_no_reuse=lambda: {"cache_salt": next(count)})
    bodies = [DIALECTS[name].body(ask, "streamed") for _ in range(2)]
    assert [body.get("parameters", body)["cache_salt"] for body in bodies] == [0, 1]
    assert "cache_salt" not in str(DIALECTS[name].body(ASK, "streamed"))


def test_a_prompt_is_completed_where_that_has_to_be_said() -> None:
    assert DIALECTS["completions"].body(ASK, "whole")["raw"] is True


@pytest.mark.parametrize("name", ["chat", "completions"])
@pytest.mark.parametrize("mode", ["streamed", "whole"])
def test_openai_asks_greedily_for_the_length_on_one_route(name: str, mode: Mode) -> None:
    body = DIALECTS[name].body(ASK, mode)
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
def test_one_event_is_one_token_and_what_is_no_token_does_not_count(name: str, event: Any, text: str | None) -> None:
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
def test_what_is_no_error_is_none(payload: Any) -> None:
    assert read_error(payload) is None


def test_the_count_is_what_the_reply_says_or_none() -> None:
    assert read_count({"usage": {"completion_tokens": 3}}) == 3
    assert read_count([{"details": {"generated_tokens": 0}}]) == 0
    assert read_count({"usage": None, "details": None}) is None


def test_a_servers_own_times_are_seconds_and_none_where_it_is_silent() -> None:
    timings = {"details": {"timings": {"time_to_first_token": 12.5, "total_time": 100}}}
    assert read_server_times(timings, {}) == ServerTimes(0.0125, 0.1)
    assert read_server_times({}, {"x-total-time": "100"}) == ServerTimes(None, 0.1)
    assert read_server_times({"details": None}, {}) == ServerTimes(None, None)

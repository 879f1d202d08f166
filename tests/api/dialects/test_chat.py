"""OpenAI's chat dialect, byte for byte, and its parameters, each as the engine is asked."""

from typing import Any

import pytest
from fastapi import FastAPI

from demo.events import Message, Sampling
from tests.api.client import assert_refused, fix, parse, post, read_events
from tests.api.script import ENDED, HELD_BACK, HELLO, RANKED, STOPPED, AnsweringEngine, Script, make_token, open_api

PATH = "/v1/chat/completions"
CHUNK = (
    'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"scripted",'
    '"system_fingerprint":"cpu-float32","choices":'
)
WHOLE = (
    '{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"scripted",'
    '"system_fingerprint":"cpu-float32","choices":'
)
DONE = "data: [DONE]\n\n"
NONE_CACHED = '"prompt_tokens_details":{"cached_tokens":0}'
USAGE = f'"usage":{{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,{NONE_CACHED}}}'


def delta(content: str, reason: str = "null", index: int = 0) -> str:
    return (
        f'{CHUNK}[{{"index":{index},"delta":{{"role":"assistant","content":"{content}"}},'
        f'"logprobs":null,"finish_reason":{reason}}}]'
    )


def reply(*scripts: Script, **body: Any) -> str:
    return fix(post(open_api(AnsweringEngine(*scripts)), PATH, **body))


def test_a_stream_is_one_chunk_per_token_then_done_without_a_role_only_chunk() -> None:
    assert reply(HELLO, stream=True) == delta("Hé") + "}\n\n" + delta("llo", '"length"') + "}\n\n" + DONE


@pytest.mark.parametrize(
    ("script", "reason"), [(HELLO, "length"), (ENDED, "stop"), (STOPPED, "stop")], ids=["length", "eos", "stop"]
)
def test_finish_reasons_are_openais(script: Script, reason: str) -> None:
    assert parse(reply(script))["choices"][0]["finish_reason"] == reason
    first, last = read_events(reply(script, stream=True).encode())
    assert first["choices"][0]["finish_reason"] is None
    assert last["choices"][0]["finish_reason"] == reason


def test_a_stream_has_one_chunk_per_token_even_without_text() -> None:
    chunks = read_events(reply(HELD_BACK, stream=True).encode())
    assert [chunk["choices"][0]["delta"]["content"] for chunk in chunks] == ["", "", "日"]


def test_usage_is_a_chunk_of_its_own_when_asked() -> None:
    assert reply(HELLO, stream=True, stream_options={"include_usage": True}) == (
        delta("Hé") + ',"usage":null}\n\n' + delta("llo", '"length"') + ',"usage":null}\n\n'
        f"{CHUNK}[],{USAGE}}}\n\n{DONE}"
    )


def test_a_whole_reply_is_one_message_with_usage() -> None:
    message = '{"index":0,"message":{"role":"assistant","content":"Héllo"},"logprobs":null,"finish_reason":"length"}'
    assert reply(HELLO) == f"{WHOLE}[{message}],{USAGE}}}"


def test_several_choices_are_told_with_their_numbers_and_the_prompt_counted_once() -> None:
    second = Script((make_token(1, "Bye", -0.5),), "eos_token")
    assert reply(HELLO, second, n=2) == (
        f'{WHOLE}[{{"index":0,"message":{{"role":"assistant","content":"Héllo"}},"logprobs":null,'
        '"finish_reason":"length"},{"index":1,"message":{"role":"assistant","content":"Bye"},"logprobs":null,'
        f'"finish_reason":"stop"}}],"usage":{{"prompt_tokens":3,"completion_tokens":3,"total_tokens":6,{NONE_CACHED}}}}}'
    )
    events = reply(HELLO, second, n=2, stream=True)
    expected = {delta("Hé") + "}\n\n", delta("llo", '"length"') + "}\n\n", delta("Bye", '"stop"', index=1) + "}\n\n"}
    assert events.endswith(DONE)
    assert {event + "\n\n" for event in events.removesuffix(DONE).split("\n\n")[:-1]} == expected


def test_logprobs_are_told_when_asked() -> None:
    content = [
        '{"token":"Hé","logprob":-0.25,"bytes":[72,195,169],"top_logprobs":[]}',
        '{"token":"llo","logprob":-1.5,"bytes":[108,108,111],"top_logprobs":[]}',
    ]
    assert f'"logprobs":{{"content":[{content[0]},{content[1]}]}}' in reply(HELLO, logprobs=True)
    streamed = reply(HELLO, logprobs=True, stream=True)
    assert f'"logprobs":{{"content":[{content[0]}]}},"finish_reason":null' in streamed
    assert f'"logprobs":{{"content":[{content[1]}]}},"finish_reason":"length"' in streamed


def test_top_logprobs_are_told_when_asked() -> None:
    content = parse(reply(RANKED, logprobs=True, top_logprobs=2))["choices"][0]["logprobs"]["content"]
    assert content[0] == {
        "token": "a",
        "logprob": -0.5,
        "bytes": [97],
        "top_logprobs": [
            {"token": "a", "logprob": -0.5, "bytes": [97]},
            {"token": "b", "logprob": -1.5, "bytes": [98]},
        ],
    }
    assert [each["token"] for each in content[1]["top_logprobs"]] == ["<end>", "b"]


def ask_engine(app: FastAPI, engine: AnsweringEngine, **body: Any) -> Any:
    response = post(app, PATH, **body)
    assert response.status_code == 200, response.text
    return engine.requests[-1]


def test_the_engine_is_asked_what_the_parameters_say(app: FastAPI, engine: AnsweringEngine) -> None:
    request = ask_engine(
        app,
        engine,
        max_tokens=20,
        temperature=0.5,
        top_p=0.9,
        repetition_penalty=1.1,
        frequency_penalty=-0.5,
        presence_penalty=1.5,
        seed=9,
        stop=["a", "b"],
        logprobs=True,
        top_logprobs=5,
        model="whatever",
        user="somebody",
    )
    assert request.sampling == Sampling(True, 0.5, None, 0.9, None, 1.1, -0.5, 1.5, 9)
    assert (request.max_new_tokens, request.stop, request.top_n_tokens) == (20, ("a", "b"), 5)
    assert request.prompt == (Message("user", "hi"),)


def test_temperature_0_is_greedy_and_none_is_sampling(app: FastAPI, engine: AnsweringEngine) -> None:
    assert not ask_engine(app, engine, temperature=0).sampling.is_random
    assert not ask_engine(app, engine, temperature=0.0, top_p=0.5).sampling.is_random
    assert ask_engine(app, engine).sampling == Sampling(do_sample=True)


def test_the_end_token_is_passed_only_where_that_is_asked_for(app: FastAPI, engine: AnsweringEngine) -> None:
    assert ask_engine(app, engine, ignore_eos=True).ignore_eos
    assert not ask_engine(app, engine, ignore_eos=None).ignore_eos
    assert not ask_engine(app, engine).ignore_eos


def test_top_p_1_keeps_all(app: FastAPI, engine: AnsweringEngine) -> None:
    assert ask_engine(app, engine, top_p=1).sampling.top_p is None
    assert ask_engine(app, engine, top_p=1.0).sampling.top_p is None


def test_stop_is_a_string_or_a_list(app: FastAPI, engine: AnsweringEngine) -> None:
    assert ask_engine(app, engine, stop="x").stop == ("x",)
    assert ask_engine(app, engine, stop=["x", "y"]).stop == ("x", "y")
    assert ask_engine(app, engine, stop=None).stop == ()


def test_max_completion_tokens_goes_before_max_tokens(app: FastAPI, engine: AnsweringEngine) -> None:
    assert ask_engine(app, engine, max_tokens=5, max_completion_tokens=6).max_new_tokens == 6
    assert ask_engine(app, engine, max_completion_tokens=7).max_new_tokens == 7
    assert ask_engine(app, engine).max_new_tokens is None


def test_each_of_several_choices_has_a_seed_of_its_own(app: FastAPI, engine: AnsweringEngine) -> None:
    ask_engine(app, engine, n=3, seed=2**64 - 1)
    assert [request.sampling.seed for request in engine.requests[-3:]] == [2**64 - 1, 0, 1]


def test_developer_is_read_as_system_and_parts_as_their_text(app: FastAPI, engine: AnsweringEngine) -> None:
    messages = [
        {"role": "developer", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "name": "x"},
        {"role": "assistant", "content": None},
        {"role": "assistant", "content": "c", "tool_calls": []},
    ]
    assert ask_engine(app, engine, messages=messages).prompt == (
        Message("system", "be brief"),
        Message("user", "ab"),
        Message("assistant", ""),
        Message("assistant", "c"),
    )


HARMLESS: list[dict[str, Any]] = [
    {"tools": []},
    {"tools": None},
    {"tool_choice": "none"},
    {"tool_choice": "auto"},
    {"response_format": {"type": "text"}},
    {"logit_bias": {}},
    {"logit_bias": None},
    {"modalities": ["text"]},
    {"n": None, "stream": None, "logprobs": None, "stream_options": None, "temperature": None, "seed": None},
    {"never": {"heard": "of"}},
    {"stop": []},
    {"top_logprobs": 0},
]


@pytest.mark.parametrize("body", HARMLESS, ids=str)
def test_what_changes_nothing_is_tolerated(app: FastAPI, body: dict[str, Any]) -> None:
    assert post(app, PATH, **body).status_code == 200


IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"functions": [{"name": "f"}]}, "functions"),
    ({"function_call": {"name": "f"}}, "function_call"),
    ({"response_format": {"type": "json_object"}}, "response_format"),
    ({"logit_bias": {"5": 1}}, "logit_bias"),
    ({"modalities": ["audio"]}, "modalities"),
    ({"audio": {"voice": "x"}}, "audio"),
    ({"messages": [{"role": "user", "content": [IMAGE]}]}, "image_url"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "Tools"),
    ({"messages": [{"role": "assistant", "content": "", "tool_calls": [{"id": "1"}]}]}, "Tools"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
    ({"messages": []}, "messages"),
    ({"messages": "hi"}, "messages"),
    ({"top_logprobs": 2}, "top_logprobs"),
    ({"logprobs": True, "top_logprobs": 6}, "top_logprobs"),
    ({"temperature": -0.1}, "temperature"),
    ({"top_p": 0}, "top_p"),
    ({"top_p": 1.1}, "top_p"),
    ({"n": 0}, "n"),
    ({"n": 5}, "n"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_completion_tokens": 0}, "max_completion_tokens"),
    ({"stop": list("abcde")}, "stop"),
    ({"stop": ""}, "stop"),
    ({"frequency_penalty": 3}, "frequency_penalty"),
    ({"presence_penalty": -3}, "presence_penalty"),
    ({"repetition_penalty": 0}, "repetition_penalty"),
    ({"seed": 2**64}, "seed"),
]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("body", "name"), REFUSED, ids=[str(body) for body, _ in REFUSED])
def test_what_can_not_be_done_is_refused_by_name(app: FastAPI, streamed: bool, body: dict[str, Any], name: str) -> None:
    response = post(app, PATH, **body, stream=streamed)
    assert_refused(response, PATH, 422, "validation", name)
    assert response.json()["error"]["message"].startswith("Input validation error: ")


def test_the_messages_are_required(app: FastAPI) -> None:
    assert_refused(post(app, PATH, messages=None), PATH, 422, "validation", "messages")

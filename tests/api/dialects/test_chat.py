"""OpenAI's chat dialect, byte for byte, and its parameters, each as the engine is asked."""

from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI

from demo.events import Candidate
from demo.request import Message, Sampling
from tests.api.client import CHAT, fix, parse, post
from tests.api.script import CUT_UP, HELLO, RANKED, AnsweringEngine, Script, make_token, open_api

CHUNK = (
    'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"scripted",'
    '"system_fingerprint":"cpu-float32","choices":'
)
WHOLE = CHUNK.removeprefix("data: ").replace("chat.completion.chunk", "chat.completion")
DONE = "data: [DONE]\n\n"
NONE_CACHED = '"prompt_tokens_details":{"cached_tokens":0}'
USAGE = f'"usage":{{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,{NONE_CACHED}}}'


def delta(content: str, reason: str = "null", index: int = 0, role: str = "") -> str:
    end = "" if reason == "null" else ',"stop_reason":null'
    delta = f'"delta":{{{role}"content":"{content}"}}'
    return f'{CHUNK}[{{"index":{index},{delta},"logprobs":null,"finish_reason":{reason}{end}}}]'


FIRST = '"role":"assistant",'


def reply(*scripts: Script, **body: Any) -> str:
    return fix(post(open_api(AnsweringEngine(*scripts)), CHAT, **body))


def test_a_stream_is_one_chunk_per_token_then_done_and_the_first_names_the_role() -> None:
    assert reply(HELLO, stream=True) == delta("Hé", role=FIRST) + "}\n\n" + delta("llo", '"length"') + "}\n\n" + DONE


def test_usage_is_a_chunk_of_its_own_when_asked() -> None:
    assert reply(HELLO, stream=True, stream_options={"include_usage": True}) == (
        delta("Hé", role=FIRST) + ',"usage":null}\n\n' + delta("llo", '"length"') + ',"usage":null}\n\n'
        f"{CHUNK}[],{USAGE}}}\n\n{DONE}"
    )


def test_a_whole_reply_is_one_message_with_usage() -> None:
    end = '"finish_reason":"length","stop_reason":null'
    message = f'{{"index":0,"message":{{"role":"assistant","content":"Héllo"}},"logprobs":null,{end}}}'
    assert reply(HELLO) == f"{WHOLE}[{message}],{USAGE}}}"


def test_several_choices_are_returned_with_their_numbers_and_the_prompt_counted_once() -> None:
    second = Script((make_token(1, "Bye", -0.5),), "eos_token")
    assert reply(HELLO, second, n=2) == (
        f'{WHOLE}[{{"index":0,"message":{{"role":"assistant","content":"Héllo"}},"logprobs":null,'
        '"finish_reason":"length","stop_reason":null},{"index":1,"message":{"role":"assistant","content":"Bye"},"logprobs":null,'
        f'"finish_reason":"stop","stop_reason":null}}],"usage":{{"prompt_tokens":3,"completion_tokens":3,"total_tokens":6,{NONE_CACHED}}}}}'
    )
    events = reply(HELLO, second, n=2, stream=True)
    pieces = (delta("Hé", role=FIRST), delta("llo", '"length"'), delta("Bye", '"stop"', index=1, role=FIRST))
    expected = {piece + "}\n\n" for piece in pieces}
    assert events.endswith(DONE)
    assert {event + "\n\n" for event in events.removesuffix(DONE).split("\n\n")[:-1]} == expected


def test_logprobs_are_returned_when_asked() -> None:
    content = [
        '{"token":"Hé","logprob":-0.25,"bytes":[72,195,169],"top_logprobs":[]}',
        '{"token":"llo","logprob":-1.5,"bytes":[108,108,111],"top_logprobs":[]}',
    ]
    assert f'"logprobs":{{"content":[{content[0]},{content[1]}]}}' in reply(HELLO, logprobs=True)
    streamed = reply(HELLO, logprobs=True, stream=True)
    assert f'"logprobs":{{"content":[{content[0]}]}},"finish_reason":null' in streamed
    assert f'"logprobs":{{"content":[{content[1]}]}},"finish_reason":"length"' in streamed


def test_top_logprobs_are_returned_when_asked() -> None:
    content = parse(reply(RANKED, logprobs=True, top_logprobs=2))["choices"][0]["logprobs"]["content"]
    chosen, other = {"token": "a", "logprob": -0.5, "bytes": [97]}, {"token": "b", "logprob": -1.5, "bytes": [98]}
    assert content[0] == {**chosen, "top_logprobs": [chosen, other]}
    assert [each["token"] for each in content[1]["top_logprobs"]] == ["<end>", "b"]


def test_a_part_of_a_character_has_its_own_bytes_and_those_of_all_tokens_are_the_texts() -> None:
    choice = parse(reply(CUT_UP, logprobs=True, top_logprobs=2))["choices"][0]
    content = choice["logprobs"]["content"]
    tokens = [(each["token"], each["bytes"]) for each in content]
    assert tokens == [(r"\xe6", [230]), (r"\x97", [151]), (r"\xa5", [165])]
    assert bytes(byte for each in content for byte in each["bytes"]).decode() == choice["message"]["content"] == "日"
    assert [each["bytes"] for each in content[1]["top_logprobs"]] == [[151], [230]]


def test_a_chosen_token_without_text_has_the_name_that_it_has_among_the_likeliest() -> None:
    end = replace(RANKED.tokens[1], own=RANKED.tokens[1].top[0])
    script = replace(RANKED, tokens=(RANKED.tokens[0], end))
    last = parse(reply(script, logprobs=True, top_logprobs=2))["choices"][0]["logprobs"]["content"][1]
    assert (last["token"], last["bytes"], last["top_logprobs"][0]["token"]) == ("<end>", [], "<end>")


def ask_engine(app: FastAPI, engine: AnsweringEngine, **body: Any) -> Any:
    response = post(app, CHAT, **body)
    assert response.status_code == 200, response.text
    return engine.requests[-1]


def test_the_engine_is_asked_what_the_parameters_say(app: FastAPI, engine: AnsweringEngine) -> None:
    penalties = {"repetition_penalty": 1.1, "frequency_penalty": -0.5, "presence_penalty": 1.5}
    sampling = {"temperature": 0.5, "top_p": 0.9, "seed": 9, **penalties}
    more = {"max_tokens": 20, "stop": ["a", "b"], "logprobs": True, "top_logprobs": 5, "model": "any", "user": "x"}
    request = ask_engine(app, engine, **sampling, **more)
    assert request.sampling == Sampling(True, 0.5, None, 0.9, None, 1.1, -0.5, 1.5, 9)
    assert (request.max_new_tokens, request.stop, request.top_n_tokens) == (20, ("a", "b"), 5)
    assert request.prompt == (Message("user", "hi"),)


@pytest.mark.parametrize(
    ("body", "name", "value"),
    [
        ({"temperature": 0}, "sampling", Sampling()),
        ({"temperature": 0.0, "top_p": 0.5, "top_k": 5, "min_p": 0.1}, "sampling", Sampling()),
        ({"top_p": 0, "seed": 4}, "sampling", Sampling(seed=4)),
        ({"top_k": 5, "min_p": 0.1}, "sampling", Sampling(do_sample=True, top_k=5, min_p=0.1)),
        ({"top_k": -1, "min_p": 0}, "sampling", Sampling(do_sample=True)),
        ({"top_k": 0, "seed": -1}, "sampling", Sampling(do_sample=True)),
        ({"top_k": 3.0, "seed": 4.0}, "sampling", Sampling(do_sample=True, top_k=3, seed=4)),
        ({"typical_p": 0.5, "do_sample": "no"}, "sampling", Sampling(do_sample=True)),
        ({}, "sampling", Sampling(do_sample=True)),
        ({"top_p": 1}, "sampling", Sampling(do_sample=True)),
        ({"top_p": 1.0}, "sampling", Sampling(do_sample=True)),
        ({"stop": "two"}, "stop", ("two",)),
        ({"stop": ["x", "y"]}, "stop", ("x", "y")),
        ({"stop": None}, "stop", ()),
        ({"stop": ""}, "stop", ()),
        ({"stop": ["", "x"]}, "stop", ("x",)),
        ({"max_tokens": 20.0}, "max_new_tokens", 20),
        ({"max_tokens": -1}, "max_new_tokens", None),
        ({"max_completion_tokens": -1.0}, "max_new_tokens", None),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "max_new_tokens", 6),
        ({"max_completion_tokens": 7}, "max_new_tokens", 7),
        ({}, "max_new_tokens", None),
        ({"logprobs": True}, "top_n_tokens", 0),
    ],
    ids=str,
)
def test_a_parameter_is_read_as_openai_specifies(
    app: FastAPI, engine: AnsweringEngine, body: dict[str, Any], name: str, value: Any
) -> None:
    assert getattr(ask_engine(app, engine, **body), name) == value


def test_each_of_several_choices_has_a_seed_of_its_own(app: FastAPI, engine: AnsweringEngine) -> None:
    ask_engine(app, engine, n=3, seed=2**64 - 1)
    assert [request.sampling.seed for request in engine.requests[-3:]] == [2**64 - 1, 0, 1]


def test_messages_are_read_in_each_form_and_answers_with_every_field_that_clients_send_back(
    app: FastAPI, engine: AnsweringEngine
) -> None:
    text = {"type": "text", "text": "a"}
    nulls = dict.fromkeys(("refusal", "audio", "function_call", "tool_calls", "parsed"))
    cases: list[tuple[dict[str, Any], Message]] = [
        ({"role": "developer", "content": "be brief"}, Message("system", "be brief")),
        ({"role": "user", "content": [text, {**text, "text": "b"}], "name": "x"}, Message("user", "ab")),
        ({"role": "assistant", "content": None}, Message("assistant", "")),
        ({"role": "assistant", "content": "c", "tool_calls": []}, Message("assistant", "c")),
        (
            {"role": "assistant", "content": "hello", "reasoning_content": "hm", "annotations": [], **nulls},
            Message("assistant", "hello", "hm"),
        ),
        ({"role": "assistant", "content": None, "refusal": "no"}, Message("assistant", "no")),
        ({"role": "assistant", "content": [text, {"type": "refusal", "refusal": "b"}]}, Message("assistant", "ab")),
        ({"role": "user", "content": "go on"}, Message("user", "go on")),
    ]
    prompt = ask_engine(app, engine, messages=[message for message, _ in cases]).prompt
    assert prompt == tuple(expected for _, expected in cases)


ANSWERED = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "My"}]


@pytest.mark.parametrize(
    ("body", "new"),
    [
        ({}, False),
        ({"continue_final_message": True}, False),
        ({"add_generation_prompt": False}, False),
        ({"continue_final_message": True, "add_generation_prompt": False}, False),
        ({"continue_final_message": False}, True),
        ({"add_generation_prompt": True}, True),
        ({"continue_final_message": False, "add_generation_prompt": True}, True),
    ],
    ids=str,
)
def test_an_answer_at_the_end_is_continued_unless_a_new_one_is_asked_for(
    app: FastAPI, engine: AnsweringEngine, body: dict[str, Any], new: bool
) -> None:
    prompt = ask_engine(app, engine, messages=ANSWERED, **body).prompt
    assert prompt == (Message("user", "hi"), Message("assistant", "My"), *[Message("assistant", "")] * new)


def test_the_sampled_token_is_among_the_alternatives() -> None:
    token = make_token(1, "c", -3.0, top=[Candidate(7, "b", -1.5, False)])
    (content,) = parse(reply(Script((token,)), logprobs=True, top_logprobs=1))["choices"][0]["logprobs"]["content"]
    assert [each["token"] for each in content["top_logprobs"]] == ["c", "b"]

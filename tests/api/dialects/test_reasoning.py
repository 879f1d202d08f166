"""What a model reasons is told beside its answer, streamed and whole, and counted; the native routes keep the text."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from demo.events import FinishReason, ReasoningStart
from demo.request import Message, Request
from tests.api import client
from tests.api.client import CHAT, RESPONSES, ask, assert_refused
from tests.api.script import AnsweringEngine, Script, make_token, open_api

TEXT = "<think>\nHm\n</think>\n\nYes."
HARMONY = "<|channel|>analysis<|message|>Hm<|end|><|start|>assistant<|channel|>final<|message|>Yes."
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
HELLO = [{"role": "user", "content": "Hello"}]


def make_script(text: str, start: ReasoningStart = "tags", places: tuple[int, ...] = tuple(range(200))) -> Script:
    """The text as tokens that end at `places`."""
    ends = sorted({0, len(text), *(place % len(text) for place in places)})
    pieces = [text[begin:end] for begin, end in pairwise(ends)]
    return Script(tuple(make_token(n, each, -0.5) for n, each in enumerate(pieces, 1)), "eos_token", reasoning=start)


def send(api: FastAPI, path: str, **body: Any) -> httpx2.Response:
    return ask(api, "POST", path, json=body)


def read_events(path: str, script: Script, **body: Any) -> list[dict[str, Any]]:
    return client.read_events(send(open_api(AnsweringEngine(script)), path, stream=True, **body).content)


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from([(TEXT, "tags"), ("Hm\n</think>Yes.", "open"), (HARMONY, "harmony"), ("Yes </thi", "tags")]),
    st.lists(st.integers(0, 200)),
)
def test_the_pieces_of_a_stream_joined_are_the_whole_message(
    case: tuple[str, ReasoningStart], places: list[int]
) -> None:
    script = make_script(*case, places=tuple(places))
    whole = send(open_api(AnsweringEngine(script)), CHAT, messages=HELLO).json()
    message, usage = whole["choices"][0]["message"], whole["usage"]
    chunks = read_events(CHAT, script, messages=HELLO, stream_options={"include_usage": True})
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert len(deltas) == len(script.tokens)
    assert "".join(delta["content"] for delta in deltas) == message["content"]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == message["reasoning_content"]
    assert "<" not in message["reasoning_content"]
    assert chunks[-1]["usage"] == usage
    assert 0 <= usage["completion_tokens_details"]["reasoning_tokens"] <= usage["completion_tokens"]


def test_what_is_told_of_tokens_does_not_depend_on_reasoning() -> None:
    asked = {"messages": HELLO, "logprobs": True, "return_token_ids": True}
    scripts = (make_script(TEXT, "tags"), make_script(TEXT, "none"))
    one, other = (send(open_api(AnsweringEngine(each)), CHAT, **asked).json()["choices"][0] for each in scripts)
    assert (one["logprobs"], one["token_ids"]) == (other["logprobs"], other["token_ids"])


def test_a_model_that_does_not_reason_has_no_field_for_it() -> None:
    reply = send(open_api(AnsweringEngine(make_script(TEXT, "none"))), CHAT, messages=HELLO).json()
    assert reply["choices"][0]["message"] == {"role": "assistant", "content": TEXT}
    assert "completion_tokens_details" not in reply["usage"]


def test_the_native_route_keeps_the_text_and_tells_both_times() -> None:
    body = {"inputs": "Hi", "parameters": {"details": True}}
    reply = send(open_api(AnsweringEngine(make_script(TEXT))), "/generate", **body)
    assert reply.json()["generated_text"] == TEXT
    assert {"x-time-to-first-token", "x-time-to-first-answer"} <= reply.headers.keys()
    last = read_events("/generate_stream", make_script(TEXT), **body)[-1]
    assert last["details"]["timings"].keys() >= {"time_to_first_token", "time_to_first_answer"}
    assert "x-time-to-first-answer" not in send(open_api(), "/generate", **body).headers


@pytest.mark.parametrize(("text", "output"), [(TEXT, ["reasoning", "message"]), ("<think>Hm", ["reasoning"])])
def test_a_response_has_reasoning_as_an_item_of_its_own(text: str, output: list[str]) -> None:
    events = read_events(RESPONSES, make_script(text), input="Hi")
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    response = events[-1]["response"]
    assert [item["type"] for item in response["output"]] == output
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert [(item["id"], item["content"]) for item in done] == [(i["id"], i["content"]) for i in response["output"]]
    for item in response["output"]:
        kind = "reasoning_text" if item["type"] == "reasoning" else "output_text"
        deltas = [each["delta"] for each in events if each["type"] == f"response.{kind}.delta"]
        assert "".join(deltas) == item["content"][0]["text"] != ""
    assert response["usage"]["output_tokens_details"]["reasoning_tokens"] > 0


@pytest.mark.parametrize(
    ("text", "reason", "statuses"),
    [
        (TEXT, "eos_token", ["completed", "completed"]),
        (TEXT, "length", ["completed", "incomplete"]),
        ("<think>Hm", "eos_token", ["completed"]),
        ("<think>Hm <", "length", ["incomplete"]),
    ],
)
def test_each_item_of_a_response_begins_empty_and_ends_in_its_own_state(
    text: str, reason: FinishReason, statuses: list[str]
) -> None:
    events = read_events(RESPONSES, replace(make_script(text), reason=reason), input="Hi")
    for event in events:
        EVENT.validate_python(event)
    items = events[-1]["response"]["output"]
    assert [item["status"] for item in items] == statuses
    begun = [event["item"] for event in events if event["type"] == "response.output_item.added"]
    assert begun == [{**item, "status": "in_progress", "content": []} for item in items]
    opened = [event["part"] for event in events if event["type"] == "response.content_part.added"]
    assert opened == [{**part, "text": ""} for item in items for part in item["content"]]
    parts = [(event["item_id"], event["part"]) for event in events if event["type"] == "response.content_part.done"]
    assert parts == [(item["id"], *item["content"]) for item in items]
    for item in items:
        deltas = [each["delta"] for each in events if "delta" in each and each["item_id"] == item["id"]]
        assert "".join(deltas) == item["content"][0]["text"]
    for event in events:
        if event["type"].endswith((".delta", ".done")) and "content_index" in event:
            assert event["item_id"] == items[event["output_index"]]["id"]
            assert ("logprobs" in event) == event["type"].startswith("response.output_text")


def read_answer(request: Request) -> Message:
    assert isinstance(request.prompt, tuple)
    return request.prompt[1]


def test_the_template_gets_the_variables_and_the_reasoning_of_earlier_answers() -> None:
    engine = AnsweringEngine(make_script(TEXT))
    api = open_api(engine)
    answered = [*HELLO, {"role": "assistant", "content": "Hi", "reasoning_content": "Hm"}, *HELLO]
    options = {"list": [1, {"a": None}], "enable_thinking": False, "tone": "gefällig"}
    written = '{"enable_thinking": false, "list": [1, {"a": null}], "reasoning_effort": "%s", "tone": "gefällig"}'
    send(api, CHAT, messages=answered, reasoning_effort="low", chat_template_kwargs=options)
    first = send(api, RESPONSES, input="Hi", reasoning={"effort": "high"}, chat_template_kwargs=options).json()
    send(api, RESPONSES, input="And?", previous_response_id=first["id"])
    send(api, RESPONSES, input=[*HELLO, *first["output"], *HELLO])
    chat, second, third, fourth = engine.requests
    assert chat.template_options == written % "low"
    assert read_answer(chat) == Message("assistant", "Hi", "Hm")
    assert (second.template_options, third.template_options) == (written % "high", "{}")
    assert read_answer(third) == read_answer(fourth) == Message("assistant", "Yes.", "Hm\n")


def test_an_item_of_reasoning_is_part_of_the_answer_right_after_it() -> None:
    engine = AnsweringEngine()
    parts = [{"type": "reasoning_text", "text": text} for text in ("H", None, "m")]
    reasoning = {"type": "reasoning", "content": parts}
    answers = [{"role": "assistant", "content": content} for content in ("Yes.", None)]
    told, empty = answers
    send(open_api(engine), RESPONSES, input=[empty, reasoning, *HELLO, reasoning, told, *HELLO, empty, *HELLO])
    asked, unreasoned = Message("user", HELLO[0]["content"]), Message("assistant", "", None)
    expected = (unreasoned, asked, Message("assistant", "Yes.", "Hm"), asked, unreasoned, asked)
    assert engine.requests[0].prompt == expected


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"chat_template_kwargs": [1]}, "chat_template_kwargs"),
        ({"reasoning_effort": "very"}, "reasoning_effort"),
        ({"chat_template_kwargs": {"add_generation_prompt": False}}, "can't set `add_generation_prompt`"),
        (
            {"messages": [{"role": "user", "content": "a", "reasoning_content": "b"}]},
            ": `reasoning_content` is an answer's",
        ),
    ],
)
def test_a_bad_value_is_refused_in_one_sentence(fields: dict[str, Any], words: str) -> None:
    response = send(open_api(), CHAT, **{"messages": HELLO, **fields})
    assert_refused(response, CHAT, 422, "validation", words)


def test_the_tokens_of_a_conversation_are_those_with_the_variables_that_a_chat_would_have() -> None:
    engine = AnsweringEngine()
    told = []
    engine.tokenize = lambda prompt, options="{}": told.append((prompt, options)) or ("", ())  # type: ignore[method-assign, func-returns-value]
    body = {"messages": HELLO, "chat_template_kwargs": {"a": 1}, "reasoning_effort": "low"}
    assert send(open_api(engine), "/chat_tokenize", **body).status_code == 200
    send(open_api(engine), CHAT, **body)
    assert told == [(engine.requests[0].prompt, engine.requests[0].template_options)]
    refused = {"messages": HELLO, "chat_template_kwargs": {"add_generation_prompt": False}}
    assert "can't set" in send(open_api(engine), "/chat_tokenize", **refused).json()["error"]

"""What each dialect refuses, by the name of the field and in plain words, and what it accepts without effect."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI

from demo.engine import Ready
from tests.api.client import CHAT, COMPLETIONS, GENERATING, MESSAGES, MINIMAL, NATIVE, ask, assert_refused, post
from tests.api.script import AnsweringEngine, open_api
from tests.scripted import CARD

IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}
FIVE = list("abcde")
HI = MESSAGES[0]
TOO_MANY: list[list[Any]] = [["a"] * 129, [[1]] * 129]
COMMON: dict[str, list[Any]] = {
    "temperature": [-1.0],
    "stop": [FIVE, [""]],
    "seed": [-2, 2**64, "1", 1.5, True],
    "frequency_penalty": [2.1, -2.1],
    "repetition_penalty": [0],
    "ignore_eos": [1, "true"],
}
OPENAI = {
    **COMMON,
    "stop": [FIVE, 5, [1]],
    "logit_bias": [{"5": 1}],
    "top_p": [-0.1, 1.1],
    "top_k": [-2, 0.5],
    "min_p": [-0.1, 1.1],
    "n": [0, 129],
    "max_tokens": [0, -2, 20.5, "20"],
    "presence_penalty": [-3],
}
INVALID: dict[str, dict[str, list[Any]]] = {
    "native": {
        **COMMON,
        "temperature": [0, -1.0],
        "seed": [-1],
        "best_of": [2],
        "top_k": [0],
        "top_p": [0, 1],
        "typical_p": [0, 1.0],
        "max_new_tokens": [0, "3"],
        "top_n_tokens": [6],
        "truncate": [0],
        "ignore_eos": [1, "true", None],
        "grammar": [{"type": "json", "value": "{}"}],
        "adapter_id": ["x"],
    },
    CHAT: {
        **OPENAI,
        "tools": [[{"type": "function", "function": {"name": "f"}}]],
        "tool_choice": ["required"],
        "functions": [[{"name": "f"}]],
        "function_call": [{"name": "f"}],
        "response_format": [{"type": "json_object"}],
        "modalities": [["audio"]],
        "audio": [{"voice": "x"}],
        "messages": [[], "hi", None],
        "top_logprobs": [2],
        "max_completion_tokens": [0, -2],
    },
    COMPLETIONS: {
        **OPENAI,
        "suffix": ["end"],
        "echo": [True],
        "best_of": [2],
        "logprobs": [6, True],
        "prompt": ["", [], ["a", ""], [[]], [1, "a"], [1, -1], [2**31], [1.5], [[1], "a"], *TOO_MANY, None],
    },
}
NO_TOOLS = ": Tools are not available on this server"
TOGETHER: list[tuple[str, dict[str, Any], str]] = [
    ("native", {"best_of": 3, "do_sample": True}, "best_of"),
    ("native", {"best_of": 2, "do_sample": True, "seed": 1}, "best_of"),
    (CHAT, {"logprobs": True, "top_logprobs": 6}, "top_logprobs"),
    (CHAT, {"top_logprobs": 2}, ": `top_logprobs` needs"),
    (CHAT, {"messages": [{"role": "user", "content": [IMAGE]}]}, "image_url"),
    (CHAT, {"messages": [{"role": "tool", "content": "x"}]}, NO_TOOLS),
    (CHAT, {"messages": [{"role": "assistant", "content": "", "tool_calls": [{"id": "1"}]}]}, NO_TOOLS),
    (CHAT, {"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
    (CHAT, {"messages": [{"role": "assistant", "content": "", "function_call": {"name": "f"}}]}, NO_TOOLS),
    (CHAT, {"messages": [{"role": "assistant", "audio": {"id": "1"}}]}, ": A message of `audio` is not"),
    (CHAT, {"continue_final_message": True}, ": Only an answer"),
    (CHAT, {"add_generation_prompt": False}, ": Only an answer"),
    (CHAT, {"continue_final_message": True, "add_generation_prompt": True}, ": Either `continue_final_message`"),
    (COMPLETIONS, {"prompt": ["a", "b"], "n": 65}, "prompts"),
]


def list_invalid(dialect: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Each invalid body, with what the refusal names."""
    yield from (({name: value}, name) for name, values in INVALID[dialect].items() for value in values)
    yield from ((body, name) for path, body, name in TOGETHER if path == dialect)


@pytest.mark.parametrize("path", GENERATING)
def test_what_is_invalid_or_unavailable_is_refused_by_name(app: FastAPI, engine: AnsweringEngine, path: str) -> None:
    is_native = path in NATIVE
    count = len(engine.requests)
    for body, name in list_invalid("native" if is_native else path):
        for asked in [{"parameters": body}] if is_native else [body, {**body, "stream": True}]:
            response = post(app, path, **asked)
            assert_refused(response, path, 422, "validation", name)
            assert "Input validation error: " in response.text
    assert len(engine.requests) == count


@pytest.mark.parametrize(
    ("path", "asked", "harmless", "sentence"),
    [
        (CHAT, {"logprobs": True}, {}, "`logprobs` are not told by the engine behind this server: leave it out."),
        (COMPLETIONS, {"logprobs": 0}, {}, "`logprobs` are not told by the engine behind this server: leave it out."),
        (
            "/generate",
            {"parameters": {"best_of": 2, "do_sample": True}},
            {"parameters": {"best_of": 1}},
            "`best_of` > 1 needs log-probabilities, which the engine behind this server does not tell: ask for one.",
        ),
        (
            "/generate",
            {"parameters": {"top_n_tokens": 1}},
            {"parameters": {"max_new_tokens": 2}},
            "`top_n_tokens` needs the ids of alternatives, which the engine behind this server does not tell: ask "
            "/v1/chat/completions for `top_logprobs`.",
        ),
    ],
    ids=["chat", "completions", "best_of", "top_n_tokens"],
)
def test_what_the_engine_does_not_tell_is_refused(
    path: str, asked: dict[str, Any], harmless: dict[str, Any], sentence: str
) -> None:
    app = open_api(AnsweringEngine(status=Ready(replace(CARD, has_logprobs=False, has_top_ids=False))))
    assert_refused(post(app, path, **asked), path, 422, "validation", f"Input validation error: {sentence}")
    assert post(app, path, **harmless).is_success


def test_an_empty_prompt_is_refused(app: FastAPI) -> None:
    assert_refused(post(app, "/generate", inputs=""), "/generate", 422, "validation", "inputs")


HARMLESS: list[tuple[str, dict[str, Any]]] = [
    (CHAT, {"tools": [], "tool_choice": "none", "logit_bias": {}}),
    (CHAT, {"tools": None, "tool_choice": "auto", "logit_bias": None}),
    (COMPLETIONS, {"suffix": "", "logit_bias": {}}),
    (COMPLETIONS, {"suffix": None, "logit_bias": None}),
    (CHAT, {"response_format": {"type": "text"}}),
    (CHAT, {"modalities": ["text"]}),
    (CHAT, {"n": None, "stream": None, "logprobs": None, "stream_options": None, "temperature": None, "seed": None}),
    (CHAT, {"stop": [], "top_logprobs": 0, "never": {"heard": "of"}}),
    (COMPLETIONS, {"echo": False, "best_of": 1, "user": "x", "other": 1, "prompt": ["a"]}),
]


@pytest.mark.parametrize(("path", "body"), HARMLESS, ids=str)
def test_what_changes_nothing_is_accepted(app: FastAPI, path: str, body: dict[str, Any]) -> None:
    assert post(app, path, **body).status_code == 200


def test_what_is_unavailable_is_documented(app: FastAPI) -> None:
    schemas = app.openapi()["components"]["schemas"]
    fields = {**schemas["CompletionRequest"]["properties"], **schemas["ChatRequest"]["properties"]}
    asked = ("audio", "tools", "tool_choice", "response_format", "echo")
    described = {name: fields[name]["description"] for name in asked}
    start = "Not available here: refused unless null"
    assert described == {
        "audio": f"{start}.",
        "tools": f"{start} or empty.",
        "tool_choice": f'{start}, "none" or "auto".',
        "response_format": f'{start} or {{"type": "text"}}.',
        "echo": f"{start} or false.",
    }


CASES: list[tuple[str, dict[str, Any], str]] = [
    (CHAT, {"stop": list("abcde")}, "`stop` is too long: at most 4 `stop` strings: 5 given."),
    ("/generate", {"parameters": {"stop": list("abcde")}}, "at most 4 items of `parameters.stop`: 5 given."),
    ("/generate", {"parameters": {"stop": [""]}}, "`parameters.stop.0` must not be empty."),
    (COMPLETIONS, {"prompt": ["a"] * 200}, "`prompt` is too long: at most 128 prompts: 200 given."),
    (COMPLETIONS, {"prompt": ["a", ""]}, "`prompt.1` must not be empty."),
    (COMPLETIONS, {"prompt": 5}, "`prompt` must be a string or a list, and is a number."),
    (COMPLETIONS, {"prompt": None}, "`prompt` must be a string or a list, and is null."),
    (COMPLETIONS, {"prompt": [1, "a"]}, "`prompt.1` must be a whole number, and is a string."),
    (COMPLETIONS, {"prompt": [1, -1]}, "`prompt.1` must be at least 0."),
    (COMPLETIONS, {"prompt": [[1], [2, -1]]}, "`prompt.1.1` must be at least 0."),
    (COMPLETIONS, {"prompt": []}, "`prompt` must not be empty."),
    (CHAT, {"stop": {"a": 1}}, "`stop` must be a string or a list, and is an object."),
    (CHAT, {"temperature": "hot"}, "`temperature` must be a number, and is a string."),
    (CHAT, {"stream": "yes"}, "`stream` must be true or false, and is a string."),
    (CHAT, {"max_tokens": 20.5}, "`max_tokens` must be a whole number, and is a number with a fraction."),
    (CHAT, {"n": 129}, "`n` must be at most 128."),
    (CHAT, {"messages": []}, "`messages` must not be empty."),
    (CHAT, {"messages": [{"content": "x"}]}, "`messages.0.role` is missing: it is needed."),
    (CHAT, {"messages": [HI, 5]}, "`messages.1` must be an object, and is a number."),
    (CHAT, {"messages": [{**HI, "role": "robot"}]}, "must be 'system', 'developer', 'user', 'assistant' or 'tool'."),
    (CHAT, {"messages": [{**HI, "content": 5}]}, "`messages.0.content` must be a string or a list, and is a number."),
    (CHAT, {"messages": [{**HI, "content": [5]}]}, "`messages.0.content.0` must be an object, and is a number."),
    (CHAT, {"temperature": "hot", "n": 0, "seed": []}, " and is a string (2 more like it)."),
]


@pytest.mark.parametrize(("path", "body", "sentence"), CASES, ids=lambda value: str(value)[:40])
def test_a_field_is_named_with_what_it_must_be(app: FastAPI, path: str, body: dict[str, Any], sentence: str) -> None:
    response = post(app, path, **body)
    assert response.status_code == 422
    error = response.json()["error"]
    text = error["message"] if isinstance(error, dict) else error
    assert text.endswith(sentence)
    assert not any(word in text for word in ("Input should", "constrained", "list["))  # the validator's own


@pytest.mark.parametrize("path", MINIMAL)
def test_a_missing_field_is_named(app: FastAPI, path: str) -> None:
    (name,) = MINIMAL[path]
    assert f"`{name}` is missing: it is needed." in ask(app, "POST", path, json={}).text


def test_half_a_character_in_a_name_is_refused_in_a_sentence(app: FastAPI) -> None:
    response = ask(app, "POST", CHAT, content='{"messages": [], "\\ud800": 1}')
    assert "half a character" in response.json()["error"]["message"]

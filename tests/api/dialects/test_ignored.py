"""What a body holds beyond what this server knows is named in a header."""

import json
from typing import Any

import pytest
from fastapi import FastAPI

from tests.api.client import MINIMAL, ask, assert_refused, post

HEADER = "x-ignored-parameters"
CHAT, COMPLETIONS, RESPONSES = "/v1/chat/completions", "/v1/completions", "/v1/responses"
NATIVE = ("/", "/generate", "/generate_stream")
HI = {"role": "user", "content": "hi"}


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, None),
        ({"model": "x", "temperature": 0.5, "top_k": 3, "max_tokens": 2}, None),
        ({"user": None, "metadata": {}, "guided_choice": []}, None),
        ({"user": "me", "best_off": 3, "store": False}, "user, best_off, store"),
        ({"stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation"),
        ({"a\r\nset-cookie: b": 1, "\u65e5,": 1}, "a%0D%0Aset-cookie%3A%20b, %E6%97%A5%2C"),
        ({"x" * 5000: 1}, "x" * 64),
        ({f"a{number}": 1 for number in range(100)}, ", ".join(f"a{number}" for number in range(20))),
    ],
    ids=lambda value: str(value)[:60].encode("ascii", "replace").decode(),
)
def test_unknown_fields_are_named_streamed_and_whole(
    app: FastAPI, path: str, body: dict[str, Any], named: str | None
) -> None:
    for stream in (False, True):
        content = json.dumps({**MINIMAL[path], **body, "stream": stream})
        response = ask(app, "POST", path, content=content, headers={"content-type": "application/json"})
        assert response.status_code == 200
        assert response.headers.get(HEADER) == named


def test_those_of_messages_and_of_their_parts_are_named_once(app: FastAPI) -> None:
    part = {"type": "text", "text": "a", "cache_control": {"type": "x"}}
    messages = [{**HI, "name": "me"}, {**HI, "name": "you", "annotations": []}, {"role": "user", "content": [part]}]
    response = post(app, CHAT, messages=messages)
    assert response.headers[HEADER] == "messages.name, messages.content.cache_control"


def test_a_field_named_as_one_of_ours_is_no_parameter(app: FastAPI) -> None:
    assert post(app, CHAT, sampling=1, model_config=2, size=3).headers[HEADER] == "sampling, model_config, size"


@pytest.mark.parametrize("path", [*NATIVE, "/jobs", "/tokenize"])
@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"parameters": {"max_new_tokens": 2, "stop_sequences": ["x"], "watermark": True}, "raw": True}, None),
        (
            {"parameters": {"min_new_tokens": 3, "typical": None}, "options": {"use_cache": False}},
            "options, parameters.min_new_tokens",
        ),
        (
            {"parameters": {"sampling": 1, "check": 2}, "requests": [1]},
            "requests, parameters.sampling, parameters.check",
        ),
    ],
    ids=["known", "unknown", "as ours"],
)
def test_those_of_the_native_routes_are_named(app: FastAPI, path: str, body: dict[str, Any], named: str | None) -> None:
    response = ask(app, "POST", path, json={"inputs": "hi", **body})
    assert response.is_success
    assert response.headers.get(HEADER) == named


def test_those_of_a_load_test_and_of_a_conversation_to_tokenize_are_named(app: FastAPI) -> None:
    assert ask(app, "POST", "/crowds", json={"clients": 1, "cliens": 2}).headers[HEADER] == "cliens"
    assert post(app, "/chat_tokenize", model="x", tool_prompt="y").headers[HEADER] == "tool_prompt"


@pytest.mark.parametrize("ways", [{}, {"stream": True}, {"background": True}])
def test_those_of_the_responses_api_are_named(app: FastAPI, ways: dict[str, Any]) -> None:
    body = {"input": [{**HI, "mood": "good"}], "max_tool_calls": 3, **ways}
    response = ask(app, "POST", RESPONSES, json=body)
    assert response.headers[HEADER] == "max_tool_calls, input.mood"


def test_the_header_is_documented_and_can_be_read_by_a_page(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    for path in (CHAT, COMPLETIONS, RESPONSES, *NATIVE, "/tokenize", "/chat_tokenize", "/crowds", "/jobs"):
        success, *_ = paths[path]["post"]["responses"].values()
        assert HEADER in success["headers"], path


def test_what_is_known_and_wrong_is_still_refused(app: FastAPI) -> None:
    assert_refused(post(app, CHAT, user="me", temperature="hot"), CHAT, 422, "validation", "temperature")

"""What a body holds beyond what this server knows is named in a header."""

import json
from typing import Any

import pytest
from fastapi import FastAPI

from tests.api.client import MINIMAL, ask, assert_refused, post

HEADER = "x-ignored-parameters"
CHAT, COMPLETIONS, RESPONSES = "/v1/chat/completions", "/v1/completions", "/v1/responses"
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


@pytest.mark.parametrize("ways", [{}, {"stream": True}, {"background": True}])
def test_those_of_the_responses_api_are_named(app: FastAPI, ways: dict[str, Any]) -> None:
    response = post(app, RESPONSES, input=[{**HI, "mood": "good"}], max_tool_calls=3, **ways)
    assert response.headers[HEADER] == "max_tool_calls, input.mood"


def test_the_header_is_documented_and_can_be_read_by_a_page(app: FastAPI) -> None:
    for path in (CHAT, COMPLETIONS, RESPONSES):
        assert HEADER in app.openapi()["paths"][path]["post"]["responses"]["200"]["headers"]


def test_what_is_known_and_wrong_is_still_refused(app: FastAPI) -> None:
    assert_refused(post(app, CHAT, user="me", temperature="hot"), CHAT, 422, "validation", "temperature")

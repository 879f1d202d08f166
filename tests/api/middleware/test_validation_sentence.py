"""Each invalid field is explained in plain words, with its limit, whatever types it might have had."""

from typing import Any

import pytest
from fastapi import FastAPI

from tests.api.client import MINIMAL, ask, post

CHAT, COMPLETIONS, GENERATE = "/v1/chat/completions", "/v1/completions", "/generate"
HI = {"role": "user", "content": "hi"}
CASES: list[tuple[str, dict[str, Any], str]] = [
    (CHAT, {"stop": list("abcde")}, "`stop` is too long: at most 4 `stop` strings: 5 given."),
    (GENERATE, {"parameters": {"stop": list("abcde")}}, "at most 4 items of `parameters.stop`: 5 given."),
    (GENERATE, {"parameters": {"stop": [""]}}, "`parameters.stop.0` must not be empty."),
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
    assert (error["message"] if isinstance(error, dict) else error).endswith(sentence)


@pytest.mark.parametrize("path", MINIMAL)
def test_a_missing_field_is_named(app: FastAPI, path: str) -> None:
    (name,) = MINIMAL[path]
    assert f"`{name}` is missing: it is needed." in ask(app, "POST", path, json={}).text


def test_half_a_character_in_a_name_is_refused_in_a_sentence(app: FastAPI) -> None:
    headers = {"content-type": "application/json"}
    response = ask(app, "POST", CHAT, content='{"messages": [], "\\ud800": 1}', headers=headers)
    assert "half a character" in response.json()["error"]["message"]


def test_no_sentence_holds_the_validators_words(app: FastAPI) -> None:
    for path, body, _ in CASES:
        text = post(app, path, **body).text
        assert not any(word in text for word in ("Input should", "constrained", "list["))

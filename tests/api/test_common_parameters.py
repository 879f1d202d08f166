"""Parameters that every generating route accepts: each reaches the engine, or is refused by its name."""

import json
from typing import Any

import pytest
from fastapi import FastAPI

from tests.api.client import MINIMAL, ask, assert_refused
from tests.api.script import AnsweringEngine

ROUTES = ("/", "/generate", "/generate_stream", "/jobs", "/v1/chat/completions", "/v1/completions")
# For each: the field of the engine's request, its value for each value of the parameter, and for none; invalid JSON.
PARAMETERS: dict[str, tuple[str, list[tuple[Any, Any]], Any, list[str]]] = {
    "max_tokens_per_second": (
        "pace",
        [(30, 30.0), (0.5, 0.5), (None, None)],
        None,
        ["0", "-1", '"30"', "true", "[30]", "1e999", "NaN"],
    ),
    "cache_prompt": ("cache_prompt", [(False, False), (True, True)], True, ['"false"', "0", "1", '"no"', "[]", "{}"]),
    "ignore_eos": ("ignore_eos", [(False, False), (True, True)], False, ["1", '"true"']),
}
cases = pytest.mark.parametrize("name", PARAMETERS)
routes = pytest.mark.parametrize("path", ROUTES)


def write_body(path: str, name: str, value: str) -> str:
    body = MINIMAL.get(path, {"inputs": "hi"})
    field = f'"{name}": {value}' if path.startswith("/v1/") else f'"parameters": {{"{name}": {value}}}'
    return f"{json.dumps(body)[:-1]}, {field}}}"


@cases
@routes
def test_it_reaches_the_engine(app: FastAPI, engine: AnsweringEngine, path: str, name: str) -> None:
    field, values, default, _ = PARAMETERS[name]
    headers = {"content-type": "application/json"}
    for given, expected in values:
        body = write_body(path, name, json.dumps(given))
        assert ask(app, "POST", path, content=body, headers=headers).is_success
        assert getattr(engine.requests[-1], field) == expected
    assert ask(app, "POST", path, json=MINIMAL.get(path, {"inputs": "hi"})).is_success
    assert getattr(engine.requests[-1], field) == default


@cases
@routes
def test_an_invalid_value_is_refused(app: FastAPI, path: str, name: str) -> None:
    for value in PARAMETERS[name][3]:
        body = write_body(path, name, value)
        response = ask(app, "POST", path, content=body, headers={"content-type": "application/json"})
        assert_refused(response, path, 422, "validation", name)

"""Numbers have bounds, which are documented; what every route accepts reaches the engine; what none knows is named."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from tests.api.client import CHAT, GENERATING, MESSAGES, MINIMAL, NATIVE, OPENAI, RESPONSES, ask, assert_refused, post
from tests.api.script import AnsweringEngine, open_api

DOCUMENT = open_api().openapi()
SCHEMAS = DOCUMENT["components"]["schemas"]
BODIES = {**MINIMAL, "/jobs": {"inputs": "hi"}, "/crowds": {"clients": 1}}
ONE_OF_EACH_SCHEMA = ("/generate_stream", *OPENAI, "/jobs", "/crowds")
TINY = ("1e-50", "1e-300", "5e-324")
BEYOND = (*TINY, "1e300", "1e400", "-1e400", "NaN", "Infinity", "-Infinity", str(2**130), str(10**400))
MAY_BE_TINY = {"top_p", "min_p", "typical_p", "frequency_penalty", "presence_penalty"}


def send(app: FastAPI, path: str, name: str, value: object) -> httpx2.Response:
    """A body with `name` at its place; `value` is JSON, or what only looks like it."""
    *outer, last = name.split(".")
    field = f'"{outer[0]}": {{"{last}": {value}}}' if outer else f'"{last}": {value}'
    return ask(app, "POST", path, content=f"{json.dumps(BODIES[path])[:-1]}, {field}}}")


def list_numbers(schema: dict[str, Any], name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every number in a schema, by the path of names that leads to it."""
    if "$ref" in schema:
        yield from list_numbers(SCHEMAS[schema["$ref"].rpartition("/")[2]], name)
    for each in schema.get("anyOf", ()):
        yield from list_numbers(each, name)
    for inner, each in schema.get("properties", {}).items():
        yield from list_numbers(each, f"{name}.{inner}".lstrip("."))
    if schema.get("type") in ("integer", "number"):
        yield name, schema


def list_all() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in DOCUMENT["paths"].items():
        for operation in operations.values():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            parameters = {each["name"]: each["schema"] for each in operation.get("parameters", ())}
            for name, schema in [*list_numbers(body), *list_numbers({"properties": parameters})]:
                yield path, name, schema


NUMBERS = list(list_all())


def test_the_document_states_both_bounds_of_every_number() -> None:
    assert len(NUMBERS) > 60
    for path, name, schema in NUMBERS:
        for bound in ("inimum", "aximum"):
            assert any(bound in key for key in schema), f"{path}: {name} has no m{bound}"


@pytest.mark.parametrize(("path", "name"), [(path, name) for path, name, _ in NUMBERS if path in ONE_OF_EACH_SCHEMA])
def test_what_no_tensor_or_clock_can_hold_is_refused_by_name(app: FastAPI, path: str, name: str) -> None:
    last = name.rpartition(".")[2]
    for number in set(BEYOND) - set(TINY if last in MAY_BE_TINY else ()):
        assert_refused(send(app, path, name, number), path, 422, "validation", last)


@pytest.mark.parametrize("path", ["/generate_stream", *OPENAI])
@pytest.mark.parametrize(
    ("name", "number", "bound"),
    [
        ("temperature", 1e-50, "1e-30"),
        ("temperature", 1e39, "1e+30"),
        ("repetition_penalty", 1e-50, "1e-30"),
        ("repetition_penalty", 1e39, "1e+30"),
        ("top_k", 2**70, "must be at most 2147483647"),
    ],
)
def test_a_refusal_states_the_bounds(app: FastAPI, path: str, name: str, number: float, bound: str) -> None:
    assert bound in send(app, path, name if path in OPENAI else f"parameters.{name}", number).text


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


@pytest.mark.parametrize("path", [*GENERATING, "/jobs"])
@pytest.mark.parametrize("name", PARAMETERS)
def test_it_reaches_the_engine_or_is_refused(app: FastAPI, engine: AnsweringEngine, path: str, name: str) -> None:
    field, values, default, invalid = PARAMETERS[name]
    place = name if path in OPENAI else f"parameters.{name}"
    for given, expected in values:
        assert send(app, path, place, json.dumps(given)).is_success
        assert getattr(engine.requests[-1], field) == expected
    assert ask(app, "POST", path, json=BODIES[path]).is_success
    assert getattr(engine.requests[-1], field) == default
    for value in invalid:
        assert_refused(send(app, path, place, value), path, 422, "validation", name)


HEADER = "x-ignored-parameters"
(HI,) = MESSAGES


@pytest.mark.parametrize("path", OPENAI)
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
)
def test_unknown_fields_are_named_streamed_and_whole(
    app: FastAPI, path: str, body: dict[str, Any], named: str | None
) -> None:
    for stream in (False, True):
        response = post(app, path, **body, stream=stream)
        assert response.status_code == 200
        assert response.headers.get(HEADER) == named


def test_those_of_messages_and_of_their_parts_are_named_once(app: FastAPI) -> None:
    part = {"type": "text", "text": "a", "cache_control": {"type": "x"}}
    messages = [{**HI, "name": "me"}, {**HI, "name": "you", "annotations": []}, {"role": "user", "content": [part]}]
    response = post(app, CHAT, messages=messages)
    assert response.headers[HEADER] == "messages.name, messages.content.cache_control"


@pytest.mark.parametrize(("others", "named"), [(998, "messages.name"), (999, None)])
def test_of_a_body_with_its_messages_the_first_thousand_are_looked_at(
    app: FastAPI, others: int, named: str | None
) -> None:
    assert post(app, CHAT, messages=[HI] * others + [{**HI, "name": "me"}]).headers.get(HEADER) == named


def test_a_field_named_as_one_of_ours_is_no_parameter(app: FastAPI) -> None:
    assert post(app, CHAT, sampling=1, model_config=2, size=3).headers[HEADER] == "sampling, model_config, size"


@pytest.mark.parametrize("path", [*NATIVE, "/jobs", "/tokenize"])
@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"parameters": {"max_new_tokens": 2, "stop_sequences": ["x"], "watermark": True}, "raw": True}, None),
        ({"parameters": {"min_new_tokens": 3, "x": None}, "options": {"y": 1}}, "options, parameters.min_new_tokens"),
        ({"parameters": {"sampling": 1, "check": 2}, "requests": 1}, "requests, parameters.sampling, parameters.check"),
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
    for path in (*MINIMAL, RESPONSES, "/crowds", "/jobs"):
        success, *_ = paths[path]["post"]["responses"].values()
        assert HEADER in success["headers"], path


def test_what_is_known_and_wrong_is_still_refused(app: FastAPI) -> None:
    assert_refused(post(app, CHAT, user="me", temperature="hot"), CHAT, 422, "validation", "temperature")

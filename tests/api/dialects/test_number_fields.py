"""Numbers in a request: each has bounds, which the document states, and none of those beyond gets past the door."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.client import MESSAGES, ask, assert_refused
from tests.api.script import AnsweringEngine, open_api

APP = open_api(AnsweringEngine())
DOCUMENT = APP.openapi()
SCHEMAS = DOCUMENT["components"]["schemas"]
# One route of each schema: the others take the same.
BODIES: dict[str, dict[str, Any]] = {
    "/generate_stream": {"inputs": "hi"},
    "/v1/chat/completions": {"messages": MESSAGES},
    "/v1/completions": {"prompt": "hi"},
    "/jobs": {"inputs": "hi"},
    "/crowds": {"clients": 1},
}
TINY = ("1e-50", "1e-300", "5e-324")
BEYOND = (*TINY, "1e300", "1e400", "-1e400", "NaN", "Infinity", "-Infinity", str(2**130), str(10**400))
MAY_BE_TINY = {"top_p", "min_p", "typical_p", "frequency_penalty", "presence_penalty"}


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


@pytest.mark.parametrize(("path", "name"), [(path, name) for path, name, _ in NUMBERS if path in BODIES])
def test_what_no_tensor_or_clock_can_hold_is_refused_by_name(path: str, name: str) -> None:
    *outer, last = name.split(".")
    for number in set(BEYOND) - set(TINY if last in MAY_BE_TINY else ()):
        asked = f'"{outer[0]}": {{"{last}": {number}}}' if outer else f'"{last}": {number}'
        body = f"{json.dumps(BODIES[path])[:-1]}, {asked}}}"
        response = ask(APP, "POST", path, content=body, headers={"content-type": "application/json"})
        assert_refused(response, path, 422, "validation", last)


@pytest.mark.parametrize("path", ["/generate", "/", "/generate_stream", "/jobs"])
def test_no_tensor_holds_a_top_k_of_71_bits(path: str) -> None:
    response = ask(APP, "POST", path, json={"inputs": "hi", "parameters": {"top_k": 2**70}})
    assert_refused(response, path, 422, "validation", "must be at most 2147483647")


@pytest.mark.parametrize("path", ["/generate_stream", "/v1/chat/completions", "/v1/completions"])
@pytest.mark.parametrize("name", ["temperature", "repetition_penalty"])
def test_a_refusal_states_the_bounds(path: str, name: str) -> None:
    for number, bound in ((1e-50, "1e-30"), (1e39, "1e+30")):
        asked = {name: number} if path.startswith("/v1/") else {"parameters": {name: number}}
        assert bound in ask(APP, "POST", path, json={**BODIES[path], **asked}).text

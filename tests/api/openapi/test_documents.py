"""The OpenAPI document is true: its examples fit its schemas, and its references lead somewhere."""

import json
import re
from typing import Any

import pytest
from pydantic import TypeAdapter

from demo.api.openapi import replies, reports, response_replies, room_replies
from demo.api.openapi.examples import EXAMPLES
from tests.api.script import open_api
from tests.scripted import ScriptedEngine


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return open_api(ScriptedEngine(), has_rooms=True).openapi()


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_has_the_fields_of_its_schema_and_no_others(name: str) -> None:
    modules = (replies, reports, response_replies, room_replies)
    (shape,) = [TypeAdapter(getattr(each, name)) for each in modules if hasattr(each, name)]
    assert shape.validate_python(EXAMPLES[name], strict=True) == EXAMPLES[name]


def test_every_reference_leads_to_a_schema(document: dict[str, Any]) -> None:
    references = set(re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(document)))
    assert references <= set(document["components"]["schemas"])
    assert json.dumps(document).count('"$ref": "#/components/') == json.dumps(document).count('"$ref"')


@pytest.mark.parametrize("schema", ["Parameters", "ChatRequest", "CompletionRequest"])
@pytest.mark.parametrize("name", ["max_tokens_per_second", "return_progress"])
def test_what_others_do_not_have_is_described(schema: str, name: str, document: dict[str, Any]) -> None:
    assert document["components"]["schemas"][schema]["properties"][name]["description"].endswith(".")


def test_every_route_has_a_summary_a_description_and_an_example_of_each_reply_with_a_body(
    document: dict[str, Any],
) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], f"{method} {path}"
            assert operation["description"], f"{method} {path}"
            for status, response in operation["responses"].items():
                for kind, content in response.get("content", {}).items():
                    assert kind == "text/plain" or "example" in content, f"{method} {path} {status} {kind}"


def test_routes_that_generate_name_their_key_and_every_status_they_may_answer_with(document: dict[str, Any]) -> None:
    for path in ("/", "/generate", "/generate_stream", "/v1/chat/completions", "/v1/completions"):
        operation = document["paths"][path]["post"]
        assert operation["security"] == [{"HTTPBearer": []}]
        expected = {"200", "401", "413", "422", "424", "429", "500", "503"}
        expected |= {"400"} if path.startswith("/v1/") else set()
        expected |= {"204", "404"} if path != "/generate" else set()  # a stream that is resumed
        assert expected == set(operation["responses"])

"""The OpenAPI document: complete, equal to what is sent, and displayed without another server; and the page behind."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from typing_extensions import is_typeddict

from demo.api.application import create_api
from demo.api.openapi import replies, reports, response_replies, room_replies
from demo.api.openapi.examples import EXAMPLES
from demo.engines.metered import MeteredEngine
from demo.events import PromptToken
from demo.settings import Settings
from tests.api.client import GENERATING, MINIMAL, OPENAI, ask, assert_refused, make_validator, parse, post, read_events
from tests.api.script import HELLO, RANKED, AnsweringEngine, Script, open_api


@pytest.fixture(scope="module")
def document() -> Any:
    return parse(ask(open_api(has_rooms=True), "GET", "/openapi.json").content)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_has_the_fields_of_its_schema_and_no_others(name: str) -> None:
    modules = (replies, reports, response_replies, room_replies)
    (shape,) = [TypeAdapter(getattr(each, name)) for each in modules if hasattr(each, name)]
    assert shape.validate_python(EXAMPLES[name], strict=True) == EXAMPLES[name]


def test_every_reference_leads_to_a_schema(document: Any) -> None:
    references = set(re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(document)))
    assert references <= set(document["components"]["schemas"])
    assert json.dumps(document).count('"$ref": "#/components/') == json.dumps(document).count('"$ref"')


def test_a_value_that_a_route_returns_has_the_shape_that_is_documented(document: Any) -> None:
    routers = [each.original_router for each in open_api(has_rooms=True).routes if hasattr(each, "original_router")]
    returned = []
    for route in (route for router in routers for route in router.routes if isinstance(route, APIRoute)):
        shape = route.endpoint.__annotations__["return"]
        if is_typeddict(shape):
            (operation,) = document["paths"][route.path_format].keys() & {each.lower() for each in route.methods or ()}
            statuses = document["paths"][route.path_format][operation]["responses"]
            schema = statuses[str(route.status_code or 200)]["content"]["application/json"]["schema"]
            assert schema["$ref"].endswith(f"/{shape.__name__}")
            returned.append(route.path)
    assert len(returned) >= 16


@pytest.mark.parametrize("schema", ["Parameters", "ChatRequest", "CompletionRequest"])
@pytest.mark.parametrize("name", ["max_tokens_per_second", "return_progress"])
def test_what_others_do_not_have_is_described(schema: str, name: str, document: Any) -> None:
    assert document["components"]["schemas"][schema]["properties"][name]["description"].endswith(".")


def test_every_route_has_a_summary_a_description_and_an_example_of_each_reply_with_a_body(document: Any) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], f"{method} {path}"
            assert operation["description"], f"{method} {path}"
            for status, response in operation["responses"].items():
                assert response["description"], f"{method} {path} {status}"
                for kind, content in response.get("content", {}).items():
                    assert kind == "text/plain" or "example" in content, f"{method} {path} {status} {kind}"


def test_routes_name_every_status_they_may_answer_with_and_those_that_generate_their_key(document: Any) -> None:
    for path in ("/tokenize", "/chat_tokenize"):
        assert {"200", "422", "503"} <= set(document["paths"][path]["post"]["responses"])
    for path in ("/v1/models", "/info", "/health", "/ping"):
        assert {"200", "503"} <= set(document["paths"][path]["get"]["responses"])
    for path in GENERATING:
        operation = document["paths"][path]["post"]
        assert operation["security"] == [{"HTTPBearer": []}]
        expected = {"200", "401", "413", "422", "424", "429", "500", "503"}
        expected |= {"400"} if path.startswith("/v1/") else set()
        expected |= {"204", "404"} if path != "/generate" else set()  # a stream that is resumed
        assert expected == set(operation["responses"])


def test_every_operation_has_a_name_of_its_own(document: Any) -> None:
    names = [each["operationId"] for path in document["paths"].values() for each in path.values()]
    assert len(names) == len(set(names))


DETAILED = {"details": True, "top_n_tokens": 2, "decoder_input_details": True}
ASKED: list[tuple[str, dict[str, Any]]] = [
    *[(path, {}) for path in MINIMAL],
    ("/generate", {"parameters": DETAILED}),
    ("/generate", {"parameters": {"details": True, "best_of": 2, "do_sample": True}}),
    ("/", {"parameters": DETAILED}),
    ("/v1/chat/completions", {"logprobs": True, "top_logprobs": 2, "n": 2}),
    ("/v1/completions", {"logprobs": 2, "n": 2}),
    ("/generate_stream", {"parameters": {"details": True, "top_n_tokens": 2}}),
    ("/", {"stream": True}),
    ("/v1/chat/completions", {"stream": True, "logprobs": True, "top_logprobs": 2}),
    ("/v1/completions", {"stream": True, "logprobs": 2}),
    *[(path, {"stream": True, "stream_options": {"include_usage": True}}) for path in OPENAI],
]
SCORED = Script(RANKED.tokens, "eos_token", prompt=(PromptToken(1, "h", None), PromptToken(2, "i", -2.5)))


@pytest.fixture(scope="module")
def detailed() -> FastAPI:
    return open_api(AnsweringEngine(SCORED, HELLO))


@pytest.mark.parametrize(("path", "body"), ASKED)
def test_whole_replies_and_events_follow_the_document(
    detailed: FastAPI, document: Any, path: str, body: dict[str, Any]
) -> None:
    response = post(detailed, path, **body)
    is_stream = path == "/generate_stream" or "stream" in body
    content_type = "text/event-stream" if is_stream else "application/json"
    for value in read_events(response.content) if is_stream else [parse(response.content)]:
        make_validator(document, path, "post", 200, content_type).validate(value)


@pytest.mark.parametrize("path", ["/v1/models", "/info", "/health", "/ping"])
def test_what_describes_the_server_follows_the_document(app: FastAPI, document: Any, path: str) -> None:
    response = ask(app, "GET", path)
    make_validator(document, path, "get", 200).validate(parse(response.content))


@pytest.mark.parametrize("path", MINIMAL)
def test_errors_follow_the_document(app: FastAPI, document: Any, path: str) -> None:
    response = ask(app, "POST", path, json={})
    make_validator(document, path, "post", 422).validate(parse(response.content))


def test_the_documented_headers_are_sent(app: FastAPI, document: Any) -> None:
    headers = document["paths"]["/generate"]["post"]["responses"]["200"]["headers"]
    assert set(map(str.lower, headers)) <= set(post(app, "/generate", unknown=1).headers)


def test_the_documents_examples_are_answered(app: FastAPI, document: Any) -> None:
    for path in MINIMAL:
        content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        name = content["schema"]["$ref"].rpartition("/")[2]
        example = document["components"]["schemas"][name]["example"]
        assert ask(app, "POST", path, json=example).status_code == 200


def test_the_documents_page_comes_from_this_server_alone(app: FastAPI) -> None:
    page = ask(app, "GET", "/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "http://" not in page.text
    assert "https://" not in page.text
    files = re.findall(r"(?:src|href)=[\"']([^\"']+)", page.text)
    assert len(files) >= 3
    for file in files:
        assert not file.startswith("//")
        assert ask(app, "GET", file).status_code == 200


def test_without_the_page_gradio_is_not_imported() -> None:
    program = """
import sys
import app
from demo.engines.metered import MeteredEngine
from demo.settings import read_settings
from tests.scripted import ScriptedEngine

settings = read_settings(["--no-ui"], {})
assert app.import_page(settings) is None
app.create_api(MeteredEngine(ScriptedEngine()), settings)
assert not [name for name in sys.modules if name.partition(".")[0] in ("gradio", "gradio_client")]
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_without_the_page_the_bare_url_has_nothing_to_get(app: FastAPI) -> None:
    response = ask(app, "GET", "/")
    assert response.status_code in (404, 405)
    assert set(response.json()) == {"error", "error_type"}


@pytest.fixture(scope="module")
def paged() -> FastAPI:
    """An API with a page behind it that answers everything it is asked."""
    page = FastAPI()

    @page.api_route("/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def show(path: str) -> str:
        return f"the page's {path}"

    return create_api(MeteredEngine(AnsweringEngine()), Settings(), page)


def test_the_page_is_behind_all_paths_that_are_not_the_apis(paged: FastAPI) -> None:
    assert ask(paged, "GET", "/").json() == "the page's "
    assert ask(paged, "GET", "/theme.css").json() == "the page's theme.css"
    assert ask(paged, "POST", "/gradio_api/queue/join").json() == "the page's gradio_api/queue/join"


@pytest.mark.parametrize("name", ["app", "paged"])
def test_no_path_of_the_api_falls_through_to_the_page_or_takes_another_method(
    app: FastAPI, name: str, request: pytest.FixtureRequest
) -> None:
    api: FastAPI = request.getfixturevalue(name)
    assert_refused(ask(api, "GET", "/v1/nowhere"), "/v1/nowhere", 404, "not_found")
    for path, operations in app.openapi()["paths"].items():
        allowed = {each.upper() for each in operations}
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - allowed:
            if (path, method) != ("/", "GET"):
                response = ask(api, method, path.replace("{", "").replace("}", ""))
                assert_refused(response, path, 405, "method_not_allowed", method)
                named = {*response.headers["allow"].split(", ")}
                assert named == allowed | ({"HEAD"} if "GET" in allowed else set())


def test_errors_of_the_page_have_the_format_of_the_api() -> None:
    app = create_api(MeteredEngine(AnsweringEngine()), Settings(), FastAPI())
    assert_refused(ask(app, "GET", "/nowhere"), "/nowhere", 404, "not_found")

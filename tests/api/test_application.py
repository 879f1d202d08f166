"""The OpenAPI document: complete, equal to what is sent, and displayed without another server."""

import re
import subprocess
import sys
from typing import Any

import jsonschema_rs
import pytest
from fastapi import FastAPI

from demo.api.application import create_api
from demo.engines.metered import MeteredEngine
from demo.events import PromptToken
from demo.settings import Settings
from tests.api.client import MINIMAL, ask, assert_refused, parse, post, read_events
from tests.api.script import HELLO, RANKED, AnsweringEngine, Script, open_api

GENERATING = {200, 401, 413, 422, 424, 429, 500, 503}
ROUTES: dict[tuple[str, str], set[int]] = {
    ("post", "/"): GENERATING,
    ("post", "/generate"): GENERATING,
    ("post", "/generate_stream"): GENERATING,
    ("post", "/v1/chat/completions"): GENERATING,
    ("post", "/v1/completions"): GENERATING,
    ("get", "/v1/models"): {200, 503},
    ("post", "/tokenize"): {200, 422, 503},
    ("post", "/chat_tokenize"): {200, 422, 503},
    ("get", "/info"): {200, 503},
    ("get", "/health"): {200, 503},
    ("get", "/ping"): {200, 503},
    ("get", "/metrics"): {200},
}


@pytest.fixture(scope="module")
def document(app: FastAPI) -> Any:
    """As a client gets it."""
    return parse(ask(app, "GET", "/openapi.json").content)


def test_every_route_is_documented_with_its_statuses(document: Any) -> None:
    for (method, path), statuses in ROUTES.items():
        responses = document["paths"][path][method]["responses"]
        assert statuses <= {int(status) for status in responses}, path
        assert all(response["description"] for response in responses.values())


def test_every_operation_has_a_name_of_its_own(document: Any) -> None:
    names = [each["operationId"] for path in document["paths"].values() for each in path.values()]
    assert len(names) == len(set(names))


def assert_valid(document: Any, path: str, method: str, status: int, content_type: str, value: Any) -> None:
    """`value` follows the documented schema."""
    content = document["paths"][path][method]["responses"][str(status)]["content"]
    schema = {**content[content_type]["schema"], "components": document["components"]}
    jsonschema_rs.validator_for(schema).validate(value)


DETAILED = {"details": True, "top_n_tokens": 2, "decoder_input_details": True}
WHOLE: list[tuple[str, dict[str, Any]]] = [
    *[(path, {}) for path in MINIMAL if path != "/generate_stream"],
    ("/generate", {"parameters": DETAILED}),
    ("/generate", {"parameters": {"details": True, "best_of": 2, "do_sample": True}}),
    ("/", {"parameters": DETAILED}),
    ("/v1/chat/completions", {"logprobs": True, "top_logprobs": 2, "n": 2}),
    ("/v1/completions", {"logprobs": 2, "n": 2}),
]
STREAMED: list[tuple[str, dict[str, Any]]] = [
    ("/generate_stream", {}),
    ("/generate_stream", {"parameters": {"details": True, "top_n_tokens": 2}}),
    ("/", {"stream": True}),
    ("/v1/chat/completions", {"stream": True, "logprobs": True, "top_logprobs": 2}),
    ("/v1/chat/completions", {"stream": True, "stream_options": {"include_usage": True}}),
    ("/v1/completions", {"stream": True, "logprobs": 2}),
    ("/v1/completions", {"stream": True, "stream_options": {"include_usage": True}}),
]
SCORED = Script(RANKED.tokens, "eos_token", prompt=(PromptToken(1, "h", None), PromptToken(2, "i", -2.5)))


@pytest.fixture(scope="module")
def detailed() -> FastAPI:
    """Answers with every detail."""
    return open_api(AnsweringEngine(SCORED, HELLO))


@pytest.mark.parametrize(("path", "body"), WHOLE)
def test_whole_replies_follow_the_document(detailed: FastAPI, document: Any, path: str, body: dict[str, Any]) -> None:
    response = post(detailed, path, **body)
    assert_valid(document, path, "post", response.status_code, "application/json", parse(response.content))


@pytest.mark.parametrize(("path", "body"), STREAMED)
def test_events_follow_the_document(detailed: FastAPI, document: Any, path: str, body: dict[str, Any]) -> None:
    response = post(detailed, path, **body)
    for event in read_events(response.content):
        assert_valid(document, path, "post", 200, "text/event-stream", event)


@pytest.mark.parametrize("path", [path for method, path in ROUTES if method == "get" and path != "/metrics"])
def test_what_describes_the_server_follows_the_document(app: FastAPI, document: Any, path: str) -> None:
    response = ask(app, "GET", path)
    assert_valid(document, path, "get", 200, "application/json", parse(response.content))


@pytest.mark.parametrize("path", MINIMAL)
def test_errors_follow_the_document(app: FastAPI, document: Any, path: str) -> None:
    response = ask(app, "POST", path, json={})
    assert_valid(document, path, "post", 422, "application/json", parse(response.content))


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
    assert not re.findall(r"(?:src|href)=[\"'](?:https?:)?//", page.text)
    assert "http://" not in page.text
    assert "https://" not in page.text
    files = re.findall(r"(?:src|href)=[\"']([^\"']+)", page.text)
    assert len(files) >= 3
    for file in files:
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


def test_no_path_of_the_api_falls_through_to_the_page(paged: FastAPI) -> None:
    for method, path in ROUTES:
        for other in {"GET", "POST", "PUT", "DELETE"} - {method.upper()}:
            if (other, path) != ("GET", "/"):
                assert_refused(ask(paged, other, path), path, 405, "method_not_allowed")
    assert_refused(ask(paged, "GET", "/v1/nowhere"), "/v1/nowhere", 404, "not_found")


def test_errors_of_the_page_have_the_format_of_the_api() -> None:
    app = create_api(MeteredEngine(AnsweringEngine()), Settings(), FastAPI())
    assert_refused(ask(app, "GET", "/nowhere"), "/nowhere", 404, "not_found")

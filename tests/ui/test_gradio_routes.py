"""What the page does not use of Gradio's routes is closed."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPMessage

import pytest

from tests.browser.serving import serve
from tests.scripted import ScriptedEngine


@pytest.fixture(scope="module")
def page() -> Iterator[str]:
    # In an event loop, since Gradio would make one, and never close it.
    with ExitStack() as stack, asyncio.Runner() as runner:

        async def open_page() -> str:
            return stack.enter_context(serve(ScriptedEngine()))

        yield runner.run(open_page())


def ask(page: str, method: str, path: str, body: str = "", **headers: str) -> tuple[int, HTTPMessage]:
    """The status and the headers of a reply. The path is sent as it is."""
    connection = HTTPConnection(page.removeprefix("http://"))
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    reply = connection.getresponse()
    reply.read()
    connection.close()
    return reply.status, reply.headers


@pytest.mark.parametrize(
    "route",
    [
        "POST /gradio_api/upload",
        "GET /gradio_api/upload_progress?upload_id=1",
        "GET /gradio_api/file=/etc/passwd",
        "GET /file=/etc/passwd",
        "GET /gradio_api/file/../../../etc/passwd",
        "GET /gradio_api/proxy=https://other.example/x",
        "GET /gradio_api/info",
        "GET /gradio_api/api_info",
        "GET /gradio_api/startup-events",
        "GET /monitoring",
        "POST /gradio_api/call/generate",
        "POST /gradio_api/api/generate",
        "POST /gradio_api/component_server",
        "POST /login",
        "GET /gradio_api/token",
        "GET /gradio_api/dev/reload",
        "GET /manifest.json",
        "GET /assets/../../../../etc/passwd",
        "GET /static/../../etc/passwd",
        "DELETE /",
        "PUT /gradio_api/queue/join",
        "POST /gradio_api/run/generate",
        "POST /gradio_api/cancel",
        "GET /gradio_api/heartbeat/tab",
    ],
)
def test_a_route_of_gradio_that_the_page_does_not_use_is_closed(route: str, page: str) -> None:
    method, _, path = route.partition(" ")
    assert ask(page, method, path)[0] in (404, 405)


@pytest.mark.parametrize("path", ["/", "/config", "/theme.css", "/gradio_api/app_id"])
def test_what_the_page_uses_is_open(path: str, page: str) -> None:
    assert ask(page, "GET", path)[0] == 200


def test_another_sites_page_can_start_no_listener(page: str) -> None:
    # What a page may send to another site without asking it is no JSON; and what asks is told no.
    assert ask(page, "POST", "/gradio_api/queue/join", "{}", Content_Type="text/plain")[0] == 422
    preflight = {"Origin": "https://evil.example", "Access_Control_Request_Method": "POST"}
    assert ask(page, "OPTIONS", "/gradio_api/queue/join", **preflight)[0] == 400


def test_no_origin_is_reflected_with_credentials_also_on_a_space(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "someone/demo")
    headers = ask(page, "GET", "/config", Origin="https://evil.example")[1]
    assert "Access-Control-Allow-Origin" not in headers
    assert "Access-Control-Allow-Credentials" not in headers

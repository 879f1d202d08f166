"""What is refused before anything is computed: bodies too large, wrong keys, and calls from other origins' pages."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI

from demo.api.middleware.access_log import REQUEST_ID
from demo.api.middleware.body_limit import MAX_BODY_BYTES
from demo.api.openapi.documents import TIMING_HEADERS
from demo.errors import Overloaded
from demo.settings import Settings
from tests.api.client import GENERATING, MINIMAL, ask, assert_refused, post
from tests.api.script import AnsweringEngine, open_api
from tests.api.visit import Visit

ORIGIN = "https://page.example"


@pytest.mark.anyio
@pytest.mark.parametrize("path", MINIMAL)
async def test_an_announced_body_that_is_too_large_is_refused_unread(app: FastAPI, path: str) -> None:
    visit = Visit(app, path, {}, {"content-length": str(MAX_BODY_BYTES + 1)}).start()
    await visit.until_ended()
    assert (visit.status, visit.unread) == (413, True)


@pytest.mark.parametrize("path", MINIMAL)
def test_a_body_that_grows_too_large_is_refused(app: FastAPI, path: str) -> None:
    async def grow() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b" " * (MAX_BODY_BYTES // 2)

    async def request() -> httpx2.Response:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
            return await client.post(path, content=grow(), headers={"content-type": "application/json"})

    response = asyncio.run(request())
    assert "content-length" not in response.request.headers
    assert_refused(response, path, 413, "too_large", str(MAX_BODY_BYTES))


def test_a_body_of_the_greatest_size_is_read(app: FastAPI) -> None:
    body = b'{"inputs": "hi"}'.ljust(MAX_BODY_BYTES)
    response = ask(app, "POST", "/generate", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 200


@pytest.fixture
def locked() -> FastAPI:
    """An API that wants a key, and has not been sent a wrong one yet."""
    return open_api(settings=Settings(api_key="secret"))


@pytest.mark.parametrize("path", [*GENERATING, "/jobs"])
def test_generating_needs_the_key_however_the_path_is_spelled(locked: FastAPI, path: str) -> None:
    body = MINIMAL.get(path, MINIMAL["/"])
    wrong = ["", "Bearer", "Bearer ", "Bearer wrong", "Bearer secretly", "secret", "Basic secret", "Bearer é"]
    for headers in ({}, *({"authorization": given.encode()} for given in wrong)):
        response = ask(locked, "POST", path, json=body, headers=headers)
        assert_refused(response, path, 401, "authentication", "Authorization: Bearer")
        assert response.headers["www-authenticate"] == "Bearer"
    assert ask(locked, "POST", path, json=body, headers={"authorization": "Bearer secret"}).is_success
    for end in ("%0A", "/", "//", "%20", "?x", ";x") if path != "/" else ():
        assert ask(locked, "POST", path + end, json=body).status_code in (307, 401, 404)


@pytest.mark.parametrize("path", ["/health", "/ping", "/info", "/v1/models", "/metrics", "/docs", "/openapi.json"])
def test_only_generating_needs_the_key(locked: FastAPI, path: str) -> None:
    assert ask(locked, "GET", path).status_code == 200
    assert post(locked, "/tokenize").status_code == post(locked, "/chat_tokenize").status_code == 200


def test_the_key_is_checked_before_the_load() -> None:
    engine = AnsweringEngine()
    engine.refusal = Overloaded("Model is overloaded")
    app = open_api(engine, Settings(api_key="secret"))
    assert post(app, "/generate").status_code == 401
    headers = {"authorization": "Bearer secret"}
    assert ask(app, "POST", "/generate", json=MINIMAL["/generate"], headers=headers).status_code == 429


def test_without_a_setting_no_other_page_may_call(app: FastAPI) -> None:
    headers = {"origin": ORIGIN}
    response = ask(app, "POST", "/generate", json=MINIMAL["/generate"], headers=headers)
    assert not [name for name in response.headers if name.startswith("access-control")]
    preflight = ask(app, "OPTIONS", "/generate", headers={**headers, "access-control-request-method": "POST"})
    assert not [name for name in preflight.headers if name.startswith("access-control")]


@pytest.fixture(scope="module")
def shared() -> FastAPI:
    """An API that one origin may call, with a key."""
    return open_api(settings=Settings(api_key="secret", cors_allow_origin=(ORIGIN,)))


def preflight(app: FastAPI, origin: str) -> httpx2.Response:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization, content-type"}
    return ask(app, "OPTIONS", "/v1/chat/completions", headers={"origin": origin, **asked})


def test_an_allowed_page_may_ask_with_its_key(shared: FastAPI) -> None:
    response = preflight(shared, ORIGIN)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert "authorization" in response.headers["access-control-allow-headers"].lower()
    assert "POST" in response.headers["access-control-allow-methods"]


def test_another_page_may_not(shared: FastAPI) -> None:
    response = preflight(shared, "https://other.example")
    assert response.status_code == 400
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize("key", ["Bearer secret", "Bearer wrong"])
def test_an_allowed_page_may_read_the_figures_and_the_errors(shared: FastAPI, key: str) -> None:
    headers = {"origin": ORIGIN, "authorization": key}
    response = ask(shared, "POST", "/generate", json=MINIMAL["/generate"], headers=headers)
    assert response.headers["access-control-allow-origin"] == ORIGIN
    exposed = {name.lower() for name in response.headers["access-control-expose-headers"].split(", ")}
    assert {name.lower() for name in TIMING_HEADERS} | {REQUEST_ID, "retry-after"} <= exposed


def test_a_star_allows_every_page() -> None:
    app = open_api(settings=Settings(cors_allow_origin=("*",)))
    assert preflight(app, ORIGIN).status_code == 200
    response = ask(app, "POST", "/generate", json=MINIMAL["/generate"], headers={"origin": ORIGIN})
    assert response.headers["access-control-allow-origin"] == "*"

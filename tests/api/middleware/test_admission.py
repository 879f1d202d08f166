"""What is refused before anything is computed: bodies too large, wrong keys, and calls from other origins' pages."""

import httpx2
import pytest
from fastapi import FastAPI

from demo.api.middleware.body_limit import MAX_BODY_BYTES
from demo.errors import Overloaded
from demo.settings import Settings
from tests.api.client import CHAT, GENERATING, MINIMAL, RESPONSES, ask, assert_refused, post, send_pieces
from tests.api.script import AnsweringEngine, open_api
from tests.api.visit import Visit

ORIGIN = "https://page.example"
KEY = {"authorization": "Bearer secret"}
RIGHT = ("bearer secret", "BEARER secret", "Bearer    secret", " Bearer secret ")
WRONG: tuple[str, ...] = ("", "Bearer", "Bearer ", "Bearer wrong", "Bearer secretly", "Bearer secret more", "Bearer é")
WRONG += ("Bearersecret", "secret", "Basic secret")
SAFE = {"cache-control", "content-language", "content-length", "content-type", "expires", "last-modified", "pragma"}
NOT_FOR_CLIENTS = {"vary", "access-control-allow-origin", "access-control-expose-headers", "x-accel-buffering"}
STAINLESS = "authorization,content-type,x-stainless-arch,x-stainless-lang,x-stainless-retry-count,x-stainless-timeout"


@pytest.mark.anyio
@pytest.mark.parametrize("path", MINIMAL)
async def test_an_announced_body_that_is_too_large_is_refused_unread(app: FastAPI, path: str) -> None:
    visit = await Visit(app, path, {}, {"content-length": str(MAX_BODY_BYTES + 1)}).start().until_ended()
    assert (visit.status, visit.unread) == (413, True)


@pytest.mark.parametrize("path", MINIMAL)
def test_a_body_that_grows_too_large_is_refused(app: FastAPI, path: str) -> None:
    growing = send_pieces(b" " * (MAX_BODY_BYTES // 2 * 3), MAX_BODY_BYTES // 2)
    response = ask(app, "POST", path, content=growing)
    assert "content-length" not in response.request.headers
    assert_refused(response, path, 413, "too_large", str(MAX_BODY_BYTES))


def test_a_body_of_the_greatest_size_is_read(app: FastAPI) -> None:
    assert ask(app, "POST", "/generate", content=b'{"inputs": "hi"}'.ljust(MAX_BODY_BYTES)).status_code == 200


@pytest.fixture(scope="module")
def locked() -> FastAPI:
    """An API that wants a key, and that one origin may call."""
    return open_api(settings=Settings(api_key="secret", cors_allow_origin=(ORIGIN,)))


@pytest.mark.parametrize("path", [*GENERATING, "/jobs", RESPONSES])
def test_generating_needs_the_key_however_the_path_and_the_scheme_are_spelled(locked: FastAPI, path: str) -> None:
    body = MINIMAL.get(path, {"inputs": "hi", "input": "hi"})
    for number, wrong in enumerate((None, *WRONG)):  # each from an address of its own: one has ten guesses
        headers = {} if wrong is None else {"authorization": wrong.encode()}
        response = ask(locked, "POST", path, f"192.0.2.{number}", json=body, headers=headers)
        assert_refused(response, path, 401, "authentication", "Authorization: Bearer")
        assert response.headers["www-authenticate"] == "Bearer"
    for right in RIGHT:
        assert ask(locked, "POST", path, json=body, headers={"authorization": right}).is_success
    if path != "/":
        assert ask(locked, "POST", f"http://test/{path}/", json=body).status_code == 401
        for end in ("%0A", "/", "//", "%20", "?x", ";x"):
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
    assert ask(app, "POST", "/generate", json=MINIMAL["/generate"], headers=KEY).status_code == 429


def preflight(app: FastAPI, origin: str) -> httpx2.Response:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": STAINLESS}
    private = {"access-control-request-private-network": "true"}
    return ask(app, "OPTIONS", CHAT, headers={"origin": origin, **asked, **private})


def test_without_a_setting_no_other_page_may_call(app: FastAPI) -> None:
    asked = ask(app, "POST", "/generate", json=MINIMAL["/generate"], headers={"origin": ORIGIN})
    for response in (asked, preflight(app, ORIGIN)):
        assert not [name for name in response.headers if name.startswith("access-control")]


def test_an_allowed_page_may_ask_with_its_key_and_any_header_also_on_a_private_network(locked: FastAPI) -> None:
    response = preflight(locked, ORIGIN)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert response.headers["access-control-allow-headers"] == STAINLESS
    assert "POST" in response.headers["access-control-allow-methods"]
    assert response.headers["access-control-allow-private-network"] == "true"


def test_another_page_may_not(locked: FastAPI) -> None:
    response = preflight(locked, "https://other.example")
    assert response.status_code == 400
    assert "access-control-allow-origin" not in response.headers


def test_an_allowed_page_reads_every_header_of_every_reply(locked: FastAPI) -> None:
    origin = {"origin": ORIGIN}
    key, wrong = {**origin, **KEY}, {**origin, "authorization": "Bearer wrong"}
    replies = [
        ask(locked, "GET", "/info", headers=origin),
        ask(locked, "PUT", "/info", headers=origin),
        ask(locked, "POST", "/generate", json={}, headers=origin),
        ask(locked, "POST", "/generate", json=MINIMAL["/generate"], headers=wrong),
        ask(locked, "POST", "/generate", json=MINIMAL["/generate"], headers=key),
        ask(locked, "POST", "/jobs", json=MINIMAL["/generate"], headers=key),
        ask(locked, "POST", CHAT, json={**MINIMAL[CHAT], "stream": True}, headers=key),
        ask(locked, "POST", "/generate", content=b"", headers={**key, "content-encoding": "br"}),
    ]
    for reply in replies:
        assert reply.headers["access-control-allow-origin"] == ORIGIN
        exposed = {name.lower() for name in reply.headers["access-control-expose-headers"].split(", ")}
        assert {*reply.headers} - SAFE - NOT_FOR_CLIENTS - exposed == set()


def test_a_star_allows_every_page() -> None:
    app = open_api(settings=Settings(cors_allow_origin=("*",)))
    assert preflight(app, ORIGIN).status_code == 200
    response = ask(app, "POST", "/generate", json=MINIMAL["/generate"], headers={"origin": ORIGIN})
    assert response.headers["access-control-allow-origin"] == "*"

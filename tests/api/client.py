"""A client that reads whole replies, and how to parse them."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any, NoReturn

import httpx2
import jsonschema_rs
from fastapi import FastAPI
from starlette.types import ASGIApp

PATIENCE = 20.0
CHAT, COMPLETIONS, RESPONSES = "/v1/chat/completions", "/v1/completions", "/v1/responses"
NATIVE, OPENAI = ("/", "/generate", "/generate_stream"), (CHAT, COMPLETIONS)
GENERATING = (*NATIVE, *OPENAI)
JSON = {"content-type": "application/json"}
MESSAGES = [{"role": "user", "content": "hi"}]
MINIMAL: dict[str, dict[str, Any]] = {
    **{path: {"inputs": "hi"} for path in NATIVE},
    CHAT: {"messages": MESSAGES},
    COMPLETIONS: {"prompt": "hi"},
    "/tokenize": {"inputs": "hi"},
    "/chat_tokenize": {"messages": MESSAGES},
}
WHOLE = [(path, MINIMAL[path]) for path in ("/generate", "/", *OPENAI)]
STREAMED = [("/generate_stream", {**MINIMAL["/"]}), *((path, {**body, "stream": True}) for path, body in WHOLE[1:])]


def ask(app: ASGIApp, method: str, path: str, address: str = "127.0.0.1", **arguments: Any) -> httpx2.Response:
    """One request of the client at `address`, and all of its response; a body is JSON unless `headers` differ."""

    async def request() -> httpx2.Response:
        transport = httpx2.ASGITransport(app, client=(address, 1234))
        async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=JSON) as client:
            return await asyncio.wait_for(client.request(method, path, **arguments), PATIENCE)

    return asyncio.run(request())


async def send_pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    """The content of a request, in pieces of `size`: its length is not announced."""
    for at in range(0, len(body), size):
        yield body[at : at + size]


def post(app: FastAPI, path: str, **body: Any) -> httpx2.Response:
    """`body` as JSON, completed by what the path needs at least."""
    return ask(app, "POST", path, json={**MINIMAL[path], **body})


def fix(response: httpx2.Response) -> str:
    """The body, but what differs from one time to the next."""
    assert response.status_code == 200, response.text
    text = re.sub(r'"id":"(chatcmpl|cmpl)-[0-9a-f]{32}"', r'"id":"\1-1"', response.content.decode())
    text = re.sub(r'"created":[1-9][0-9]{9}\b', '"created":1', text)
    return re.sub(r'"timings":\{[^}]*\}', '"timings":{}', text)


def parse(text: str | bytes) -> Any:
    """JSON as the standard has it: without NaN and Infinity."""

    def refuse(constant: str) -> NoReturn:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def make_validator(document: Any, path: str, method: str, status: int, content_type: str = "application/json") -> Any:
    """Of what the OpenAPI document says of a reply."""
    content = document["paths"][path][method]["responses"][str(status)]["content"]
    return jsonschema_rs.validator_for({**content[content_type]["schema"], "components": document["components"]})


def read_events(body: bytes) -> list[Any]:
    """The events of a stream, its `[DONE]` and comments left out."""
    blocks = body.decode().removesuffix("\n\n").split("\n\n")
    lines = [line for block in blocks for line in block.split("\n")]  # a named event has a line before its data
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return [parse(each) for each in data if each != "[DONE]"]


def assert_refused(response: httpx2.Response, path: str, status: int, kind: str, sentence: str = "") -> None:
    """`status`, and the one error body that clients of `path` read, with `sentence` in its text."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert sentence in read_error(parse(response.content), path, status, kind)


def read_error(body: Any, path: str, status: int, kind: str) -> str:
    """The sentence of an error body, which has every field that clients of `path` read, and no other."""
    is_openai = path.startswith("/v1/")
    text: str = body["error"]["message"] if is_openai else body["error"]
    error = {"message": text, "type": kind, "param": None, "code": status} if is_openai else text
    assert body == {"error": error, "error_type": kind}
    assert "\n" not in text
    return text

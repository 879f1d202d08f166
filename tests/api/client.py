"""A client that reads whole replies, and how to parse them."""

import asyncio
import json
import re
from typing import Any, NoReturn

import httpx2
from fastapi import FastAPI

PATIENCE = 10.0
GENERATING = ("/", "/generate", "/generate_stream", "/v1/chat/completions", "/v1/completions")
MESSAGES = [{"role": "user", "content": "hi"}]
MINIMAL: dict[str, dict[str, Any]] = {
    "/": {"inputs": "hi"},
    "/generate": {"inputs": "hi"},
    "/generate_stream": {"inputs": "hi"},
    "/v1/chat/completions": {"messages": MESSAGES},
    "/v1/completions": {"prompt": "hi"},
    "/tokenize": {"inputs": "hi"},
    "/chat_tokenize": {"messages": MESSAGES},
}
STREAMED: list[tuple[str, dict[str, Any]]] = [
    ("/generate_stream", {"inputs": "hi"}),
    ("/", {"inputs": "hi", "stream": True}),
    ("/v1/chat/completions", {"messages": MESSAGES, "stream": True}),
    ("/v1/completions", {"prompt": "hi", "stream": True}),
]
WHOLE: list[tuple[str, dict[str, Any]]] = [
    ("/generate", {"inputs": "hi"}),
    ("/", {"inputs": "hi"}),
    ("/v1/chat/completions", {"messages": MESSAGES}),
    ("/v1/completions", {"prompt": "hi"}),
]


def ask(app: FastAPI, method: str, path: str, **arguments: Any) -> httpx2.Response:
    """One request, and all of its response."""

    async def request() -> httpx2.Response:
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            return await asyncio.wait_for(client.request(method, path, **arguments), PATIENCE)

    return asyncio.run(request())


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
    body = parse(response.content)
    if path.startswith("/v1/"):
        text = body["error"]["message"]
        assert body == {"error": {"message": text, "type": kind, "param": None, "code": status}, "error_type": kind}
    else:
        text = body["error"]
        assert body == {"error": text, "error_type": kind}
    assert sentence in text
    assert "\n" not in text

"""What is refused before anything is read or computed: bodies too large, keys that are wrong, work beyond the limit.

Pure ASGI: nothing here buffers a stream.
"""

import hmac
from collections.abc import Sequence
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.api.dialects.errors import Refused, respond
from demo.api.middleware.root_path import route_of
from demo.errors import DemoError
from demo.events import Engine

MAX_BODY_BYTES: Final = 2 * 1024 * 1024


class BodyLimitMiddleware:
    """Answers 413 to a body of more than `MAX_BODY_BYTES`, announced or not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        sentence = f"The body is larger than {MAX_BODY_BYTES} bytes: send less at once."
        if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
            await respond(route_of(scope), Refused("too_large", sentence))(scope, receive, send)
            return
        received = 0

        async def count() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY_BYTES:
                raise HTTPException(413, sentence)  # what FastAPI, reading the body, lets pass
            return message

        await self._app(scope, count, send)


class AdmissionMiddleware:
    """Before the body of a request to generate is read: is its key right, and is there room?"""

    def __init__(self, app: ASGIApp, engine: Engine, paths: Sequence[str], api_key: str | None) -> None:
        self._app = app
        self._engine = engine
        self._paths = frozenset(paths)
        self._expected = f"Bearer {api_key}".encode() if api_key else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and _name(scope) in self._paths:
            try:
                self._check_key(scope)
                self._engine.admit()
            except DemoError as error:
                await respond(route_of(scope), error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check_key(self, scope: Scope) -> None:
        given = Headers(scope=scope).get("authorization", "").encode("latin-1")
        if self._expected is not None and not hmac.compare_digest(given, self._expected):
            raise Refused("authentication", "The API key is missing or wrong: send `Authorization: Bearer <key>`.")


def _name(scope: Scope) -> str:
    """The path as the router reads it, which overlooks a newline at the end."""
    return route_of(scope).rstrip("\n")

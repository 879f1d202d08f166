"""A limit to the size of request bodies. Pure ASGI.

Starlette's own RequestBodyLimitMiddleware replies in plain text, which the clients of these routes cannot parse.
"""

from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.api.dialects.errors import Refused, respond
from demo.api.middleware.root_path import find_route_path

MAX_BODY_BYTES: Final = 2 * 1024 * 1024


class BodyLimitMiddleware:
    """Replies 413 to a body of more than MAX_BODY_BYTES, whether or not its length is announced."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        sentence = f"The body is larger than {MAX_BODY_BYTES} bytes: send less at once."
        if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
            await respond(find_route_path(scope), Refused("too_large", sentence))(scope, receive, send)
            return
        received = 0

        async def count() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY_BYTES:
                raise HTTPException(413, sentence)  # FastAPI, which reads the body, passes this type on
            return message

        await self._app(scope, count, send)

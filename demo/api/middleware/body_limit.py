"""Limits to request bodies: their bytes, what there is to parse in them, how many are parsed at once. Pure ASGI.

Starlette's own RequestBodyLimitMiddleware replies in plain text, which the clients of these routes cannot parse.
"""

import asyncio
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.api.dialects.errors import Refused, respond
from demo.api.middleware.root_path import find_route_path
from demo.json_size import JsonSize

MAX_BODY_BYTES: Final = 2 * 1024 * 1024
LONG_BODY_BYTES: Final = 128 * 1024  # parsing fewer takes less than a millisecond; two megabytes take four


class BodyLimitMiddleware:
    """Replies 413 to a body of more than MAX_BODY_BYTES, whether or not its length is announced, and to too much JSON.

    Only JSON is parsed; in a form, nothing is counted but bytes. Long bodies that arrive together are parsed in
    different turns of the event loop, so that none of its other tasks waits for more than one of them.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        announced = headers.get("content-length", "0")
        is_form = headers.get("content-type", "").startswith("multipart/")
        sentence = f"The body is larger than {MAX_BODY_BYTES} bytes: send less at once."
        if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
            await respond(find_route_path(scope), Refused("too_large", sentence))(scope, receive, send)
            return
        received, size = 0, JsonSize()

        async def take() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY_BYTES:
                raise HTTPException(413, sentence)  # FastAPI, which reads the body, passes this type on
            return message

        async def count() -> Message:
            message = await take()
            if not is_form and (refusal := _count_json(size, message.get("body", b""))):
                while message.get("more_body"):  # a connection with unread bytes is reset, and the reply lost
                    message = await take()
                raise refusal
            if received > LONG_BODY_BYTES and not message.get("more_body"):
                async with self._turn:
                    await asyncio.sleep(0)  # whoever waits for the lock wakes up in the turn after this one's
            return message

        await self._app(scope, count, send)


def _count_json(size: JsonSize, body: bytes) -> HTTPException | None:
    """The refusal of a body with this next piece, if it must be refused."""
    size.feed(body)
    if b"\0" in body:  # of UTF-16 or UTF-32, in which nothing can be counted
        return HTTPException(400)
    excess = size.find_excess()
    return HTTPException(413, f"The body holds {excess}: send less at once.") if excess else None

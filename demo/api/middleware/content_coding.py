"""Request bodies that are compressed: `gzip` and `deflate` are inflated, other codings refused. Pure ASGI.

It stands in front of the limits to bodies, which then count what is inflated: a few compressed bytes can be gigabytes.
"""

import zlib
from collections.abc import Iterator
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.api.dialects.errors import Refused, respond
from demo.api.inflating import CODINGS, Inflating
from demo.api.middleware.body_limit import MAX_BODY_BYTES
from demo.api.middleware.root_path import find_route_path
from demo.errors import BadRequest

REPLACED: Final = (b"content-encoding", b"content-length")  # they describe the compressed body


class ContentCodingMiddleware:
    """Replies 415 to a coding that is not known here, or to several on top of each other."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        named = Headers(scope=scope).get("content-encoding", "") if scope["type"] == "http" else ""
        coding = named.strip().lower()
        if coding in ("", "identity"):
            await self._app(scope, receive, send)
        elif coding in CODINGS:
            headers = [header for header in scope["headers"] if header[0] not in REPLACED]
            await self._app({**scope, "headers": headers}, _InflatedBody(coding, receive).receive, send)
        else:
            sentence = f"A body in {coding[:40]!r} can't be read here: send it in gzip or deflate, or as it is."
            response = respond(find_route_path(scope), Refused("unsupported_media_type", sentence))
            response.headers["Accept-Encoding"] = "gzip, deflate"  # RFC 9110, 12.5.3
            await response(scope, receive, send)


class _InflatedBody:
    def __init__(self, coding: str, receive: Receive) -> None:
        self._coding = coding
        self._inflating = Inflating(coding)
        self._receive = receive
        self._pieces: Iterator[bytes] = iter(())
        self._received = 0
        self._more = True
        self._ended = False

    async def receive(self) -> Message:
        """The next piece of the content."""
        try:
            while (piece := next(self._pieces, None)) is None and self._more:
                message = await self._receive()
                if message["type"] != "http.request":
                    return message
                self._take(message)
            if piece is None:
                return await self._end()
        except zlib.error as error:
            raise BadRequest(f"the body is not in {self._coding}, as its Content-Encoding says ({error}).") from None
        return {"type": "http.request", "body": piece, "more_body": True}

    def _take(self, message: Message) -> None:
        data, self._more = message.get("body", b""), message.get("more_body", False)
        self._received += len(data)
        if self._received > MAX_BODY_BYTES:  # of blocks that hold nothing there may be many
            raise Refused("too_large", f"The body is larger than {MAX_BODY_BYTES} bytes: send less at once.")
        self._pieces = self._inflating.feed(data)

    async def _end(self) -> Message:
        if not self._ended:
            if not self._inflating.is_whole:
                raise zlib.error("it ends too early")
            self._ended = True
            return {"type": "http.request", "body": b"", "more_body": False}
        return await self._receive()

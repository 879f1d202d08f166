"""Request bodies that are compressed: `gzip` and `deflate` are inflated, other codings refused. Pure ASGI.

It stands in front of the limits to bodies, which then count what is inflated: a few compressed bytes can be gigabytes.
"""

import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.api.dialects.errors import Refused, respond
from demo.api.middleware.body_limit import MAX_BODY_BYTES
from demo.api.middleware.root_path import find_route_path
from demo.errors import BadRequest

PIECE_BYTES: Final = 65_536
GZIP: Final = 16 + zlib.MAX_WBITS
RAW: Final = -zlib.MAX_WBITS
CODINGS: Final = ("gzip", "x-gzip", "deflate")
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
            await self._app({**scope, "headers": headers}, _inflate(coding, receive), send)
        else:
            sentence = f"A body in {coding[:40]!r} can't be read here: send it in gzip or deflate, or as it is."
            response = respond(find_route_path(scope), Refused("unsupported_media_type", sentence))
            response.headers["Accept-Encoding"] = "gzip, deflate"  # RFC 9110, 12.5.3
            await response(scope, receive, send)


def _inflate(coding: str, receive: Receive) -> Receive:
    """`receive`, but for a body in `coding`, of which it has the content."""
    messages = _read_content(coding, receive)

    async def receive_inflated() -> Message:
        return await anext(messages, None) or await receive()

    return receive_inflated


async def _read_content(coding: str, receive: Receive) -> AsyncIterator[Message]:
    """The messages to the end of the body, in pieces of a bounded size."""
    inflating, received, more = Inflating(coding), 0, True
    try:
        while more:
            message = await receive()
            if message["type"] != "http.request":
                yield message
                continue
            data, more = message.get("body", b""), message.get("more_body", False)
            received += len(data)
            if received > MAX_BODY_BYTES:  # of blocks that hold nothing there may be many
                raise Refused("too_large", f"The body is larger than {MAX_BODY_BYTES} bytes: send less at once.")
            for piece in inflating.feed(data):
                yield {"type": "http.request", "body": piece, "more_body": True}
        if not inflating.is_whole:
            raise zlib.error("it ends too early")
    except zlib.error as error:
        raise BadRequest(f"the body is not in {coding}, as its Content-Encoding says ({error}).") from None
    yield {"type": "http.request", "body": b"", "more_body": False}


class Inflating:
    """The content of a body in `coding`, one of CODINGS. Raises zlib.error where it is none.

    No more than one piece of it is ever in memory, whatever it was made from.
    """

    def __init__(self, coding: str) -> None:
        self._is_gzip = coding != "deflate"
        self._beginning = b""
        self._inflate = zlib.decompressobj(GZIP) if self._is_gzip else None

    @property
    def is_whole(self) -> bool:
        """Whether the content has ended where the body has."""
        return self._inflate is not None and self._inflate.eof

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The content of the next `data`, in pieces of at most PIECE_BYTES."""
        if self._inflate is None:
            self._beginning += data
            if len(self._beginning) < 2:
                return
            self._inflate, data = zlib.decompressobj(choose_window(self._beginning)), self._beginning
        while data:
            if self._inflate.eof:
                if not self._is_gzip:
                    raise zlib.error("there are bytes after its end")
                self._inflate = zlib.decompressobj(GZIP)  # a file of gzip may have several members (RFC 1952, 2.2)
            yield self._inflate.decompress(data, PIECE_BYTES)
            data = self._inflate.unconsumed_tail or self._inflate.unused_data


def choose_window(beginning: bytes) -> int:
    """`deflate` is zlib's format (RFC 9110, 8.4.1.2); some clients send the raw one, which begins otherwise."""
    is_zlib = beginning[0] & 0x0F == zlib.DEFLATED and int.from_bytes(beginning[:2], "big") % 31 == 0
    return zlib.MAX_WBITS if is_zlib else RAW

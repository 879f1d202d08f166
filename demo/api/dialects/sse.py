"""Server-Sent Events as bytes (WHATWG HTML, section 9.2): the only module that frames a stream."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

CONTENT_TYPE: Final = "text/event-stream"
# no-transform: a proxy that compressed a stream would collect events first. X-Accel-Buffering: nginx is not to buffer.
HEADERS: Final = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
KEEP_ALIVE: Final = b": keep-alive\n\n"
DONE: Final = b"data: [DONE]\n\n"  # with the space: huggingface_hub looks for exactly this


def frame_comment(text: str) -> bytes:
    """A line that readers of events pass over."""
    return b": %b\n\n" % text.encode()


def frame(payload: Mapping[str, Any], id: int | None = None) -> bytes:
    """One event on one line, ended by an empty one. An `id` comes back as `Last-Event-ID` when a reader reconnects."""
    numbered = b"" if id is None else b"id: %d\n" % id
    return b"%bdata: %b\n\n" % (numbered, orjson.dumps(payload))

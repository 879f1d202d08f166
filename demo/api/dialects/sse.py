"""Server-Sent Events as bytes (WHATWG HTML, section 9.2): the only module that frames a stream."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

CONTENT_TYPE: Final = "text/event-stream"
# no-transform: a proxy that compresses a stream buffers events first. X-Accel-Buffering: nginx must not buffer.
HEADERS: Final = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
KEEP_ALIVE: Final = b": keep-alive\n\n"
DONE: Final = b"data: [DONE]\n\n"  # huggingface_hub compares exactly, with the space


def frame_comment(text: str) -> bytes:
    """A comment, which readers of events ignore."""
    return b": %b\n\n" % text.encode()


def frame(payload: Mapping[str, Any], id: int | str | None = None) -> bytes:
    """One event of one line. A reader that reconnects sends its `id` back as `Last-Event-ID`."""
    numbered = b"" if id is None else b"id: %b\n" % str(id).encode()
    return b"%bdata: %b\n\n" % (numbered, orjson.dumps(payload))


def frame_named(name: str, payload: Mapping[str, Any], id: int | None = None) -> bytes:
    """One event with a name, as OpenAI's Responses API has them, and rooms."""
    return b"event: %b\n%b" % (name.encode(), frame(payload, id))

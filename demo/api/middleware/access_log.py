"""JSON access log: id, path, status, bytes, duration, token counts. The prompt only with --log-prompts. Pure ASGI."""

import json
import logging
import re
import secrets
import time
from collections.abc import Sequence
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.api.dialects.answer import Answer
from demo.api.middleware.root_path import find_route_path

logger = logging.getLogger("demo.access")

ROOM: Final = re.compile(r"^/(rooms?)/[^/]+(?:/phones/[^/]+)?")
REQUEST_ID: Final = "x-request-id"
PLAIN_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class AccessLogMiddleware:
    """Logs the requests to `paths` and below; the page's own are many, and left out.

    Each has an `X-Request-Id`: the client's, if it sent a plain one.
    """

    def __init__(self, app: ASGIApp, paths: Sequence[str], with_prompts: bool) -> None:
        self._app = app
        self._paths = frozenset(paths)
        self._with_prompts = with_prompts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._is_logged(scope):
            await self._app(scope, receive, send)
            return
        began, status, sent = time.perf_counter(), 0, 0
        given = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = given if PLAIN_ID.fullmatch(given) else secrets.token_hex(8)
        state = scope.setdefault("state", {})

        async def record(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            else:
                sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, record)
        finally:
            line = {
                "request_id": request_id,
                "method": scope["method"],
                "path": hide_secrets(find_route_path(scope)),
                "status": status,
                "bytes": sent,
                "seconds": round(time.perf_counter() - began, 6),
                "answers": [self._describe(answer) for answer in state.get("answers", ())],
            }
            logger.info("%s", json.dumps(line, ensure_ascii=False))

    def _is_logged(self, scope: Scope) -> bool:
        path = find_route_path(scope)
        if path == "/":
            return bool(scope["method"] == "POST")
        return "/" + path.lstrip("/").partition("/")[0] in self._paths

    def _describe(self, answer: Answer) -> dict[str, Any]:
        line: dict[str, Any] = {
            "prompt_tokens": answer.input_tokens,
            "cached_tokens": answer.cached_tokens,
            "generated_tokens": len(answer.tokens),
            "finish_reason": "left",
        }
        if answer.end is not None:
            line["finish_reason"] = answer.error.kind if answer.error else answer.finish_reason
            line |= answer.timings().as_details()
        if self._with_prompts:
            line["prompt"] = str(answer.request.prompt)
        return line


def hide_secrets(path: str) -> str:
    """A path without a room's code and a phone's secret: who reads the log must not be able to use them."""
    return ROOM.sub(lambda found: f"/{found[1]}/{{code}}" + ("/phones/{phone}" if "/phones/" in found[0] else ""), path)

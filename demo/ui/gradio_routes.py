"""Which of Gradio's routes are open to a browser, and those that a tab uses all the time, served without Gradio's app.

Gradio's own routes match a hundred paths, and look twice for each request, in another thread, who is logged in. A page
with a password is guarded by what stands in front of these routes as of Gradio's. All that the page does not use is
closed: such routes take files, read them, call other hosts, or tell what the server is made of.
"""

import logging
import re
import time
from typing import Any, Final

import orjson
from fastapi import FastAPI
from gradio.data_classes import PredictBody
from pydantic import ValidationError
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from demo.address import read_network
from demo.ui.gradio_queue import FAILED, Call, TabQueue, write_output
from demo.ui.tabs import BUSY, FULL, Tabs

logger = logging.getLogger(__name__)

API: Final = "/gradio_api"
FILES: Final = (
    *("/", "/config", "/theme.css", "/favicon.ico", "/robots.txt"),
    "/static/js/iframeResizer.contentWindow.min.js",
)
BUILT: Final = "/assets/[A-Za-z0-9_.@+-]+"  # files of Gradio's client
ALLOWED: Final = re.compile("|".join([*map(re.escape, FILES), BUILT, f"{API}/app_id"]))
MAX_NAME: Final = 64  # characters; Gradio's client makes names of about ten
UNKNOWN: Final = {"detail": "This tab is not open here: reload the page."}
UNREADABLE: Final = {"detail": "The page has no such listener: reload it."}


class AllowedRoutesMiddleware:
    """Replies 404 to what is not `ALLOWED`.

    In front of Gradio's app alone: neither the page's own files nor the routes of its tabs are behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or (scope["type"] == "http" and is_allowed(scope)):
            await self._app(scope, receive, send)
        else:
            sentence = "The page has no such route: see /docs for the API."
            await JSONResponse({"error": sentence, "error_type": "not_found"}, 404)(scope, receive, send)


def close_other_routes(page: FastAPI) -> None:
    """Close what the page does not use of each app that is mounted on it at its root, which is Gradio's."""
    for route in page.routes:
        if isinstance(route, Mount) and route.path == "" and isinstance(route.app, FastAPI):
            route.app.add_middleware(AllowedRoutesMiddleware)


def share_with_no_site(page: FastAPI) -> None:
    """Let no other origin read the page.

    On a Space, Gradio would allow every origin, with cookies, unless the app that it is mounted on has a policy.
    """
    page.add_middleware(CORSMiddleware)


def is_allowed(scope: Scope) -> bool:
    path = scope["path"].removeprefix(scope.get("root_path", ""))  # as Gradio's routes are written
    return scope["method"] in ("GET", "HEAD") and ALLOWED.fullmatch(path) is not None


class TabStream(Response):
    """The event stream of an open tab, which is forgotten however the stream ends."""

    def __init__(self, tabs: Tabs, name: str) -> None:
        super().__init__(media_type="text/event-stream")
        self._tabs, self._name = tabs, name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._tabs.attach(self._name) as messages:
            await StreamingResponse(messages, media_type=self.media_type)(scope, receive, send)


def build_tab_routes(queue: TabQueue) -> list[Route]:
    """The event stream of a tab; a listener that is queued; a listener that is not."""

    async def read_stream(request: Request) -> Response:
        name = request.query_params.get("session_hash", "")
        return TabStream(queue.tabs, name) if name in queue.tabs else JSONResponse(UNKNOWN, 404)

    async def join(request: Request) -> Response:
        if isinstance(call := await admit(queue, request), Response):
            return call
        return JSONResponse({"event_id": call.id}) if queue.start(call) else refuse(BUSY)

    async def predict(request: Request) -> Response:
        if isinstance(call := await admit(queue, request), Response):
            return call
        begin = time.monotonic()
        try:
            output = write_output(await call.wait(), begin)
        except Exception:
            logger.exception("A listener of the page failed.")
            return JSONResponse(FAILED, 500)
        return Response(orjson.dumps(output), media_type="application/json")

    return [
        Route(f"{API}/queue/data", read_stream),
        Route(f"{API}/queue/join", join, methods=["POST"]),
        Route(f"{API}/run/predict", predict, methods=["POST"]),
    ]


async def admit(queue: TabQueue, request: Request) -> Call | Response:
    """The call that is asked for, of a tab that has a place; or the refusal."""
    body = await read_body(request)
    call = body and queue.make_call(body.fn_index, request, body.session_hash, body.data)
    if call is None or call.fn.queue != request.url.path.endswith("/join"):
        return JSONResponse(UNREADABLE, 422)
    return call if queue.tabs.admit(body.session_hash, read_network(request)) else refuse(FULL)


def refuse(sentence: str) -> Response:
    """There is no place, for this tab or for one more of its listeners. The page's script asks again."""
    return JSONResponse({"detail": sentence}, 503, {"Retry-After": "1"})


async def read_body(request: Request) -> Any:
    """What a tab sends; None where it is something else.

    It must say that it is JSON, which no other site's page may send without being asked whether it may.
    """
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        return None
    try:
        body = PredictBody.model_validate_json(await request.body())
    except ValidationError:
        return None
    is_named = 0 < len(body.session_hash or "") <= MAX_NAME
    return body if is_named and body.fn_index is not None else None

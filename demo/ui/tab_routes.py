"""The routes of Gradio's that a tab uses all the time, served without Gradio's app in front of its listeners.

Gradio's own routes match a hundred paths, and look twice for each request, in another thread, who is logged in. A page
with a password is guarded by what stands in front of these routes as of Gradio's.
"""

import logging
import time
from typing import Any, Final

import orjson
from gradio.data_classes import PredictBody
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from demo.address import read_network
from demo.ui.gradio_queue import FAILED, Call, TabQueue, write_output
from demo.ui.tabs import BUSY, FULL, Tabs

logger = logging.getLogger(__name__)

PREFIX: Final = "/gradio_api"
MAX_NAME: Final = 64  # characters; Gradio's client makes names of about ten
UNKNOWN: Final = {"detail": "This tab is not open here: reload the page."}
UNREADABLE: Final = {"detail": "The page has no such listener: reload it."}


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
        Route(f"{PREFIX}/queue/data", read_stream),
        Route(f"{PREFIX}/queue/join", join, methods=["POST"]),
        Route(f"{PREFIX}/run/predict", predict, methods=["POST"]),
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

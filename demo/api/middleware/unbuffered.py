"""Headers that keep proxies from buffering event streams, the API's and the page's, which are Gradio's. Pure ASGI."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.api.dialects.sse import CONTENT_TYPE, HEADERS


class UnbufferedMiddleware:
    """Adds headers against buffering, caching and compression to every event stream."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def mark(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith(CONTENT_TYPE):
                    for name, value in HEADERS.items():
                        headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, mark)

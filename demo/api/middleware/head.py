"""HEAD wherever the API has a GET (RFC 9110, 9.3.2): the same status and headers, and no body. Pure ASGI."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.api.middleware.root_path import find_route_path
from demo.api.route_paths import RoutePaths


class HeadMiddleware:
    """Asks the route for its GET, and ends the reply after the headers: to a stream its client has then left."""

    def __init__(self, app: ASGIApp, paths: RoutePaths) -> None:
        self._app = app
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_head = scope["type"] == "http" and scope["method"] == "HEAD"
        if not is_head or "GET" not in self._paths.find_methods(find_route_path(scope)):
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b""})

        await self._app({**scope, "method": "GET"}, receive, send_head)

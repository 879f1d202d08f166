"""Requests that mean a route, though their path or method is not the route's own: extra slashes, and HEAD. Pure ASGI.

Knows no route's function.
"""

import re
from collections.abc import Mapping
from typing import Final

from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.api.middleware.root_path import find_route_path

SLASHES: Final = re.compile("/{2,}")


class RoutePaths:
    """Patterns such as `/jobs/{id}`, each with the methods that its routes answer."""

    def __init__(self, routes: Mapping[str, set[str]]) -> None:
        self._patterns = [(compile_path(path)[0], methods) for path, methods in routes.items()]

    def find_methods(self, path: str) -> set[str]:
        """What the routes of `path` answer; nothing where no route has it."""
        return set[str]().union(*(methods for pattern, methods in self._patterns if pattern.match(path)))

    def find_meant(self, path: str) -> str:
        """The path of a route that differs from `path` by double or trailing slashes alone; else `path` itself."""
        meant = SLASHES.sub("/", path).rstrip("/") or "/"
        return meant if meant != path and self.find_methods(meant) else path


class SlashesMiddleware:
    """Replaces a path with double or trailing slashes by that of the route that is meant. The page's paths stay.

    A base address that ends with a slash makes such paths. Starlette redirects instead, and many clients send a
    redirected POST again as a GET, or without its body.
    """

    def __init__(self, app: ASGIApp, paths: RoutePaths) -> None:
        self._app = app
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = find_route_path(scope)
            if (meant := self._paths.find_meant(path)) != path:
                scope = {**scope, "path": scope["path"].removesuffix(path) + meant}
        await self._app(scope, receive, send)


class HeadMiddleware:
    """HEAD wherever the API has a GET (RFC 9110, 9.3.2): the same status and headers, and no body.

    Asks the route for its GET, and ends the reply after the headers: to a stream its client has then left.
    """

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

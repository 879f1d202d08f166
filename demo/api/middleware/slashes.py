"""Double and trailing slashes, as a base address that ends with one puts them into a path. Pure ASGI.

Starlette redirects instead, and many clients send a redirected POST again as a GET, or without its body.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from demo.api.middleware.root_path import find_route_path
from demo.api.route_paths import RoutePaths


class SlashesMiddleware:
    """Replaces such a path by that of the route that is meant, for all that comes after. The page's paths stay."""

    def __init__(self, app: ASGIApp, paths: RoutePaths) -> None:
        self._app = app
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = find_route_path(scope)
            if (meant := self._paths.find_meant(path)) != path:
                scope = {**scope, "path": scope["path"].removesuffix(path) + meant}
        await self._app(scope, receive, send)

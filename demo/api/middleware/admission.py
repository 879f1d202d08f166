"""Admission: checks the API key and the load before the body of a generating request is read. Pure ASGI."""

import hmac
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from demo.api.dialects.errors import Refused, respond
from demo.api.middleware.root_path import find_route_path
from demo.errors import DemoError
from demo.events import Engine


class AdmissionMiddleware:
    """Refuses a POST to one of `paths` without the key, or beyond the engine's limit."""

    def __init__(self, app: ASGIApp, engine: Engine, paths: Sequence[str], api_key: str | None) -> None:
        self._app = app
        self._engine = engine
        self._paths = frozenset(paths)
        self._expected = f"Bearer {api_key}".encode() if api_key else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # As the router, which ignores a newline at the end of a path.
        if scope["type"] == "http" and scope["method"] == "POST" and find_route_path(scope).rstrip("\n") in self._paths:
            try:
                self._check_key(scope)
                self._engine.admit()
            except DemoError as error:
                await respond(find_route_path(scope), error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check_key(self, scope: Scope) -> None:
        given = Headers(scope=scope).get("authorization", "").encode("latin-1")
        if self._expected is not None and not hmac.compare_digest(given, self._expected):
            raise Refused("authentication", "The API key is missing or wrong: send `Authorization: Bearer <key>`.")

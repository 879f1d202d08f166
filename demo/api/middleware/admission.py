"""Admission: checks the API key and the load before the body of a generating request is read. Pure ASGI."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from demo.api.client import find_client
from demo.api.dialects.errors import Refused, respond
from demo.api.middleware.root_path import find_route_path
from demo.api.page_sessions import PageSessions
from demo.engine import Engine
from demo.errors import DemoError, Overloaded


class AdmissionMiddleware:
    """Refuses a POST to one of `paths` without the key or a session of the page, or beyond the engine's limit.

    To one of `keyed`, it is refused without the key or a session alone.
    """

    def __init__(
        self, app: ASGIApp, engine: Engine, paths: Sequence[str], sessions: PageSessions, keyed: Sequence[str] = ()
    ) -> None:
        self._app = app
        self._engine = engine
        self._paths = frozenset(paths)
        self._guarded = self._paths.union(keyed)
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # As the router, which ignores a newline at the end of a path.
        path = find_route_path(scope).rstrip("\n") if scope["type"] == "http" and scope["method"] == "POST" else None
        if path in self._guarded:
            try:
                self._check_key(scope)
                # A stream that is taken up again has its place.
                if path in self._paths and "last-event-id" not in Headers(scope=scope):
                    self._engine.admit()
            except DemoError as error:
                if isinstance(error, Overloaded):
                    error.expect(self._engine.find_wait(await find_client(HTTPConnection(scope))))
                await respond(find_route_path(scope), error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check_key(self, scope: Scope) -> None:
        if not self._sessions.admit_visitor(scope) and not self._sessions.judge_key(scope):
            raise Refused("authentication", "The API key is missing or wrong: send `Authorization: Bearer <key>`.")

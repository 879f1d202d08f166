"""The path under which a proxy serves this server: the proxy may strip it or pass it on. Pure ASGI."""

from collections.abc import MutableMapping
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from demo.settings import ROOT_PATH

HEADER: Final = "x-forwarded-prefix"


class RootPathMiddleware:
    """Sets `root_path`, and puts it in front of every `path`, as ASGI specifies: the operator's, else the header's.

    A client that sends the header changes nothing but the addresses in the reply to its own request.
    """

    def __init__(self, app: ASGIApp, root_path: str | None) -> None:
        self._app = app
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        root = (self._root_path or read_prefix(scope)) if scope["type"] == "http" else ""
        if not root:
            await self._app(scope, receive, send)
        elif scope["path"] == root and scope["method"] in ("GET", "HEAD"):
            # The page's own addresses are relative: they need the slash.
            query = scope["query_string"].decode("latin-1")
            await RedirectResponse(f"{root}/?{query}" if query else f"{root}/", 308)(scope, receive, send)
        else:
            await self._app({**scope, "root_path": root, "path": root + strip(root, scope["path"])}, receive, send)


def read_prefix(scope: Scope) -> str:
    """X-Forwarded-Prefix, if it is a plain path."""
    prefix = Headers(scope=scope).get(HEADER, "").rstrip("/")
    return prefix if ROOT_PATH.fullmatch(prefix) else ""


def strip(root: str, path: str) -> str:
    return path.removeprefix(root) or "/" if f"{path}/".startswith(f"{root}/") else path


def find_root_path(scope: MutableMapping[str, Any]) -> str:
    """The path below which a proxy serves this server; also within a mounted app."""
    root: str = scope.get("app_root_path", scope.get("root_path", ""))
    return root


def find_route_path(scope: MutableMapping[str, Any]) -> str:
    """A request's path without the root path, as the routes are written; also within a mounted app."""
    path: str = scope["path"]
    return path.removeprefix(find_root_path(scope))

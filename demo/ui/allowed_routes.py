"""The routes of Gradio that the page uses. All others are closed: they take files, read them, call other hosts, or tell
what the server is made of.

Knows paths only. Pure ASGI, in front of Gradio's app alone: neither the page's own files nor the routes of its tabs
(`tab_routes.py`) are behind it.
"""

import re
from typing import Final

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

API: Final = "/gradio_api"
FILES: Final = (
    *("/", "/config", "/theme.css", "/favicon.ico", "/robots.txt"),
    "/static/js/iframeResizer.contentWindow.min.js",
)
BUILT: Final = "/assets/[A-Za-z0-9_.@+-]+"  # files of Gradio's client
ALLOWED: Final = re.compile("|".join([*map(re.escape, FILES), BUILT, f"{API}/app_id"]))


class AllowedRoutesMiddleware:
    """Replies 404 to what is not `ALLOWED`."""

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

"""Guards all of the page, its files and Gradio's routes: a visitor without a session gets a form for the password.

The guard is pure ASGI, in front of the page alone. The API's routes, of which the form's is one, are not the page's.
"""

import json
from base64 import b64encode
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.datastructures import MutableHeaders
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.api.dialects.errors import Refused, respond
from demo.api.middleware.root_path import find_root_path, find_route_path
from demo.api.page_sessions import PageSessions

ASSETS: Final = Path(__file__).resolve().parents[3] / "assets"
WRONG_PASSWORD: Final = "This is not the password: try again, or ask whoever runs this page."
REFUSAL: Final = "The page asks for a password: open it in a browser and enter it there."


class PageGuardMiddleware:
    """Lets visitors with a session pass. Where no password is asked for, who opens the page gets a session."""

    def __init__(self, app: ASGIApp, sessions: PageSessions) -> None:
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        opens = scope["type"] == "http" and find_route_path(scope) == "/" and scope["method"] in ("GET", "HEAD")
        if scope["type"] == "http" and self._sessions.ask_password and not self._sessions.admit_visitor(scope):
            refusal = respond(find_route_path(scope), Refused("authentication", REFUSAL))
            await (self._form if opens else refusal)(scope, receive, send)
        elif opens and self._sessions.open_page:
            await self._app(scope, receive, self._add_session(scope, send))
        else:
            await self._app(scope, receive, send)

    @cached_property
    def _form(self) -> HTMLResponse:
        document = write_form()
        headers = {"Content-Security-Policy": write_policy(document), "Cache-Control": "no-store"}
        return HTMLResponse(document, 401, headers)

    def _add_session(self, scope: Scope, send: Send) -> Send:
        async def send_with_session(message: Message) -> None:
            if message["type"] == "http.response.start":
                for cookie in self._sessions.issue(find_root_path(scope)):
                    MutableHeaders(scope=message).append("Set-Cookie", cookie)
            await send(message)

        return send_with_session


def write_form() -> str:
    """The form's document, with its texts in the page's other languages."""
    form = (ASSETS / "login.html").read_text("utf-8")
    texts = {path.stem: json.loads(path.read_text("utf-8")) for path in (ASSETS / "texts").glob("*.json")}
    used = {
        language: {
            english: text
            for english, text in translated.items()
            if english == WRONG_PASSWORD or f">{english}<" in form or f'"{english}"' in form
        }
        for language, translated in texts.items()
    }
    return form.replace("TEXTS = {}", f"TEXTS = {json.dumps(used, ensure_ascii=False)}")


def write_policy(document: str) -> str:
    """The form's policy: its own script and style, and requests to this server."""
    script, style = (document.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0] for tag in ("script", "style"))
    hashes = [b64encode(sha256(text.encode()).digest()).decode() for text in (script, style)]
    return (
        f"default-src 'none'; script-src 'sha256-{hashes[0]}'; style-src 'sha256-{hashes[1]}'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors *"
    )


class Login(BaseModel):
    """What the form sends."""

    password: Annotated[str, Field(max_length=1000)]


def build_login_routes(sessions: PageSessions) -> APIRouter:
    """POST /login, which the page's form uses. Not described in the API's document: programs send a key."""
    router = APIRouter()

    @router.post("/login", include_in_schema=False)
    async def log_in(request: Request, login: Login) -> Response:
        """Start a session of the page."""
        if not sessions.judge_password(request.scope, login.password):
            raise Refused("authentication", WRONG_PASSWORD)
        response = Response(status_code=204)
        for cookie in sessions.issue(find_root_path(request.scope)):
            response.headers.append("Set-Cookie", cookie)
        return response

    return router

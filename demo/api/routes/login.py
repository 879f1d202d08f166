"""The route at which a visitor of the page enters its password."""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from demo.api.dialects.errors import Refused
from demo.api.middleware.page_guard import WRONG_PASSWORD
from demo.api.middleware.root_path import find_root_path
from demo.api.page_sessions import PageSessions


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

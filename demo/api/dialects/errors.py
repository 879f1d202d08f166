"""Errors as the wire says them: a status, headers, and the body that the route's clients read.

Native bodies are text-generation-inference's, those under /v1 OpenAI's. Never FastAPI's `{"detail": …}`:
TGI's Python client fails on it.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from starlette.requests import Request
from starlette.responses import JSONResponse

from demo.api.middleware.root_path import route_of
from demo.api.openapi.replies import NativeError, OpenAIError, OpenAIErrorText
from demo.errors import BadRequest, DemoError, Incomplete, NotReady, TemplateRefused

Json: TypeAlias = Mapping[str, Any]

STATUSES: Final = {
    "validation": 422,
    "template_error": 422,
    "overloaded": 429,
    "generation": 424,
    "incomplete_generation": 500,
    "healthcheck": 503,
    "authentication": 401,
    "not_found": 404,
    "method_not_allowed": 405,
    "timeout": 408,
    "too_large": 413,
}
RETRY_AFTER_SECONDS: Final = 1  # a slot is free as soon as one of many short answers has ended


class Refused(DemoError):
    """What the HTTP layer itself refuses; `kind` is one of STATUSES."""

    def __init__(self, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


def status_of(error: DemoError) -> int:
    """The HTTP status of an error that is met before any byte was sent."""
    return STATUSES.get(error.kind, 500)


def say(error: DemoError) -> str:
    """The sentence, beginning as TGI's clients expect."""
    if isinstance(error, TemplateRefused):
        return f"Template error: {error}"
    if isinstance(error, BadRequest):
        return f"Input validation error: {error}"
    if isinstance(error, NotReady):
        return f"unhealthy: {error}"
    return f"Incomplete generation: {error}" if isinstance(error, Incomplete) else str(error)


def write_native(error: DemoError) -> NativeError:
    """TGI's body: text and type."""
    return {"error": say(error), "error_type": error.kind}


def write_openai(error: DemoError) -> OpenAIError:
    """OpenAI's body, with TGI's type beside it."""
    inner: OpenAIErrorText = {"message": say(error), "type": error.kind, "param": None, "code": status_of(error)}
    return {"error": inner, "error_type": error.kind}


def write_for(path: str, error: DemoError) -> NativeError | OpenAIError:
    """The body that clients of `path` read."""
    return write_openai(error) if path.startswith("/v1/") else write_native(error)


def respond(path: str, error: DemoError) -> JSONResponse:
    """The whole response."""
    status = status_of(error)
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status in (429, 503) else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(write_for(path, error), status, headers)


async def handle_demo_error(request: Request, error: Exception) -> JSONResponse:
    """Starlette's exception handler for DemoError."""
    assert isinstance(error, DemoError)
    return respond(route_of(request.scope), error)

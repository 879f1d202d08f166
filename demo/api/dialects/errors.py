"""Errors as HTTP replies: a status, headers, and a body in the dialect of the route.

Native bodies are text-generation-inference's, those under /v1 OpenAI's. Never FastAPI's `{"detail": …}`:
TGI's Python client fails on it.
"""

import math
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from starlette.responses import JSONResponse

from demo.api.openapi.replies import NativeError, OpenAIError, OpenAIErrorText
from demo.api.statuses import STATUSES
from demo.errors import BadRequest, ContextExceeded, DemoError, Incomplete, NotReady, TemplateRefused

Json: TypeAlias = Mapping[str, Any]

# TGI's clients recognise an error by the beginning of its text. A subclass stands before its base.
PREFIXES: Final = (
    (TemplateRefused, "Template error: "),
    (BadRequest, "Input validation error: "),
    (NotReady, "unhealthy: "),
    (Incomplete, "Incomplete generation: "),
)
RETRY_AFTER_SECONDS: Final = 1  # with many short answers at once, one of them ends within a second


class Refused(DemoError):
    """A request that the HTTP layer itself refuses; `kind` is a key of STATUSES."""

    def __init__(self, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


def find_status(error: DemoError) -> int:
    """The HTTP status of an error that precedes the first byte of the reply."""
    return STATUSES.get(error.kind, 500)


def format_error(error: DemoError) -> str:
    return next((prefix for base, prefix in PREFIXES if isinstance(error, base)), "") + str(error)


def write_native(error: DemoError) -> NativeError:
    """TGI's body: text and type."""
    return {"error": format_error(error), "error_type": error.kind}


def write_openai(error: DemoError) -> OpenAIError:
    """OpenAI's body, with TGI's type beside it."""
    inner: OpenAIErrorText = {
        "message": format_error(error),
        "type": error.kind,
        "param": None,
        "code": "context_length_exceeded" if isinstance(error, ContextExceeded) else find_status(error),
    }
    return {"error": inner, "error_type": error.kind}


def make_error_response(error: DemoError, body: Json, status: int | None = None) -> JSONResponse:
    """`status` None: that of the error's kind."""
    status = status or find_status(error)
    seconds = math.ceil(error.retry_after) if isinstance(error, NotReady) else RETRY_AFTER_SECONDS
    headers = {"Retry-After": str(seconds)} if status in (429, 503) else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, status, headers)


def respond(path: str, error: DemoError) -> JSONResponse:
    """The response to a request to `path`, in the dialect of that path."""
    if not path.startswith("/v1/"):
        return make_error_response(error, write_native(error))
    # OpenAI's and vLLM's: LangChain looks for the code in a reply of this status only.
    status = 400 if isinstance(error, ContextExceeded) else None
    return make_error_response(error, write_openai(error), status)

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
from demo.errors import BadRequest, ContextExceeded, DemoError, Incomplete, NotReady, Overloaded, TemplateRefused

Json: TypeAlias = Mapping[str, Any]

# TGI's clients recognise an error by the beginning of its text. A subclass stands before its base.
PREFIXES: Final = (
    (TemplateRefused, "Template error: "),
    (BadRequest, "Input validation error: "),
    (NotReady, "unhealthy: "),
    (Incomplete, "Incomplete generation: "),
)
RETRY_AFTER_MS: Final = "retry-after-ms"  # beside Retry-After, whose seconds are whole: OpenAI's clients read it first
RETRY_AFTER_SECONDS: Final = 1  # where nothing is known: of many short answers, one ends within a second


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
    body: NativeError = {"error": format_error(error), "error_type": error.kind}
    if (seconds := find_retry_after(error)) is not None:
        body["retry_after"] = seconds
    return body


def write_openai(error: DemoError) -> OpenAIError:
    """OpenAI's body, with TGI's type beside it."""
    inner: OpenAIErrorText = {
        "message": format_error(error),
        "type": error.kind,
        "param": None,
        "code": "context_length_exceeded" if isinstance(error, ContextExceeded) else find_status(error),
    }
    body: OpenAIError = {"error": inner, "error_type": error.kind}
    if (seconds := find_retry_after(error)) is not None:
        body["retry_after"] = seconds
    return body


def find_retry_after(error: DemoError) -> float | None:
    """In how many seconds a request that was overloaded is expected to be admitted; None where nobody knows."""
    return round(error.retry_after, 3) if isinstance(error, Overloaded) and error.retry_after is not None else None


def make_error_response(error: DemoError, body: Json, status: int | None = None) -> JSONResponse:
    """`status` None: that of the error's kind."""
    status = status or find_status(error)
    exact = find_retry_after(error) if isinstance(error, Overloaded) else error.retry_after
    seconds = RETRY_AFTER_SECONDS if exact is None else max(math.ceil(exact), 1)
    headers = {"Retry-After": str(seconds)} if status in (429, 503) else {}
    if exact is not None and isinstance(error, Overloaded):
        headers[RETRY_AFTER_MS] = str(math.ceil(1000 * exact))
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

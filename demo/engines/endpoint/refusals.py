"""What an engine elsewhere refuses or fails with, as this server's errors. Knows no dialect's routes."""

from collections.abc import Mapping
from typing import Any, Final

from demo.errors import BadRequest, ContextExceeded, DemoError, EngineFailed, NotReady, Overloaded, TemplateRefused

KINDS: Final[dict[str, type[DemoError]]] = {
    "validation": BadRequest,
    "template_error": TemplateRefused,
    "overloaded": Overloaded,
    "healthcheck": NotReady,
}
# TGI's clients recognise an error by these words; the reply's own dialect writes them again.
PREFIXES: Final = ("Input validation error: ", "Template error: ", "unhealthy: ", "Incomplete generation: ")


class Unauthorized(DemoError):
    """The engine elsewhere refuses the key, or the lack of one."""


class WrongRoute(DemoError):
    """The engine elsewhere has no such route or model."""


def read_refusal(status: int, body: object, name: str) -> DemoError:
    """The error of a reply of HTTP `status`, or of an event with an error, where `status` is that of its reply."""
    if is_context_exceeded(body):
        return ContextExceeded(_read_message(body))
    code, kind, message = _read_code(body), _read_kind(body), _read_message(body)
    status = code if status < 400 and code is not None else status
    if kind in KINDS:
        return KINDS[kind](message or f"{name} gives no reason.")
    said = f": {message}" if message else f" with status {status}."
    if status in (401, 403):
        return Unauthorized(f"{name} refuses the key{said}")
    if status in (429, 503):
        return Overloaded(f"{name} is overloaded{said}")
    if status in (404, 405):
        return WrongRoute(f"{name} has no such route or model{said}")
    if 400 <= status < 500:
        return BadRequest(message or f"{name} refuses the request with status {status}.")
    return EngineFailed(f"{name} failed{said}")


def is_context_exceeded(body: object) -> bool:
    """Whether prompt and answer do not fit: by OpenAI's code, or in vLLM's or TGI's words."""
    text = _find_text(body)
    inner = body.get("error") if isinstance(body, Mapping) else None
    code = inner.get("code") if isinstance(inner, Mapping) else None
    return (
        code == "context_length_exceeded" or "maximum context length" in text or "`max_new_tokens` must be <=" in text
    )


def find_error(event: Mapping[str, Any]) -> bool:
    """Whether an event of a stream is an error."""
    return event.get("error") is not None or event.get("object") == "error"


def _read_message(body: object) -> str:
    """One line, without the prefix by which a dialect marks it."""
    text = _find_text(body)
    for prefix in PREFIXES:
        text = text.removeprefix(prefix)
    return " ".join(text.split())[:500]


def _find_text(body: object) -> str:
    if isinstance(body, str):
        return body
    if not isinstance(body, Mapping):
        return ""
    return next((text for key in ("error", "message", "detail") if (text := _find_text(body.get(key)))), "")


def _read_kind(body: object) -> str:
    kind = body.get("error_type") if isinstance(body, Mapping) else None
    return kind if isinstance(kind, str) else ""


def _read_code(body: object) -> int | None:
    if not isinstance(body, Mapping):
        return None
    inner = body.get("error")
    found = [each.get("code") for each in (inner, body) if isinstance(each, Mapping)]
    return next((code for code in found if isinstance(code, int) and 400 <= code < 600), None)

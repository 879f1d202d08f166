"""Wire dialects: the route and body of a request, and the readers of its replies. Pure: no I/O.

`read_event` returns the visible text of a token's event, perhaps empty, and None for an event without a token. The
readers raise LookupError or TypeError on a reply of another dialect.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Json: TypeAlias = Any
Mode: TypeAlias = Literal["streamed", "whole"]


@dataclass(frozen=True, slots=True)
class Request:
    """Every request of a measurement: greedy, one prompt, at most `new_tokens` tokens.

    `write_cache_parameters` returns the parameters that switch the server's prefix caching off.
    """

    model: str
    prompt: str
    new_tokens: int
    write_cache_parameters: Callable[[], Mapping[str, Json]] = dict


@dataclass(frozen=True, slots=True)
class ServerTimes:
    """A request's times by the server's clock, in seconds since admission; None where it reports none."""

    ttft: float | None = None
    total: float | None = None


class Native:
    """Text-generation-inference's own routes. A special token's text is never shown.

    `raw` is a parameter of this project's server: complete the prompt without a chat template, as other servers do.
    """

    name = "native"

    def path(self, mode: Mode) -> str:
        return "/generate_stream" if mode == "streamed" else "/generate"

    def body(self, request: Request, mode: Mode) -> Json:
        parameters = {"max_new_tokens": request.new_tokens, "details": True, "do_sample": False, "raw": True}
        return {"inputs": request.prompt, "parameters": {**parameters, **request.write_cache_parameters()}}

    def read_event(self, event: Json) -> str | None:
        token = event["token"]
        return "" if token.get("special") else str(token["text"])

    def read_whole(self, reply: Json) -> str:
        return str(_unwrap(reply)["generated_text"])


class Chat:
    """OpenAI's chat completions. Opening chunks with only a role and closing ones with only a reason are no tokens."""

    name = "chat"

    def path(self, mode: Mode) -> str:
        return "/v1/chat/completions"

    def body(self, request: Request, mode: Mode) -> Json:
        return {"messages": [{"role": "user", "content": request.prompt}], **_write_common(request, mode)}

    def read_event(self, event: Json) -> str | None:
        if not event["choices"]:
            return None  # the usage chunk
        delta = event["choices"][0]["delta"]
        content = delta.get("content")
        return None if content is None or (content == "" and "role" in delta) else str(content)

    def read_whole(self, reply: Json) -> str:
        return str(reply["choices"][0]["message"]["content"] or "")


class Completions:
    """OpenAI's legacy completions: a prompt without a chat template. For `raw` see `Native`."""

    name = "completions"

    def path(self, mode: Mode) -> str:
        return "/v1/completions"

    def body(self, request: Request, mode: Mode) -> Json:
        return {"prompt": request.prompt, "raw": True, **_write_common(request, mode)}

    def read_event(self, event: Json) -> str | None:
        return str(event["choices"][0]["text"]) if event["choices"] else None

    def read_whole(self, reply: Json) -> str:
        return str(reply["choices"][0]["text"])


Dialect: TypeAlias = Native | Chat | Completions
DIALECTS: Mapping[str, Dialect] = {"native": Native(), "chat": Chat(), "completions": Completions()}


def read_error(payload: Json) -> str | None:
    """The sentence of an error body or event, TGI's shape or OpenAI's; None where it is not an error."""
    error = payload.get("error") if isinstance(payload, dict) else None
    if isinstance(error, dict):
        return str(error.get("message") or error)
    return None if error is None else str(error)


def read_count(reply: Json) -> int | None:
    """The number of tokens that a whole reply reports, or None."""
    reply = _unwrap(reply)
    count = (reply.get("usage") or {}).get("completion_tokens")
    return (reply.get("details") or {}).get("generated_tokens") if count is None else count


def read_server_times(reply: Json, headers: Mapping[str, str]) -> ServerTimes:
    """The server's own times: `details.timings` of a stream's last event, else a whole reply's headers. Both in ms."""
    timings = (_unwrap(reply).get("details") or {}).get("timings") or {}
    return ServerTimes(
        ttft=_read_milliseconds(timings.get("time_to_first_token", headers.get("x-time-to-first-token"))),
        total=_read_milliseconds(timings.get("total_time", headers.get("x-total-time"))),
    )


def _write_common(request: Request, mode: Mode) -> Json:
    length = {"model": request.model, "max_tokens": request.new_tokens, "temperature": 0, "stream": mode == "streamed"}
    return {**length, **request.write_cache_parameters()}


def _unwrap(reply: Json) -> Json:
    """The reply without the array of one in which TGI's root route wraps it."""
    return reply[0] if isinstance(reply, list) else reply


def _read_milliseconds(value: float | str | None) -> float | None:
    return None if value is None else float(value) / 1000

"""What to post in each wire dialect, and what its replies say. Pure; knows no connection and no clock."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

Json: TypeAlias = Any
Mode: TypeAlias = Literal["streamed", "whole"]


@dataclass(frozen=True, slots=True)
class Ask:
    """What every request of a measurement asks for: greedy, one prompt, at most `new_tokens` tokens.

    `write_no_reuse` gives the parameters by which a request has the server reuse nothing of earlier prompts.
    """

    model: str
    prompt: str
    new_tokens: int
    write_no_reuse: Callable[[], Mapping[str, Json]] = dict


@dataclass(frozen=True, slots=True)
class ServerTimes:
    """What the server says of its own request, in seconds of its own clock since admission; None where it is silent."""

    ttft: float | None = None
    total: float | None = None


class Dialect(Protocol):
    """One way to ask for text and to read it. The readers raise LookupError or TypeError on another's reply."""

    @property
    def name(self) -> str:
        """As `--dialect` spells it."""

    def path(self, mode: Mode) -> str:
        """Where to post."""

    def body(self, ask: Ask, mode: Mode) -> Json:
        """What to post."""

    def read_event(self, event: Json) -> str | None:
        """The visible text of a token's event, perhaps empty; None for an event that is no token."""

    def read_whole(self, reply: Json) -> str:
        """The text of a whole reply."""


class Native:
    """Text-generation-inference's own routes. A special token's text is never shown.

    `raw` is this project's server's: it has the prompt completed, as others do by themselves.
    """

    name = "native"

    def path(self, mode: Mode) -> str:
        return "/generate_stream" if mode == "streamed" else "/generate"

    def body(self, ask: Ask, mode: Mode) -> Json:
        parameters = {"max_new_tokens": ask.new_tokens, "details": True, "do_sample": False, "raw": True}
        return {"inputs": ask.prompt, "parameters": {**parameters, **ask.write_no_reuse()}}

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

    def body(self, ask: Ask, mode: Mode) -> Json:
        return {"messages": [{"role": "user", "content": ask.prompt}], **_name_length(ask, mode)}

    def read_event(self, event: Json) -> str | None:
        if not event["choices"]:
            return None  # the usage chunk
        delta = event["choices"][0]["delta"]
        content = delta.get("content")
        return None if content is None or (content == "" and "role" in delta) else str(content)

    def read_whole(self, reply: Json) -> str:
        return str(reply["choices"][0]["message"]["content"] or "")


class Completions:
    """OpenAI's legacy completions: a prompt without a chat template, which this project's server is told by `raw`."""

    name = "completions"

    def path(self, mode: Mode) -> str:
        return "/v1/completions"

    def body(self, ask: Ask, mode: Mode) -> Json:
        return {"prompt": ask.prompt, "raw": True, **_name_length(ask, mode)}

    def read_event(self, event: Json) -> str | None:
        return str(event["choices"][0]["text"]) if event["choices"] else None

    def read_whole(self, reply: Json) -> str:
        return str(reply["choices"][0]["text"])


DIALECTS: Mapping[str, Dialect] = {dialect.name: dialect for dialect in (Native(), Chat(), Completions())}


def read_error(payload: Json) -> str | None:
    """The sentence of an error body or event, TGI's shape or OpenAI's; None where it is no error."""
    error = payload.get("error") if isinstance(payload, dict) else None
    if isinstance(error, dict):
        return str(error.get("message") or error)
    return None if error is None else str(error)


def read_count(reply: Json) -> int | None:
    """How many tokens a whole reply says it holds; None where it does not say."""
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


def _name_length(ask: Ask, mode: Mode) -> Json:
    length = {"model": ask.model, "max_tokens": ask.new_tokens, "temperature": 0, "stream": mode == "streamed"}
    return {**length, **ask.write_no_reuse()}


def _unwrap(reply: Json) -> Json:
    """A reply, out of the array of one that TGI's root route makes of it."""
    return reply[0] if isinstance(reply, list) else reply


def _read_milliseconds(value: float | str | None) -> float | None:
    return None if value is None else float(value) / 1000
